import json

import numpy as np
import pytest
import torch

from wembed.catalog import assign_splits
from wembed.encoder import load_encoder, training_of
from wembed.errors import CheckpointRefusedError, NotFoundError, WembedError
from wembed.training import TrainOptions, select_data, train, trained_before
from wembed.zoo import open_items

SMALL = {"hidden_dim": 8, "global_dim": 16, "message_passing_steps": 1, "batch_size": 16, "num_epochs": 6, "views": 2}


def trained(zoo, folder, **changes):
    options = TrainOptions(**(SMALL | changes))
    return train(select_data(zoo.rows(), options), lambda rows: open_items(zoo, rows), options, folder)


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


def test_one_seed_gives_one_encoder_and_another_seed_another(zoo, tmp_path):
    ids = [trained(zoo, tmp_path / str(n), num_epochs=2, seed=seed).encoder.id for n, seed in enumerate((1, 1, 2))]
    assert ids[0] == ids[1] != ids[2]


def test_what_is_trained_already_is_not_trained_again(gnn, zoo):
    options = TrainOptions(**(SMALL | {"num_epochs": 12}))
    data = select_data(zoo.rows(), options)
    assert trained_before(gnn.folder, data, options).id == gnn.encoder.id
    again = train(data, lambda rows: pytest.fail("nothing is to be read"), options, gnn.folder)
    assert not again.history
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


def test_divergence_is_said(zoo, tmp_path):
    with pytest.raises(WembedError, match="training diverged in its first epoch"):
        trained(zoo, tmp_path / "gnn", learning_rate=1e30)
    assert not (tmp_path / "gnn" / "config.json").exists()
