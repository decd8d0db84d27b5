import subprocess
import sys

import numpy as np
import pytest
import torch

from wembed.catalog import Zoo, load_metadata
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.symmetry import declare_spec, load_spec, save_spec, spec_metadata
from wembed.zoo import AddOptions, add

ADD = """
import sys
from pathlib import Path
from wembed.catalog import Zoo
from wembed.zoo import add
add(Zoo(Path(sys.argv[1])), [Path(sys.argv[2])])
"""


def declared(path):
    shapes = {name: info.shape for name, info in open_checkpoint(path).tensors.items()}
    return declare_spec(shapes, [["0", "relu", "2", "relu", "4"]])


def test_a_file_stays_where_it_is_and_gets_a_row(zoo, write, tmp_path):
    path = write(tmp_path / "a.safetensors")
    (added,) = add(zoo, [tmp_path]).files
    (row,) = zoo.rows()
    checkpoint = open_checkpoint(path)
    assert (added.status, added.row, added.free) == ("taken", row, True)
    assert (row.id, row.path, row.params, row.bytes) == ("a", str(path), checkpoint.parameters, path.stat().st_size)
    assert (row.sha256, row.content) == (checkpoint.file_hash(), checkpoint.content_hash())
    assert (row.tier, row.architecture) == ("inferred", "mlp")
    assert row.added.endswith("+00:00")


def test_adding_again_changes_nothing(zoo, write, tmp_path):
    write(tmp_path / "a.safetensors")
    add(zoo, [tmp_path])
    before = (zoo.root / "catalog.jsonl").read_bytes()
    assert [file.status for file in add(zoo, [tmp_path]).files] == ["unchanged"]
    assert (zoo.root / "catalog.jsonl").read_bytes() == before


def test_changed_bytes_update_the_row_under_its_id(zoo, write, tmp_path):
    path = write(tmp_path / "a.safetensors")
    first = add(zoo, [path]).files[0].row
    write(path, seed=1)
    (added,) = add(zoo, [path]).files
    assert added.status == "taken"
    assert [row.id for row in zoo.rows()] == ["a"]
    assert zoo.rows()[0].content != first.content
    assert zoo.rows()[0].added == first.added


def test_counts_say_files_structures_and_what_has_no_spec(zoo, write, tmp_path):
    write(tmp_path / "a.safetensors")
    write(tmp_path / "b.safetensors", seed=1)
    write(tmp_path / "c.safetensors", hidden=9)
    write_safetensors(tmp_path / "lone.safetensors", {"w": ("F32", np.ones((3, 2), np.float32))}, {})
    result = add(zoo, [tmp_path])
    assert (len(result.kept), result.structures, result.without_spec) == (4, 3, 1)


def test_a_broken_file_is_refused_beside_the_others(zoo, write, tmp_path):
    write(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"short")
    nan = {"w": ("F32", np.full(3, np.nan, np.float32))}
    write_safetensors(tmp_path / "c.safetensors", nan, {})
    files = {file.path.name: file for file in add(zoo, [tmp_path]).files}
    assert [file.status for file in files.values()] == ["taken", "refused", "refused"]
    assert isinstance(files["c.safetensors"].error, CheckpointRefusedError)
    assert "finite" in files["c.safetensors"].notes[0]
    assert [row.id for row in zoo.rows()] == ["a"]


def test_a_missing_path_is_refused_and_makes_no_zoo(tmp_path):
    (added,) = add(Zoo(tmp_path / "new"), [tmp_path / "none.pt"]).files
    assert isinstance(added.error, NotFoundError)
    assert not (tmp_path / "new").exists()


def test_a_folder_without_checkpoints_is_not_found(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotFoundError, match=r"no checkpoints in .*folder"):
        add(Zoo(tmp_path / "new"), [tmp_path / "folder"])
    assert not (tmp_path / "new").exists()


def test_what_the_zoo_made_itself_is_not_taken_in(zoo, write, tmp_path):
    write(zoo.root / "encoders" / "mine" / "model.safetensors")
    write(zoo.root / "checkpoints" / "own.safetensors")
    add(zoo, [tmp_path])
    assert [row.path for row in zoo.rows()] == ["checkpoints/own.safetensors"]


def test_copies_are_the_zoos_own_and_known_again(zoo, write, tmp_path):
    paths = [write(tmp_path / folder / "m.safetensors", seed) for seed, folder in enumerate("ab")]
    add(zoo, paths, AddOptions(copy=True))
    rows = zoo.rows()
    assert [row.path for row in rows] == ["checkpoints/m.safetensors", "checkpoints/b/m.safetensors"]
    assert [zoo.path_of(row).read_bytes() for row in rows] == [path.read_bytes() for path in paths]
    assert [row.source for row in rows] == [str(path) for path in paths]
    assert [file.status for file in add(zoo, paths, AddOptions(copy=True)).files] == ["unchanged", "unchanged"]
    assert not list(zoo.root.rglob("*.partial"))


def test_a_folder_with_a_config_is_copied_whole(zoo, write, tmp_path):
    folder = write(tmp_path / "bert" / "model.safetensors").parent
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (added,) = add(zoo, [folder], AddOptions(copy=True)).files
    assert added.row.architecture == "bert"
    assert open_checkpoint(zoo.root / "checkpoints" / "bert").content_hash() == added.row.content


def test_what_the_file_says_fills_its_row_and_people_know_better(zoo, write, tmp_path):
    said = {"license": "MIT", "accuracy": "0.9", "step": "many", "architecture": "net", "dataset": "d", "seed": "7"}
    path = write(tmp_path / "a.safetensors", metadata=said)
    (tmp_path / "rows.csv").write_text("path,dataset,hyperparameters.lr\na.safetensors,mnist,0.1\nb.pt,x,1\n")
    result = add(zoo, [path], AddOptions(load_metadata(tmp_path / "rows.csv")))
    (row,) = zoo.rows()
    assert (row.licence, row.accuracy, row.step, row.architecture, row.seed) == ("MIT", 0.9, None, "net", 7)
    assert (row.dataset, row.hyperparameters) == ("mnist", {"lr": 0.1})
    assert result.unmatched == [str(tmp_path / "b.pt")]


@pytest.mark.parametrize(("percent", "accuracy"), [(91.78, 0.9178), (-1.0, None), (float("nan"), None)])
def test_the_accuracy_beside_a_pickle_is_a_percentage(zoo, tmp_path, percent, accuracy):
    torch.save({"state_dict": {"w": torch.ones(2, 2)}, "best_prec1": percent}, tmp_path / "a.th")
    row = add(zoo, [tmp_path / "a.th"]).files[0].row
    assert row.accuracy == (pytest.approx(accuracy) if accuracy else None)


def test_a_given_spec_serves_every_file_of_its_structure(zoo, write, tmp_path):
    early = write(tmp_path / "early.safetensors", seed=1)
    add(zoo, [early])
    path = write(tmp_path / "a.safetensors")
    other = write(tmp_path / "other.safetensors", hidden=9)
    save_spec(declared(path), tmp_path / "spec.json")
    result = add(zoo, [path, other], AddOptions(spec=load_spec(tmp_path / "spec.json")))
    rows = {row.id: row for row in zoo.rows()}
    assert [file.status for file in result.files] == ["taken", "taken"]
    assert rows["early"].spec == rows["a"].spec == declared(path).hash
    assert [rows[name].tier for name in ("early", "a", "other")] == ["given", "given", "inferred"]
    late = add(zoo, [write(tmp_path / "late.safetensors", seed=3)]).files[0].row
    assert late.spec == rows["a"].spec


def test_a_files_own_spec_outranks_the_zoos(zoo, write, tmp_path):
    path = write(tmp_path / "plain.safetensors")
    own = declare_spec(
        {name: info.shape for name, info in open_checkpoint(path).tensors.items()}, [["0", "tanh", "2", "tanh", "4"]]
    )
    carrying = write(tmp_path / "carrying.safetensors", seed=1, metadata=spec_metadata(own))
    add(zoo, [carrying])
    add(zoo, [path], AddOptions(spec=declared(path)))
    assert {row.id: row.spec for row in zoo.rows()} == {"carrying": own.hash, "plain": declared(path).hash}


def test_a_spec_that_fits_nothing_is_a_wrong_call(zoo, write, tmp_path):
    spec = declared(write(tmp_path / "a.safetensors"))
    other = write(tmp_path / "b.safetensors", hidden=9)
    with pytest.raises(UsageError, match="the given spec fits none of 1 files"):
        add(zoo, [other], AddOptions(spec=spec))


def test_processes_that_add_the_same_names_at_once_give_each_its_own_id(zoo, write, tmp_path):
    for seed, folder in enumerate("ab"):
        for name in ("x", "y"):
            write(tmp_path / folder / f"{name}.safetensors", seed)
    commands = [[sys.executable, "-c", ADD, str(zoo.root), str(tmp_path / folder)] for folder in "ab"]
    running = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in running] == [0, 0]
    assert len({row.path for row in zoo.rows()}) == len({row.id for row in zoo.rows()}) == 4


def test_progress_is_told_after_every_file(zoo, write, tmp_path):
    paths = [write(tmp_path / f"{number}.safetensors", number) for number in range(3)]
    told = []
    add(zoo, paths, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
