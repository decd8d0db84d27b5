"""Whole architectures held out: an evaluation tests on exactly those."""

import numpy as np
import pytest

from wembed.encoder import Stats, save_encoder
from wembed.encoder.base import unit_rows
from wembed.errors import NotFoundError, WembedError
from wembed.evaluate import evaluate, zoo_encoders
from wembed.evaluate.material import gather

HELD_OUT = "mlp-relu-6*"


def held_out(zoo, name: str, hold_out: str, runs: tuple[str, ...] = ()) -> None:
    save_encoder(Stats(), zoo.root / "encoders" / name, {"split_seed": 0, "runs": list(runs), "hold_out": hold_out})


@pytest.fixture
def copy(changed):
    """A part of the zoo that is soon evaluated: enough runs to predict from, few to merge."""
    most = {"mlp-relu-8": 24, "mlp-relu-6x6": 4}
    return changed(lambda row: row if row.dataset == "wine" and int(row.run[-3:]) < most[row.architecture] else None)


def test_it_tests_on_what_the_encoder_did_not_see(copy):
    held_out(copy, "known", HELD_OUT)
    found = evaluate(copy, zoo_encoders(copy, ["known"]))
    asked = {row.id for row in copy.rows() if row.architecture == "mlp-relu-6x6"}
    assert {point.id for point in found.predictions["stats"]} == asked
    assert found.facts["held-out architectures"] == HELD_OUT
    rows = [row for row in found.results if (row.task, row.metric, row.split) == ("prediction", "tau", "test")]
    assert {row.n for row in rows} == {len(asked)}


def test_an_encoder_of_one_shape_says_nothing_there(copy, material):
    class OneShape:
        name, id, dimension = "mlp", "mlp-1", 4
        structure = next(row.structure for row in material.rows if row.architecture == "mlp-relu-8")

        def embed(self, items):
            rows = [[item[0].read(name).sum() for name in item[1].tensors] for item in items]
            return unit_rows(np.array(rows, dtype=np.float64).reshape(len(items), 4))

    held_out(copy, "known", HELD_OUT)
    found = evaluate(copy, {**zoo_encoders(copy, ["known"]), "mlp": OneShape()})
    said = {row.value for row in found.results if row.encoder in ("mlp", "known-mlp")}
    assert said == {None}


def test_an_encoder_that_was_trained_on_what_is_held_out_is_refused(copy, material):
    run = next(row.run for row in material.rows if row.architecture == "mlp-relu-6x6")
    held_out(copy, "known", HELD_OUT, (run,))
    with pytest.raises(WembedError, match=f"encoder known was trained on run {run}, which is a test run here"):
        evaluate(copy, zoo_encoders(copy, ["known"]))


def test_encoders_that_were_not_trained_on_the_same_are_refused(copy):
    held_out(copy, "a", HELD_OUT)
    held_out(copy, "b", "")
    with pytest.raises(WembedError, match="different splits, b without single runs and a without mlp-relu-6"):
        evaluate(copy, zoo_encoders(copy))


def test_a_zoo_without_the_architectures_is_refused(copy):
    with pytest.raises(NotFoundError, match="no architecture of the zoo matches 'vit") as found:
        gather(copy, 0, "vit-*")
    assert found.value.hint == "known are mlp-relu-6x6, mlp-relu-8"


def test_the_hash_says_what_is_measured_on(material, copy):
    hashes = [gather(copy, *split).hash for split in ((0,), (0,), (1,), (0, HELD_OUT))]
    assert hashes[0] == hashes[1]
    assert len({material.hash, *hashes}) == 4
