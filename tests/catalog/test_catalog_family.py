import pytest

from wembed.catalog import CatalogRow, Zoo, families, find_family, find_row


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    return Zoo.create(tmp_path / "zoo")


def row(name: str, **values) -> CatalogRow:
    return CatalogRow(id=name, path=f"/{name}.pt", **values)


def drawn(zoo: Zoo, name: str) -> str:
    """A family's tree in one line."""

    def words(branch) -> str:
        inner = ", ".join(map(words, branch.branches))
        own = branch.name if branch.kind == "checkpoint" else f"{branch.kind} {branch.name}".strip()
        gone = "?" if branch.kind == "checkpoint" and branch.row is None else ""
        return f"{own}{gone} ({inner})" if inner else f"{own}{gone}"

    return words(find_family(zoo, find_row(zoo, name)).root)


def test_snapshots_stand_under_their_run_in_the_order_of_their_steps(zoo):
    zoo.append([row("a9", run="a", step=9), row("a1", run="a", step=1), row("kid", parent="a9"), row("b", run="b")])
    assert drawn(zoo, "kid") == "run a (a1, a9 (kid))"
    assert drawn(zoo, "b") == "b"


def test_runs_from_the_same_weights_stand_under_these(zoo):
    zoo.append(
        [
            row("a1", run="a", step=1, init_id="w"),
            row("a2", run="a", step=2, init_id="w"),
            row("twin", run="t", step=2, init_id="w"),
            row("other", run="o", init_id="v"),
        ]
    )
    assert drawn(zoo, "twin") == drawn(zoo, "a1") == "init w (run a (a1, a2), twin)"
    assert drawn(zoo, "other") == "other"


def test_a_merge_joins_the_families_of_both(zoo):
    zoo.append([row("a"), row("b"), row("m", parent="a", other_parent="b")])
    assert drawn(zoo, "b") == "family (a (m), b)"
    assert find_family(zoo, find_row(zoo, "b")).children == ("m",)
    assert [[one.id for one in family] for family in families(zoo.rows())] == [["a", "b", "m"]]


def test_a_parent_that_is_gone_keeps_its_place(zoo):
    zoo.append([row("a", parent="gone"), row("b", parent="gone"), row("c", parent="b")])
    assert drawn(zoo, "a") == "gone? (a, b (c))"


def test_circles_are_cut_open(zoo):
    zoo.append([row("a", parent="c"), row("b", parent="a"), row("c", parent="b"), row("d", parent="b")])
    assert drawn(zoo, "c") == "a (b (c, d))"
    assert find_family(zoo, find_row(zoo, "c")).ancestors == ("b", "a")


def test_a_long_line_of_descent_is_no_trouble(zoo):
    zoo.append([row("0"), *(row(f"{number + 1}", parent=f"{number}") for number in range(3000))])
    assert len(list(find_family(zoo, find_row(zoo, "2000")).root.rows())) == 3001
