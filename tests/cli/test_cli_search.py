"""`search` at the shell: filters, fields, many queries, percentiles, the index."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.store.place import unwritable

MANY = 12


@pytest.fixture
def embedded(run, filled) -> Path:
    """The zoo of three, all of it embedded."""
    assert run("embed").code == 0
    return filled


def found(result) -> list[dict]:
    assert result.code == 0, result.err
    return json.loads(result.out)


def ids(result) -> list[str]:
    return [row["id"] for row in found(result)]


def test_a_filter_narrows_the_search(run, embedded):
    assert ids(run("search", "a", "--where", "accuracy > 0.55 AND dataset = 'digits'", "--json")) != ["a", "b", "c"]
    assert set(ids(run("search", "a", "--where", "accuracy > 0.55", "--json"))) == {"b", "c"}


def test_a_filter_that_is_not_understood_is_one_line_that_names_the_columns(run, embedded):
    result = run("search", "a", "--where", "acuracy > 0.55")
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error.startswith("error: filter 'acuracy > 0.55' is not understood: ")
    assert hint.startswith("hint: columns are content, spec, encoder, id, path, ")


@pytest.mark.parametrize(
    "where",
    ["accuracy >", "'", "accuracy > 'high'", "(", "1", "accuracy > 0; DROP TABLE x", "accuracy > 0 AN tier = ''"],
)
def test_wrong_sql_is_exit_2(run, embedded, where):
    result = run("search", "a", "--where", where)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: filter ")
    assert len(result.err.splitlines()) == 2


def test_a_field_that_is_no_column_is_one_line_that_names_the_columns(run, embedded):
    result = run("search", "a", "--fields", "params,acuracy")
    assert (result.code, result.out) == (2, "")
    error, hint = result.err.splitlines()
    assert error == "error: no column named 'acuracy'"
    assert hint.startswith("hint: columns are content, spec, encoder, id, path, ")


def test_fields_are_more_columns_at_the_end(run, embedded):
    result = run("search", "a", "--fields", "params, accuracy,tier", "-k", "1")
    header, row = (line.split("\t") for line in result.out.splitlines())
    assert " ".join(header) == "rank id score path architecture dataset accuracy encoder percentile params tier"
    assert row[-2:] == ["83", "inferred"]


@pytest.mark.parametrize("asked", [["--where", "accuracy > 2"], ["--min-score", "0.99999", "--exclude-self"]])
def test_nothing_found_is_a_bare_header_or_an_empty_array(run, embedded, asked):
    result = run("search", "a", *asked)
    assert (result.code, len(result.out.splitlines()), result.err) == (0, 1, "")
    assert run("search", "a", *asked, "--json").out == "[]\n"


def test_a_least_score_is_kept(run, embedded):
    assert ids(run("search", "a", "--min-score", "0.9999", "--json")) == ["a"]
    assert run("search", "a", "--min-score", "1.5").code == 2


@pytest.mark.parametrize("query", ["a", "models/a.safetensors", "copy.safetensors"])
def test_a_checkpoint_does_not_find_itself_nor_its_copies(run, embedded, query):
    Path("copy.safetensors").write_bytes(Path("models/a.safetensors").read_bytes())
    assert set(ids(run("search", query, "--exclude-self", "--json"))) == {"b", "c"}


def test_same_architecture_leaves_other_shapes_out(run, filled, write_other):
    write_other("models/wide.safetensors")
    assert run("zoo", "add", "models/wide.safetensors").code == 0
    assert "wide" in ids(run("search", "a", "-k", "9", "--json"))
    assert set(ids(run("search", "a", "-k", "9", "--same-architecture", "--json"))) == {"a", "b", "c"}
    assert ids(run("search", "models/wide.safetensors", "--same-architecture", "--json")) == ["wide"]


@pytest.fixture
def write_other():
    """Writes an MLP of other shapes."""

    def write(path: str) -> None:
        tensors = {}
        for layer, (source, target) in enumerate([(4, 16), (16, 5), (5, 3)]):
            values = np.random.default_rng(layer).normal(size=(target, source)).astype(np.float32)
            tensors[f"{2 * layer}.weight"] = ("F32", values)
            tensors[f"{2 * layer}.bias"] = ("F32", values[:, 0].copy())
        write_safetensors(Path(path), tensors, {})

    return write


def test_many_queries_stream_a_line_each(run, embedded, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\nmodels/c.safetensors\n" * MANY))
    result = run("search", "-", "-k", "1", "--format", "jsonl")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [(row["query"], row["rank"], row["id"]) for row in rows] == [(id, 1, id) for id in "abc"] * MANY


def test_several_arguments_are_several_queries(run, embedded):
    rows = found(run("search", "b", "models/a.safetensors", "c", "-k", "2", "--json"))
    assert [row["query"] for row in rows] == ["b", "b", "a", "a", "c", "c"]
    assert [row["rank"] for row in rows] == [1, 2] * 3


def test_what_is_not_there_is_a_failure_beside_the_others_in_order(run, embedded):
    result = run("search", "c", "nope", "a", "-k", "1", "--json")
    assert result.code == 6
    assert [row["query"] for row in json.loads(result.out)] == ["c", "a"]
    assert "nope: no such file, and no such id in the zoo" in result.err


def test_an_unknown_id_is_told_before_anything_is_embedded(run, filled):
    result = run("search", "org/name")
    assert result.code == 3
    assert result.err.splitlines()[1] == "hint: if it is on the Hub, fetch it first: `wembed zoo pull org/name`"
    assert not list(Path("zoo/embeddings").glob("*.lance"))


@pytest.mark.parametrize("asked", [[], ["--where", "id = 'a'"], ["--same-architecture"], ["--ann"]], ids=str)
def test_an_id_that_is_embedded_needs_neither_its_file_nor_the_catalog(run, embedded, monkeypatch, asked):
    monkeypatch.setattr(Zoo, "rows", lambda *_: pytest.fail("the catalog was read"))
    monkeypatch.setattr("wembed.cli.session._TORN", 0)
    Path("models/a.safetensors").unlink()
    assert ids(run("search", "a", "-k", "1", "--json", *asked)) == ["a"]
    assert set(ids(run("search", "a", "--exclude-self", "--json"))) == {"b", "c"}


def test_a_file_is_searched_for_without_the_catalog(run, embedded, monkeypatch):
    Path("elsewhere.safetensors").write_bytes(Path("models/a.safetensors").read_bytes())
    monkeypatch.setattr(Zoo, "rows", lambda *_: pytest.fail("the catalog was read"))
    monkeypatch.setattr("wembed.cli.session._TORN", 0)
    asked = ("elsewhere.safetensors", "models/b.safetensors")
    rows = found(run("search", *asked, "-k", "1", "--json"))
    assert [(row["query"], row["id"]) for row in rows] == [("elsewhere.safetensors", "a"), ("b", "b")]
    assert ids(run("search", asked[1], "--exclude-self", "-k", "1", "--json")) != ["b"]


def test_a_file_of_the_zoo_that_has_changed_is_another_network(run, embedded):
    Path("models/b.safetensors").write_bytes(Path("models/a.safetensors").read_bytes())
    (row,) = found(run("search", "models/b.safetensors", "-k", "1", "--json"))
    assert (row["id"], row["score"]) == ("a", 1.0)


def test_a_file_that_cannot_be_read_is_told_once(run, embedded, write):
    write("models/d.safetensors", 3)
    assert run("zoo", "add", "models/d.safetensors").code == 0
    Path("models/d.safetensors").unlink()
    first, second = (run("search", "a", "--json") for _ in range(2))
    assert first.err.startswith("warning: 1 checkpoints of the zoo are passed over, first ")
    assert (second.err, second.out) == ("", first.out)


@pytest.mark.parametrize("query", ["a", "d"])
def test_a_zoo_that_cannot_be_written_is_searched_as_far_as_it_is_embedded(run, embedded, write, read_only, query):
    write("models/d.safetensors", 9)
    assert run("zoo", "add", "models").code == 0
    result = run("search", query, "--format", "ids")
    assert result.code == 0
    assert sorted(result.out.split()) == ["a", "b", "c"]
    warning, _ = result.err.splitlines()
    assert warning.startswith("warning: 1 checkpoints of the zoo are not embedded and passed over: cannot write ")


def test_a_zoo_of_which_nothing_is_embedded_must_be_writable(run, filled, read_only):
    result = run("search", "a")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[1] == "hint: give a place that can be written with --store"


@pytest.fixture
def read_only(monkeypatch):
    """What a store on a read-only file system says."""

    def refuse(self, vectors):
        raise unwritable(self.uri, OSError(30, "Read-only file system"))

    monkeypatch.setattr("wembed.store.EmbeddingTable.upsert", refuse)


def test_a_changed_catalog_is_noticed(run, embedded, write):
    write("models/d.safetensors", 3)
    assert run("zoo", "add", "models/d.safetensors").code == 0
    assert ids(run("search", "d", "-k", "1", "--json")) == ["d"]
    assert run("zoo", "rm", "d", "--yes").code == 0
    assert "d" not in ids(run("search", "a", "-k", "9", "--json"))


def test_the_percentile_is_highest_for_a_copy_and_falls_with_the_score(run, embedded):
    percentiles = [row["percentile"] for row in found(run("search", "a", "--json"))]
    assert percentiles[0] == 100.0
    assert percentiles == sorted(percentiles, reverse=True)
    assert all(0 <= value <= 100 for value in percentiles)


def test_a_terminal_sees_the_percentile_in_colour_unless_it_wants_none(run, embedded, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m100.00\x1b[0m" in run("search", "a", "--format", "table").out.replace(" ", "")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in run("search", "a", "--format", "table").out


def test_a_small_table_is_searched_exactly_whatever_was_asked(run, embedded):
    result = run("search", "a", "--ann", "--json")
    assert ids(result)[0] == "a"
    assert "note: the table is too small for an index: the search is exact" in result.err


def test_a_large_table_says_how_good_its_index_is(run, embedded, monkeypatch):
    monkeypatch.setattr("wembed.store.index.LEAST", 3)
    monkeypatch.setattr("wembed.store.index.NEIGHBOURS", 2)
    result = run("search", "a", "--ann", "--json")
    assert ids(result)[0] == "a"
    assert "recall@10 " in result.err
    assert "partitions are searched" in result.err


@pytest.fixture
def family(run, embedded, write) -> Path:
    """The zoo of three, with a permuted copy of a, and with one whose first layer is that of a."""
    assert run("permute", "a", "-o", "models/permuted.safetensors").code == 0
    first, other = (open_checkpoint(Path(f"models/{name}.safetensors")) for name in "ab")
    tensors = {name: ("F32", (first if name.startswith("0.") else other).read(name)) for name in first.tensors}
    write_safetensors(Path("models/child.safetensors"), tensors, {})
    assert run("zoo", "add", "models/permuted.safetensors", "models/child.safetensors").code == 0
    return embedded


def test_verify_adds_a_verdict(run, family):
    rows = {row["id"]: row for row in found(run("search", "a", "--verify", "-k", "9", "--json"))}
    assert [*rows["a"]][-2:] == ["verdict", "p_value"]
    assert (rows["a"]["verdict"], rows["permuted"]["verdict"]) == ("same", "same")
    assert rows["b"]["verdict"] == "unrelated"


def test_verify_finds_kin_in_the_shortlist_behind_what_is_only_alike(run, tmp_path):
    """The look-alike has the query's very values, so that its statistics are equal, in an order of its own."""
    random = np.random.default_rng(0)
    query = {f"{layer}.weight": random.normal(size=(32, 32)).astype(np.float32) for layer in (0, 2, 4)}
    alike = {name: random.permutation(values.ravel()).reshape(32, 32) for name, values in query.items()}
    child = {
        name: values * np.float32(1.3) + random.normal(size=(32, 32)).astype(np.float32) / 2
        for name, values in query.items()
    }
    (tmp_path / "nets").mkdir()
    for name, weights in {"query": query, "alike": alike, "child": child}.items():
        tensors = {tensor: ("F32", values) for tensor, values in weights.items()}
        write_safetensors(tmp_path / f"nets/{name}.safetensors", tensors, {})
    run("zoo", "add", "nets")
    asked = ("search", "query", "-k", "1", "--exclude-self", "--encoder", "stats", "--json")
    assert ids(run(*asked)) == ["alike"]
    (row,) = found(run(*asked, "--verify"))
    assert (row["id"], row["verdict"], row["rank"]) == ("child", "derived", 1)


def test_a_file_that_is_called_as_an_id_is_what_is_verified(run, family, monkeypatch):
    """Its vector and its verdict are both the file's, not the row's that has its name."""
    random = np.random.default_rng(5)
    Path("elsewhere").mkdir()
    shapes = {name: info.shape for name, info in open_checkpoint(Path("models/a.safetensors")).tensors.items()}
    tensors = {name: ("F32", random.normal(size=shape).astype(np.float32)) for name, shape in shapes.items()}
    write_safetensors(Path("elsewhere/other.safetensors"), tensors, {})
    Path("elsewhere/other.safetensors").rename("elsewhere/a")
    zoo = Path("zoo").absolute()
    monkeypatch.chdir("elsewhere")
    rows = {row["id"]: row for row in found(run("search", "a", "--verify", "-k", "9", "--zoo", zoo, "--json"))}
    assert (rows["a"]["verdict"], rows["a"]["score"] < 0.9) == ("unrelated", True)
    assert "a" in ids(run("search", "a", "--exclude-self", "-k", "9", "--zoo", zoo, "--json"))


def test_a_query_that_is_named_twice_is_verified_twice(run, family):
    assert len(found(run("search", "a", "a", "--verify", "-k", "2", "--json"))) == 4


def test_a_file_that_changed_since_it_was_taken_in_is_told(run, family):
    changed = Path("models/b.safetensors")
    tensors = {name: ("F32", open_checkpoint(changed).read(name) + 1) for name in open_checkpoint(changed).tensors}
    write_safetensors(changed, tensors, {})
    result = run("search", "a", "--verify", "-k", "9", "--json")
    assert result.err.count("b has changed since it was taken in") == 1


def test_why_shows_which_layers_are_shared(run, family):
    (row,) = found(run("search", "a", "--why", "--where", "id = 'child'", "--json"))
    assert {layer["layer"]: layer["identical"] for layer in row["layers"]} == {"0": True, "2": False, "4": False}
    assert {*row["layers"][0]} == {"layer", "kind", "similarity", "identical", "change"}


def test_why_counts_the_tensors_that_are_held_exactly(run, family, monkeypatch):
    rows = {row["id"]: row for row in found(run("search", "a", "--why", "-k", "9", "--json"))}
    assert rows["child"]["shared"] == ["0.weight", "0.bias"]
    assert len(rows["permuted"]["shared"]) == 6
    assert rows["b"]["shared"] == []
    shown = run("search", "a", "--why", "--where", "id = 'child'", "--format", "table").out
    assert " shared" in shown
    assert "0.bias" not in shown


@pytest.mark.parametrize("query", ["a", "copy.safetensors"])
def test_a_tensor_finds_all_that_hold_it_exactly(run, family, query):
    Path("copy.safetensors").write_bytes(Path("models/a.safetensors").read_bytes())
    asked = ("search", query, "-k", "9", "--json")
    assert ids(run(*asked, "--tensor", "0.weight")) == ["a", "permuted", "child"]
    assert ids(run(*asked, "--tensor", "0.weight", "--tensor", "2.weight")) == ["a", "permuted"]
    assert ids(run(*asked, "--tensor", "0.weight", "--where", "id != 'a'")) == ["permuted", "child"]


def test_a_tensor_that_is_not_there_is_one_line_that_names_those_that_are(run, family):
    result = run("search", "a", "--tensor", "weight")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines() == [
        "error: a has no tensor 'weight' that tells networks apart",
        "hint: known are '0.weight', '0.bias', '2.weight', '2.bias', '4.weight', '4.bias'",
    ]


def test_a_query_without_the_tensor_is_a_failure_beside_the_others(run, embedded):
    checkpoint = open_checkpoint(Path("models/b.safetensors"))
    tensors = {name: ("F32", checkpoint.read(name)) for name in checkpoint.tensors if not name.startswith("4.")}
    write_safetensors(Path("headless.safetensors"), tensors, {})
    result = run("search", "headless.safetensors", "a", "--tensor", "4.weight", "--format", "csv")
    assert [line.split(",")[:3] for line in result.out.splitlines()[1:]] == [["a", "1", "a"]]
    assert (result.code, result.err.splitlines()[0]) == (
        6,
        "error: headless.safetensors has no tensor '4.weight' that tells networks apart",
    )


def test_tensors_that_are_not_known_are_told(run, embedded, monkeypatch):
    monkeypatch.setattr("wembed.store.table.EmbeddingTable.count", lambda table, where=None: 3)
    result = run("search", "a", "--tensor", "0.weight", "--json")
    assert result.err.startswith("warning: of 3 checkpoints, embedded by an earlier version, no tensors are known: ")


def test_why_of_a_file_that_is_in_no_zoo(run, family, write):
    Path("elsewhere.safetensors").write_bytes(Path("models/a.safetensors").read_bytes())
    (row,) = found(run("search", "elsewhere.safetensors", "--why", "-k", "1", "--json"))
    assert all(layer["identical"] for layer in row["layers"])


def test_why_gives_people_a_second_table_and_a_pipe_json(run, family, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = run("search", "a", "--why", "-k", "2", "--format", "table").out
    assert "layers" not in shown
    assert [line.split() for line in shown.splitlines() if "layer" in line] == [
        ["rank", "id", "layer", "kind", "similarity", "identical", "change"]
    ]
    header, row = (line.split("\t") for line in run("search", "a", "--why", "-k", "1").out.splitlines())
    assert header[-1] == "layers"
    assert json.loads(row[-1])[0]["identical"] is True


def test_what_is_gone_is_not_compared_with_a_warning(run, family):
    assert run("embed").code == 0
    Path("models/b.safetensors").unlink()
    result = run("search", "a", "--verify", "--where", "id IN ('a', 'b')", "--json")
    assert [row["verdict"] for row in found(result)] == ["same", None]
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: b is not compared: ")]
    assert len(warnings) == 1


def test_what_another_process_has_just_removed_is_not_compared(run, embedded, monkeypatch):
    rows = Zoo.rows
    monkeypatch.setattr(Zoo, "rows", lambda zoo: [row for row in rows(zoo) if row.id != "b"])
    result = run("search", "a", "--why", "--where", "id = 'b'", "--json")
    assert [row["layers"] for row in found(result)] == [None]
    assert "warning: b is not compared: b has left the zoo meanwhile\n" in result.err


@pytest.mark.slow
def test_why_shows_which_layers_of_a_real_network_were_retrained(run, real_checkpoints):
    assert run("zoo", "add", real_checkpoints / "ani").code == 0
    for number in range(4):
        where = f"id = 'ani-1x_{number}'"
        (row,) = found(run("search", f"ani-1ccx_{number}", "--why", "--verify", "--where", where, "--json"))
        assert row["verdict"] == "derived"
        for layer in row["layers"]:
            assert layer["identical"] == (layer["layer"].rpartition(".")[2] in ("0", "4"))
