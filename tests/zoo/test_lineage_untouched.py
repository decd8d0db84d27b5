from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from wembed.catalog import Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.zoo import AddOptions, add
from wembed.zoo.duplicates import zoo_vectors
from wembed.zoo.lineage import Descent, find_lineage
from wembed.zoo.lineage.sketch import Sketch, sketch
from wembed.zoo.lineage.untouched import Untouched, untouched

Tensors = Mapping[str, np.ndarray]
DARK = 6  # inputs that are always zero, of 16


def network(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {"0.weight": (24, 16), "0.bias": (24,), "2.weight": (5, 24), "2.bias": (5,)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def trained(tensors: Tensors, size: float, seed: int, decay: float) -> dict[str, np.ndarray]:
    """Every weight moves but those of dark inputs, which only decay."""
    random = np.random.default_rng(seed)
    moved = {name: values + size * random.standard_normal(values.shape) for name, values in tensors.items()}
    moved["0.weight"][:, :DARK] = (1 - decay) * tensors["0.weight"][:, :DARK]
    return {name: values.astype(np.float32) for name, values in moved.items()}


def noisy(tensors: Tensors, size: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        name: (values + size * random.standard_normal(values.shape)).astype(np.float32) if values.ndim > 1 else values
        for name, values in tensors.items()
    }


def write(path: Path, tensors: Tensors) -> Path:
    write_safetensors(path, {name: ("F32", values) for name, values in tensors.items()}, {})
    return path


@pytest.fixture
def sketched(tmp_path):
    def of(tensors: Tensors) -> Sketch:
        return sketch(open_checkpoint(write(tmp_path / "one.safetensors", tensors)))

    return of


@pytest.fixture
def found(zoo: Zoo, tmp_path):
    """The lineage of networks by name, with strangers beside them."""

    def find(**networks: Tensors) -> dict[str, Descent]:
        everything = networks | {f"stranger{seed}": network(100 + seed) for seed in range(4)}
        add(zoo, [write(tmp_path / f"{name}.safetensors", own) for name, own in everything.items()], AddOptions())
        vectors = zoo_vectors(zoo, "fingerprint", None).by_id
        descents = find_lineage(zoo, zoo.rows(), vectors, np.random.default_rng(0)).descents
        return {own.row.id: own for own in descents}

    return find


def test_strangers_have_no_untouched_weights(sketched):
    assert untouched(sketched(network(0)), sketched(network(1))) == Untouched()


def test_untouched_weights_are_counted_and_their_decay_is_seen(sketched):
    parent = network(0)
    common = untouched(sketched(parent), sketched(trained(parent, 0.3, 1, decay=1e-4)))
    assert common == Untouched(24 * DARK, are_weights=True, decayed=1)
    assert common.turned().decayed == -1


def test_biases_that_an_edit_left_alone_are_untouched_and_no_weights(sketched):
    parent = network(0)
    common = untouched(sketched(parent), sketched(noisy(parent, 0.1, 1)))
    assert (common.count, common.are_weights, common.decayed) == (24 + 5, False, 0)


def test_what_is_constant_or_was_set_is_no_evidence(sketched):
    alike = {"norm": np.ones(64, np.float32), "inv_freq": (0.9 ** np.arange(32)).astype(np.float32)}
    assert untouched(sketched(network(0) | alike), sketched(network(1) | alike)) == Untouched()


def test_decay_tells_the_child_from_the_parent(found):
    parent = network(0)
    descents = found(child=trained(parent, 0.3, 1, decay=1e-4), parent=parent)
    child = descents["child"]
    assert child.parent and (child.parent.id, child.direction) == ("parent", "unused weights decayed")
    assert (child.probability or 0.0) > 0.9
    assert descents["parent"].parent is None


def test_two_runs_from_one_start_are_kin_and_neither_is_the_parent(found):
    start = network(0)
    descents = found(one=trained(start, 0.2, 1, decay=1e-3), other=trained(start, 0.2, 2, decay=1e-3))
    assert [descents[name].parent for name in ("one", "other")] == [None, None]
    kin = [descents[name].kin for name in ("one", "other")]
    assert [row.id for row in kin if row] == ["other", "one"]


def test_a_child_that_moved_far_comes_from_the_one_whose_untouched_weights_it_holds(found):
    original = network(0)
    copy = noisy(original, 0.01, 1)
    descents = found(original=original, copy=copy, child=trained(copy, 0.4, 2, decay=1e-4))
    parent = descents["child"].parent
    assert parent and parent.id == "copy"


def test_frozen_layers_are_counted(found):
    parent = network(0)
    child = trained(parent, 0.1, 1, decay=0.0) | {"0.weight": parent["0.weight"]}
    own = found(parent=parent, child=child)["child"]
    assert own.kin and own.kin.id == "parent"
    assert (own.identical, own.compared) == (1, 2)
    assert own.direction == "frozen or unused weights are the same"
