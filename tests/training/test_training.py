import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from wembed.catalog import assign_splits
from wembed.encoder import load_encoder, training_of
from wembed.encoder.gnn import Gnn
from wembed.errors import CheckpointRefusedError, NotFoundError, WembedError
from wembed.training import LOG, STATE, TrainOptions, epochs_before, select_data, train, trained_before
from wembed.training.steps import Step
from wembed.zoo import open_items

SMALL = {"hidden_dim": 8, "global_dim": 16, "message_passing_steps": 1, "batch_size": 16, "num_epochs": 6, "views": 2}


def trained(zoo, folder, report=lambda epoch: None, **changes):
    options = TrainOptions(**(SMALL | changes))
    return train(select_data(zoo.rows(), options), lambda rows: open_items(zoo, rows), options, folder, report=report)


def without_times(history):
    return [replace(epoch, seconds=0.0, networks_per_second=0.0) for epoch in history]


@pytest.fixture(scope="module")
def gnn(zoo, tmp_path_factory):
    return trained(zoo, tmp_path_factory.mktemp("gnn") / "gnn", num_epochs=12)


def test_training_learns(gnn):
    first, best = gnn.history[0], min(gnn.history, key=lambda epoch: epoch.validation_loss)
    assert best.validation_loss < first.validation_loss
    assert best.best
    assert gnn.history[-1].contrastive < first.contrastive
    assert gnn.history[-1].accuracy < first.accuracy


def test_the_log_has_a_line_per_epoch_and_the_folder_says_what_it_was_trained_on(gnn):
    lines = [json.loads(line) for line in (gnn.folder / "log.jsonl").read_text().splitlines()]
    assert lines == [vars(epoch) for epoch in gnn.history]
    told = training_of(gnn.folder)
    assert told["split_seed"] == 0
    assert told["runs"] == gnn.data.runs(gnn.data.train)
    assert not set(told["runs"]) & set(told["validation_runs"])


def test_no_test_run_and_no_sealed_run_is_ever_read(zoo, tmp_path):
    opened = []

    def open_and_note(rows):
        opened.extend(rows)
        return open_items(zoo, rows)

    options = TrainOptions(**(SMALL | {"num_epochs": 1}))
    train(select_data(zoo.rows(), options), open_and_note, options, tmp_path / "gnn")
    splits = assign_splits(zoo.rows(), options.seed)
    assert {splits[row.id] for row in opened} == {"train", "validation"}


def test_the_encoder_comes_back_from_its_folder(gnn, zoo):
    items = open_items(zoo, zoo.rows()[:6])
    loaded = load_encoder("gnn", gnn.folder)
    assert loaded.id == gnn.encoder.id
    vectors = loaded.embed(items)
    assert np.array_equal(vectors, gnn.encoder.embed(items))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_one_seed_gives_one_encoder_and_one_history_and_another_seed_another(zoo, tmp_path):
    done = [trained(zoo, tmp_path / str(n), num_epochs=2, seed=seed) for n, seed in enumerate((1, 1, 2))]
    assert done[0].encoder.id == done[1].encoder.id != done[2].encoder.id
    assert without_times(done[0].history) == without_times(done[1].history)


@pytest.mark.parametrize("objective", ["kinship", "accuracy"])
def test_one_objective_alone_is_what_the_best_epoch_is_chosen_by(objective, zoo, tmp_path):
    (epoch,) = trained(zoo, tmp_path / "gnn", num_epochs=1, objective=objective).history
    assert (epoch.contrastive is None) == (epoch.validation_contrastive is None) == (objective == "accuracy")
    assert (epoch.accuracy is None) == (epoch.validation_accuracy is None) == (objective == "kinship")
    part = epoch.validation_contrastive if objective == "kinship" else 10.0 * epoch.validation_accuracy
    assert epoch.validation_loss == part


def test_accuracies_that_nobody_knows_are_not_learned(zoo, tmp_path):
    rows = [replace(row, accuracy=None) for row in zoo.rows()]
    options = TrainOptions(**(SMALL | {"objective": "accuracy"}))
    with pytest.raises(NotFoundError, match="of no training run the accuracy is known"):
        train(select_data(rows, options), lambda rows: open_items(zoo, rows), options, tmp_path)
    options = TrainOptions(**(SMALL | {"num_epochs": 1}))
    (epoch,) = train(select_data(rows, options), lambda rows: open_items(zoo, rows), options, tmp_path).history
    assert epoch.accuracy is None


class StoppedError(Exception):
    """What stops a training."""


def stop_after(number):
    def report(epoch):
        if epoch.epoch == number:
            raise StoppedError

    return report


@pytest.mark.parametrize("model_type", ["gnn", "pca-mlp"])
def test_a_training_that_was_stopped_goes_on_as_if_nothing_had_happened(model_type, zoo, tmp_path):
    options = {"model_type": model_type, "num_epochs": 4}
    whole = trained(zoo, tmp_path / "whole" / "gnn", **options)
    folder = tmp_path / "stopped" / "gnn"
    for number in (1, 3):
        with pytest.raises(StoppedError):
            trained(zoo, folder, report=stop_after(number), **options)
        chosen = TrainOptions(**(SMALL | options))
        assert epochs_before(folder, select_data(zoo.rows(), chosen), chosen) == number
    done = trained(zoo, folder, **options)
    assert done.encoder.id == whole.encoder.id
    assert without_times(done.history) == without_times(whole.history)
    assert len((folder / LOG).read_text().splitlines()) == 4
    assert not (folder / STATE).exists()


def test_other_options_do_not_go_on_where_these_were_stopped(zoo, tmp_path):
    with pytest.raises(StoppedError):
        trained(zoo, tmp_path / "gnn", report=stop_after(2))
    for changes in ({"learning_rate": 1e-3}, {"seed": 1}):
        options = TrainOptions(**(SMALL | changes))
        assert epochs_before(tmp_path / "gnn", select_data(zoo.rows(), options), options) == 0


@pytest.mark.parametrize("contents", [b"", b"no state", b"PK\x03\x04"])
def test_a_state_that_is_none_is_not_gone_on_from(contents, zoo, tmp_path):
    (tmp_path / STATE).write_bytes(contents)
    options = TrainOptions(**SMALL)
    assert epochs_before(tmp_path, select_data(zoo.rows(), options), options) == 0


def test_the_log_stays_until_there_is_something_to_say(zoo, tmp_path):
    (tmp_path / LOG).write_text("of an earlier training\n")
    with pytest.raises(WembedError):
        trained(zoo, tmp_path, learning_rate=1e30)
    assert (tmp_path / LOG).read_text() == "of an earlier training\n"


def test_what_is_trained_already_is_not_trained_again(gnn, zoo):
    options = TrainOptions(**(SMALL | {"num_epochs": 12}))
    data = select_data(zoo.rows(), options)
    assert trained_before(gnn.folder, data, options).id == gnn.encoder.id
    again = train(data, lambda rows: pytest.fail("nothing is to be read"), options, gnn.folder)
    assert not again.is_new
    assert again.history
    assert again.encoder.id == gnn.encoder.id
    assert not trained_before(gnn.folder, data, TrainOptions(**SMALL))
    assert not trained_before(gnn.folder, select_data(zoo.rows()[:-4], options), TrainOptions(**(SMALL | {"seed": 5})))


def test_training_stops_when_nothing_gets_better(zoo, tmp_path):
    done = trained(zoo, tmp_path / "gnn", num_epochs=50, patience=2, learning_rate=0.05)
    last_best = max(epoch.epoch for epoch in done.history if epoch.best)
    assert len(done.history) < 50
    assert len(done.history) == last_best + 2


def test_the_weights_are_those_of_the_best_epoch(zoo, tmp_path):
    short = trained(zoo, tmp_path / "a", num_epochs=30, patience=3, learning_rate=0.05)
    last_best = max(epoch.epoch for epoch in short.history if epoch.best)
    assert last_best < len(short.history)
    kept = short.encoder.module.state_dict()
    seen = {}

    def note(epoch):
        seen[epoch.epoch] = epoch.validation_loss

    options = TrainOptions(**(SMALL | {"num_epochs": 30, "patience": 3, "learning_rate": 0.05}))
    train(select_data(zoo.rows(), options), lambda rows: open_items(zoo, rows), options, tmp_path / "b", report=note)
    assert seen[last_best] == min(seen.values())
    assert all(torch.isfinite(value).all() for value in kept.values())


@pytest.mark.parametrize("model_type", ["mlp", "pca-mlp"])
def test_flat_encoders_know_the_commonest_structure_only(model_type, zoo, tmp_path):
    done = trained(zoo, tmp_path / model_type, model_type=model_type)
    assert done.encoder.name == model_type
    rows = zoo.rows()
    known = [row for row in rows if row.structure == done.data.structure]
    assert {(row.dataset, row.architecture) for row in known} == {("wine", "mlp-relu-8")}
    loaded = load_encoder(model_type, done.folder)
    assert loaded.embed(open_items(zoo, known[:3])).shape == (3, 16)
    other = next(row for row in rows if row.structure != done.data.structure)
    with pytest.raises(CheckpointRefusedError, match=f"the {model_type} encoder knows {done.data.structure} only"):
        loaded.embed(open_items(zoo, [other]))


def test_too_few_runs_are_refused(zoo):
    with pytest.raises(NotFoundError, match=r"^\d training runs in the zoo, at least 4 are needed$"):
        select_data(zoo.rows()[:6], TrainOptions())


def test_a_training_without_one_good_epoch_is_refused(zoo, tmp_path):
    with pytest.raises(WembedError, match=r"^training stopped in epoch 1: the .* is (nan|inf)$"):
        trained(zoo, tmp_path / "gnn", learning_rate=1e30)
    assert not (tmp_path / "gnn" / "config.json").exists()


def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(zoo, tmp_path, monkeypatch):
    whole = trained(zoo, tmp_path / "whole")
    loss = Step.loss

    def broken(step, found, pool, temperature):
        value = loss(step, found, pool, temperature)
        return value * torch.nan if len(seen) == 2 and step.objective == "accuracy" else value

    seen = []
    monkeypatch.setattr(Step, "loss", broken)
    done = trained(zoo, tmp_path / "gnn", report=seen.append)
    assert re.fullmatch(
        r"training stopped in epoch 3: the accuracy loss is nan; the weights of epoch [12] are kept", done.stopped
    )
    assert without_times(done.history) == without_times(whole.history[:2])
    assert load_encoder("gnn", tmp_path / "gnn").id == done.encoder.id


def test_a_gradient_that_is_not_finite_is_said(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *given: torch.tensor(torch.inf))
    with pytest.raises(WembedError, match="epoch 1: the gradient of the contrastive loss is inf"):
        trained(zoo, tmp_path / "gnn")


def test_a_training_of_one_step_moves_the_weights(zoo, tmp_path):
    done = trained(zoo, tmp_path / "gnn", num_epochs=1, batch_size=4096, objective="kinship")
    assert done.history[0].learning_rate > 0
    before = Gnn(done.encoder.config).module.state_dict()
    after = done.encoder.module.state_dict()
    assert not torch.equal(before["alike.weight"], after["alike.weight"])


def test_kinship_alone_has_no_probes(zoo, tmp_path):
    done = trained(zoo, tmp_path / "gnn", num_epochs=1, objective="kinship")
    assert done.encoder.config.probes == 0
