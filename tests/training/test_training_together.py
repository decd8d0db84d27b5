"""Two processes on the CPU do what one does."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from together import KILLED_AFTER, Task, networks_run, refused, train_and_be_killed, train_each

from wembed.catalog import assign_splits
from wembed.errors import WembedError
from wembed.training import TrainOptions, epochs_before, select_data, train
from wembed.training.descent import Descent
from wembed.training.distributed.launch import SaidError, launch
from wembed.zoo import open_items

SMALL = TrainOptions(
    hidden_dim=8, global_dim=16, message_passing_steps=1, batch_size=4, num_epochs=9, views=2, patience=50
)
STEPS = 50
MOST = 0.6  # of the networks that one process runs
TIMES = ("seconds", "networks_per_second")


def alone(zoo, folder, options):
    return train(select_data(zoo.rows(), options), lambda rows: open_items(zoo, rows), options, folder)


def largest_difference(first, second):
    """Between two histories, relative to what stands in the first."""
    assert [epoch["best"] for epoch in first] == [epoch["best"] for epoch in second]
    pairs = [
        (value, other[name])
        for one, other in zip(first, second, strict=True)
        for name, value in one.items()
        if isinstance(value, float) and name not in TIMES
    ]
    return max(abs(value - other) / abs(value) for value, other in pairs)


def noted(folder, name):
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture(scope="module")
def ended(zoo, tmp_path_factory):
    """A folder in which two processes have trained a gnn, and begun another when one was killed; how that ended."""
    folder = tmp_path_factory.mktemp("together")
    with pytest.raises(WembedError) as error:
        launch(2, train_and_be_killed, Task(zoo.root, folder, {"gnn": SMALL}))
    return folder, error.value


@pytest.fixture(scope="module")
def both(ended):
    """The folder."""
    return ended[0]


@pytest.fixture(scope="module")
def one(zoo, tmp_path_factory):
    """The epochs of one process, the number of its steps, and that of the networks it runs."""
    steps, step = [], Descent.step
    with pytest.MonkeyPatch.context() as patch, networks_run() as run:
        patch.setattr(Descent, "step", lambda *given: steps.append(1) or step(*given))
        done = alone(zoo, tmp_path_factory.mktemp("alone") / "gnn", SMALL)
    return [vars(epoch) for epoch in done.history], len(steps), sum(run)


def test_two_processes_have_the_loss_curve_of_one(both, one, record_property):
    history, steps, _ = one
    first, second = noted(both, "gnn")
    difference = largest_difference(history, first["history"])
    record_property("relative difference of two processes' losses", difference)
    assert steps >= STEPS
    assert difference < 1e-4
    assert largest_difference(first["history"], second["history"]) == 0.0


def test_the_work_of_two_processes_is_shared(both, one):
    runs = [told["run"] for told in noted(both, "gnn")]
    assert sum(runs) >= one[2]
    assert max(runs) <= MOST * one[2]


def test_the_parameters_of_two_processes_stay_the_same(both):
    first, second = (torch.load(both / f"gnn-{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert noted(both, "gnn")[0]["id"] == noted(both, "gnn")[1]["id"]


def test_each_network_is_read_by_one_process_and_no_test_network_by_any(both, zoo):
    first, second = (set(told["read"]) for told in noted(both, "gnn"))
    splits = assign_splits(zoo.rows(), SMALL.seed)
    assert not first & second
    assert first | second == {row.id for row in zoo.rows() if splits[row.id] in ("train", "validation")}
    assert abs(len(first) - len(second)) <= 4


def test_only_the_first_process_writes(both):
    assert {path.name for path in (both / "gnn").iterdir()} == {"config.json", "model.safetensors", "log.jsonl"}


def test_a_killed_process_ends_the_training_in_one_line(ended):
    error = ended[1]
    assert error.message == "process 1 of 2 was killed by SIGKILL, so the training has ended"
    assert error.hint.startswith("the same command goes on from the last whole epoch")
    assert error.exit_code == 1


def test_what_a_killed_process_leaves_goes_on_in_one_process_with_the_same_curve(both, one, zoo):
    folder = both / "killed"
    assert epochs_before(folder, select_data(zoo.rows(), SMALL), SMALL) == KILLED_AFTER
    rest = alone(zoo, folder, SMALL)
    assert largest_difference(one[0], [vars(epoch) for epoch in rest.history]) < 1e-4


@pytest.mark.slow  # each starts two processes
def test_one_process_alone_says_an_error_that_all_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SaidError) as error:
        launch(2, refused, 4)
    assert error.value.exit_code == 4
    assert sorted((tmp_path / f"said-{rank}").read_text() for rank in range(2)) == ["False", "True"]


@pytest.mark.slow  # minutes, where others work on the machine
def test_every_kind_of_encoder_has_the_curve_of_one_process(zoo, tmp_path, record_property):
    kinds = {
        "gnn": replace(SMALL, hidden_dim=32, global_dim=128, batch_size=64, views=4, num_epochs=25),
        "accumulated": replace(SMALL, accumulate=3, num_epochs=8),
        "kinship": replace(SMALL, objective="kinship", num_epochs=8),
        "accuracy": replace(SMALL, objective="accuracy", num_epochs=8),
        "mlp": replace(SMALL, model_type="mlp", num_epochs=8),
        "pca-mlp": replace(SMALL, model_type="pca-mlp", num_epochs=8),
        "pna": replace(SMALL, model_type="pna", num_epochs=8),
    }
    launch(2, train_each, Task(zoo.root, tmp_path, kinds))
    for name, options in kinds.items():
        one = alone(zoo, tmp_path / "alone" / name, replace(options, accumulate=1))
        difference = largest_difference([vars(epoch) for epoch in one.history], noted(tmp_path, name)[0]["history"])
        record_property(f"relative difference of two processes' losses, {name}", difference)
        assert difference < 1e-4


@pytest.mark.slow  # as long as the machine is busy
def test_throughput_of_two_processes_is_measured(zoo, tmp_path, record_property):
    options = replace(SMALL, hidden_dim=32, global_dim=128, batch_size=64, views=4, num_epochs=40)
    with networks_run() as run:
        history = alone(zoo, tmp_path / "alone", options).history
    launch(2, train_each, Task(zoo.root, tmp_path, {"gnn": options}))
    together = noted(tmp_path, "gnn")
    record_property("networks per second of one process", np.median([epoch.networks_per_second for epoch in history]))
    paces = [epoch["networks_per_second"] for epoch in together[0]["history"]]
    record_property("networks per second of two processes, of both", np.median(paces))
    assert max(told["run"] for told in together) <= MOST * sum(run)
