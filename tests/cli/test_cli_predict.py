"""`wembed predict` on a zoo of trained networks."""

import dataclasses
import io
import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo, assign_splits
from wembed.checkpoint import open_checkpoint
from wembed.encoder import Stats, pretrained, save_encoder
from wembed.errors import WembedError
from wembed.evaluate.predicting import Teacher, predict


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_zoo(tmp_path_factory.mktemp("predicted") / "zoo", (Kind("wine", (8,), 30),)).root


@pytest.fixture
def zoo(made, folder) -> Zoo:
    """A zoo of 30 runs, in the working folder."""
    shutil.copytree(made, folder / "zoo")
    return Zoo.open(Path("zoo"))


def ids_of(zoo: Zoo, split: str) -> list[str]:
    splits = assign_splits(zoo.rows(), seed=0)
    return [row.id for row in zoo.rows() if splits[row.id] == split]


def test_predict_gives_accuracies_with_intervals(run, zoo):
    asked = ids_of(zoo, "test")[:3]
    result = run("predict", *asked, "--json")
    assert result.code == 0
    rows = json.loads(result.out)
    assert [row["id"] for row in rows] == asked
    assert any(row["in_domain"] for row in rows)
    for row in rows:
        assert row["target"] == "accuracy"
        assert not row["in_domain"] or 0 <= row["low"] <= row["value"] <= row["high"] <= 1
        assert row["in_domain"] == (row["value"] is not None)
        assert row["split"] == "test"
        assert isinstance(row["in_domain"], bool)


def test_columns_are_those_of_the_contract(run, zoo):
    head = run("predict", zoo.rows()[0].id).out.splitlines()[0].split("\t")
    assert head[:6] == ["id", "target", "value", "low", "high", "in_domain"]


def test_predictions_of_training_checkpoints_are_marked_as_no_evidence(run, zoo):
    asked = [ids_of(zoo, "train")[0], ids_of(zoo, "test")[0]]
    result = run("predict", *asked, "--format", "csv")
    assert [line.split(",")[6] for line in result.out.splitlines()[1:]] == ["train", "test"]
    assert "note: 1 of 2 are among the checkpoints that the predictor was fitted on, no evidence" in result.err


def test_a_shuffled_copy_of_a_training_checkpoint_is_marked_too(run, zoo):
    assert run("permute", ids_of(zoo, "train")[0], "-o", "copy.safetensors", "--rescale", "--seed", 4).code == 0
    (row,) = json.loads(run("predict", "copy.safetensors", "--json").out)
    assert (row["id"], row["split"]) == ("copy.safetensors", "train")


def test_a_strange_checkpoint_has_no_split(run, zoo, write):
    (row,) = json.loads(run("predict", write("strange.safetensors", 3), "--json").out)
    assert row["split"] is None


def test_a_missing_checkpoint_beside_others_exits_6(run, zoo):
    result = run("predict", zoo.rows()[0].id, "nowhere")
    assert result.code == 6
    assert len(result.out.splitlines()) == 2
    assert "error: nowhere: no such file, and no such id in the zoo at zoo" in result.err


def test_no_checkpoint_at_all_exits_as_its_failure(run, zoo):
    assert run("predict", "nowhere").code == 3
    assert run("predict", "nowhere", "neither").code == 3


def test_without_accuracies_there_is_nothing_to_predict_from(run, zoo):
    zoo.append([dataclasses.replace(row, accuracy=None) for row in zoo.rows()])
    result = run("predict", zoo.rows()[0].id)
    assert result.code == 3
    assert "no accuracy is known of the zoo's 60 checkpoints, nothing to predict from" in result.err
    assert "hint: `wembed zoo build`" in result.err


def test_too_few_runs_are_refused(run, zoo):
    zoo.append([dataclasses.replace(row, accuracy=None) for row in zoo.rows() if row.id not in ids_of(zoo, "test")])
    result = run("predict", zoo.rows()[0].id)
    assert result.code == 1
    assert "error: too few runs with known accuracies to predict from: found 0 independent training runs" in result.err


def test_without_a_zoo_it_says_so(run, folder):
    assert run("predict", "a.safetensors").code == 3


def test_of_another_structure_nothing_is_predicted(run, zoo, write):
    write("other.safetensors")
    result = run("predict", "other.safetensors", *ids_of(zoo, "train")[:1], "--zoo", zoo.root, "--json")
    other, own = json.loads(result.out)
    assert [other[name] for name in ("value", "low", "high", "in_domain")] == [None, None, None, False]
    assert own["value"] is not None
    assert "note: nothing for 1 of 2, unlike what the predictor was fitted on: other.safetensors\n" in result.err
    assert (
        run("predict", "other.safetensors", "--format", "csv")
        .out.splitlines()[1]
        .startswith("other.safetensors,accuracy,,,,false,")
    )


def test_a_level_makes_intervals_narrower(run, zoo):
    asked = ids_of(zoo, "test")
    wide, narrow = (json.loads(run("predict", *asked, "--level", level, "--json").out) for level in (0.9, 0.3))
    pairs = [(one, other) for one, other in zip(wide, narrow, strict=True) if one["in_domain"]]
    assert pairs
    assert all(one["high"] - one["low"] > other["high"] - other["low"] for one, other in pairs)


@pytest.mark.parametrize("level", ["0", "1", "1.5", "nan"])
def test_an_impossible_level_is_refused(run, zoo, level):
    result = run("predict", zoo.rows()[0].id, "--level", level)
    assert result.code == 2
    assert "expected a number between 0 and 1, such as 0.9" in result.err


def test_several_targets_are_a_row_each(run, zoo):
    asked = ids_of(zoo, "test")[:2]
    rows = json.loads(run("predict", *asked, "--target", "accuracy", "--target", "learning_rate", "--json").out)
    assert [row["target"] for row in rows] == ["accuracy", "learning_rate"] * 2
    assert [row["id"] for row in rows] == [asked[0], asked[0], asked[1], asked[1]]


def test_all_targets_are_those_that_the_zoo_varies(run, zoo):
    rows = json.loads(run("predict", zoo.rows()[0].id, "--target", "all", "--json").out)
    assert [row["target"] for row in rows] == ["accuracy", "label_noise", "learning_rate"]


def test_an_unknown_target_lists_those_that_there_are(run, zoo):
    result = run("predict", zoo.rows()[0].id, "--target", "colour")
    assert result.code == 2
    assert "error: no target 'colour', known are accuracy, label_noise, learning_rate, all" in result.err


def test_a_target_that_the_zoo_does_not_vary_is_refused(run, zoo):
    result = run("predict", zoo.rows()[0].id, "--target", "dataset")
    assert result.code == 3
    assert "nothing to predict dataset from: in this zoo it is always 'wine'" in result.err


def test_classes_have_a_probability_and_a_set(run, zoo):
    half = [dataclasses.replace(row, dataset="red" if row.step == 6 else "white") for row in zoo.rows()]
    zoo.append(half)
    rows = json.loads(run("predict", *ids_of(zoo, "test"), "--target", "dataset", "--json").out)
    told = [row for row in rows if row["in_domain"]]
    assert {row["value"] for row in told} <= {"red", "white"}
    assert all(row["value"] in row["set"] and 0.5 <= row["probability"] <= 1 for row in told)
    assert all(row["low"] is None and row["high"] is None for row in rows)


def test_a_second_call_fits_nothing_again(run, zoo, monkeypatch):
    asked = ids_of(zoo, "test")[:3]
    first = run("predict", *asked, "--json").out
    monkeypatch.setattr("wembed.prediction.kept.fit_target", lambda *_: pytest.fail("fitted again"))
    assert run("predict", *asked, "--json").out == first


def test_explain_names_the_layers_that_move_the_prediction(run, zoo):
    asked = ids_of(zoo, "train")[:4]
    rows = json.loads(run("predict", *asked, "--explain", "--json").out)
    told = [row for row in rows if row["in_domain"]]
    assert told
    for row in told:
        assert {found["layer"] for found in row["layers"]} == {"0", "2"}
        effects = [abs(found["effect"]) for found in row["layers"]]
        assert effects == sorted(effects, reverse=True)


def test_a_folder_is_all_of_its_checkpoints(run, zoo):
    (zoo.root / "some").mkdir()
    for name in ids_of(zoo, "test")[:3]:
        shutil.copy(zoo.root / "checkpoints" / f"{name}.safetensors", zoo.root / "some")
    assert len(run("predict", zoo.root / "some", "-q").out.splitlines()) == 3


def test_paths_can_come_on_standard_input(run, zoo, monkeypatch):
    asked = ids_of(zoo, "test")[:2]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(asked)))
    assert run("predict", "-", "-q").out.split() == asked


def test_python_tells_the_same(run, zoo):
    asked = ids_of(zoo, "test")[:3]
    rows = json.loads(run("predict", *asked, "--json").out)
    found = predict(asked, zoo)
    assert [(each.id, each.answer.value, each.split) for each in found] == [
        (row["id"], row["value"], row["split"]) for row in rows
    ]


def test_python_tells_the_layers_too(run, zoo):
    asked = ids_of(zoo, "test")[0]
    (found,) = predict([asked], zoo, explain=True)
    (told,) = json.loads(run("predict", asked, "--explain", "--json").out)
    assert [(each.layer, each.effect) for each in found.layers] == [(e["layer"], e["effect"]) for e in told["layers"]]
    assert found.layers


def test_python_refuses_a_device_that_is_not_there(zoo, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(WembedError, match="device cuda is not available"):
        predict(ids_of(zoo, "test")[:1], zoo, device="cuda")


def test_too_few_runs_to_calibrate_on_are_told(run, zoo):
    result = run("predict", ids_of(zoo, "test")[0], "--target", "accuracy")
    (told,) = [line for line in result.err.splitlines() if "calibration" in line]
    assert told.startswith("note: too few calibration runs for accuracy, found ")
    assert told.endswith(", 90 % needs 9: intervals and sets leave nothing out")
    assert "calibration" not in run("predict", ids_of(zoo, "test")[0], "--level", 0.3).err


def test_an_encoder_that_was_trained_on_validation_runs_is_refused(run, zoo):
    name = next(row.run for row in zoo.rows() if row.id in ids_of(zoo, "validation"))
    save_encoder(Stats(), zoo.root / "encoders" / "leaky", {"split_seed": 0, "runs": [name]})
    result = run("predict", zoo.rows()[0].id, "--encoder", "leaky")
    assert result.code == 1
    assert f"encoder leaky was trained on run {name}, which is a validation run here" in result.err


@pytest.mark.parametrize(("side", "is_refused"), [("validation", True), ("train", False)])
def test_the_packaged_encoder_is_refused_where_it_saw_validation_runs(zoo, monkeypatch, tmp_path, side, is_refused):
    content = next(row.content for row in zoo.rows() if row.id in ids_of(zoo, side))
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    save_encoder(Stats(), tmp_path, {"content": [content[:16]]})
    teacher = Teacher(zoo, "pretrained", Stats(), {row.id: np.zeros(Stats().dimension) for row in zoo.rows()})
    with pytest.raises(WembedError, match="packaged encoder was trained on") if is_refused else nullcontext():
        assert teacher.ground.rows


def test_columns_depend_on_the_targets_not_on_the_answers(run, zoo, write):
    zoo.append([dataclasses.replace(row, dataset="red" if row.step == 6 else "white") for row in zoo.rows()])
    (row,) = json.loads(run("predict", write("strange.safetensors", 3), "--target", "dataset", "--json").out)
    assert (row["value"], row["probability"], row["set"]) == (None, None, [])


def test_what_was_unwrapped_is_said_once(run, zoo):
    checkpoint = open_checkpoint(zoo.path_of(zoo.rows()[0]))
    state = {f"module.{name}": torch.from_numpy(checkpoint.read(name).copy()) for name in checkpoint.tensors}
    torch.save({"state_dict": state}, "wrapped.pth")
    result = run("predict", "wrapped.pth")
    assert result.code == 0
    said = [line for line in result.err.splitlines() if "stripped" in line]
    assert said == [f"note: wrapped.pth: prefix 'module.' stripped from {len(state)} names"]


def test_a_checkpoint_of_the_zoo_that_cannot_be_read_is_told_once(run, zoo):
    zoo.path_of(zoo.rows()[-1]).write_bytes(b"broken")
    result = run("predict", zoo.rows()[0].id)
    assert result.code == 0
    (told,) = [line for line in result.err.splitlines() if "passed over" in line]
    assert told.startswith("warning: 1 checkpoints of the zoo are passed over, first ")


def test_a_hyperparameter_that_no_float_holds_is_not_known(run, zoo):
    rows = zoo.rows()
    great = dataclasses.replace(rows[0], hyperparameters=rows[0].hyperparameters | {"learning_rate": 10**400})
    zoo.append([great])
    result = run("predict", ids_of(zoo, "test")[0], "--target", "learning_rate", "--json")
    assert result.code == 0
    (row,) = json.loads(result.out)
    assert row["target"] == "learning_rate"
