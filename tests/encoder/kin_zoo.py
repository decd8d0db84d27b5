"""A zoo of every kind of network, with twins and children: what kinship is shown on.

It is trained in minutes, a few kinds in seconds. Within a kind all runs have one configuration, so that only their
weights tell them apart. No packaged manifest has this seed.
"""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from kin_encoders import encoder_of
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import Item
from wembed.evaluate.embeddings import embed_items
from wembed.evaluate.retrieval.queries import disguised
from wembed.symmetry import structure_signature
from wembed.zoo import open_items, silent
from wembed.zoo.builder import BuildManifest, BuildOptions, build

Vectors = NDArray[np.float64]

SEED = 60_601
FINE_TUNED = ("data", "continued")
TWINS = {"init": 3, "data": 1, "order": 1}  # of every run
KINDS = {
    "mlp": {"kind": "mlp", "hidden": [32, 32]},
    "mlp, one layer": {"kind": "mlp", "hidden": [96], "activation": "gelu"},
    "mlp, layer norm": {"kind": "mlp", "hidden": [24, 24, 24], "activation": "tanh", "norm": "layer"},
    "cnn": {"kind": "cnn", "hidden": [8, 16]},
    "cnn, batch norm": {"kind": "cnn", "hidden": [8, 8], "norm": "batch"},
    "resnet": {"kind": "resnet", "widths": [8, 16]},
    "mobile": {"kind": "mobile", "widths": [8, 16]},
    "vit": {"kind": "vit", "width": 32, "layers": 1},
    "gru": {"kind": "gru", "width": 24},
    "lstm": {"kind": "lstm", "width": 24},
    "bert": {"kind": "bert", "width": 32, "layers": 1, "tied": False},
    "gpt2": {"kind": "gpt2", "width": 32, "layers": 1, "tied": False},
    "llama": {"kind": "llama", "width": 32, "layers": 1, "heads": 4, "kv_heads": 2},
    "t5": {"kind": "t5", "width": 32, "layers": 1, "tied": False},
}
FEW_KINDS = ("mlp", "mlp, one layer")
_TEXTS = {"bert": "documentation-masked", "gpt2": "documentation", "llama": "documentation", "t5": "documentation"}
_COMMON = {"weight_decay": [1e-3, 1e-3], "init_scale": [1.0, 1.0], "train_fraction": [0.5, 0.5]}
_CHILDREN = {
    "data": 2, "continued": 2, "classes": 1, "head": 1, "pruned": 1, "int8": 1, "bf16": 1, "noise": 1, "distilled": 1,
    "permuted": 1, "merged": 1, "change": [1e-3, 1.0],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class KinZoo:
    """Trained networks and what was made of them.

    Args:
        parents: the last checkpoint of every run, twins included; P of them.
        children: the children of the runs; C of them.
        items: the opened parents.
        queries: the opened children, in another order of neurons and in other scales.
        kinds: the kind of network of every parent.
    """

    parents: list[CatalogRow]
    children: list[CatalogRow]
    items: list[Item]
    queries: list[Item]
    kinds: list[str]

    @property
    def relevant(self) -> NDArray[np.intp]:
        """The parent of each child, [C]."""
        places = {row.id: place for place, row in enumerate(self.parents)}
        return np.array([places[str(row.parent)] for row in self.children])

    @property
    def changes(self) -> NDArray[np.float64]:
        """How far each child went, relative to its parent, [C]."""
        return np.array([row.change for row in self.children], dtype=np.float64)

    @property
    def twins(self) -> NDArray[np.bool_]:
        """Which parents are twins of a run, [P]."""
        return np.array([twin_of(row) != "" for row in self.parents])

    @property
    def strangers(self) -> int:
        """How many other runs of its kind a child meets at least."""
        return min(self.kinds.count(kind) for kind in set(self.kinds)) - 1


def twin_of(row: CatalogRow) -> str:
    """What kind of twin a run is: init, data or order; "" for none."""
    _, found, rest = str(row.run).partition("-twin-")
    return rest.partition("-")[0] if found else ""


def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the zoos are: in this run's folder, or where WEMBED_TEST_KIN says and the next run finds them again."""
    return Path(os.environ.get("WEMBED_TEST_KIN") or tmp_path_factory.getbasetemp() / "kin")


@functools.cache
def every_kind(folder: Path) -> KinZoo:
    """All kinds, four runs of each with all their twins: 23 strangers of its configuration for every child."""
    return make_kin_zoo(folder / "every", tuple(KINDS), runs=4, steps=80)


@functools.cache
def few_kinds(folder: Path) -> KinZoo:
    """What is there in seconds."""
    return make_kin_zoo(folder / "few", FEW_KINDS, runs=2, steps=40)


@functools.cache
def vectors_of(name: str, zoo: KinZoo) -> tuple[Vectors, Vectors]:
    """The unit vectors of the parents [P, D] and of the queries [C, D], by an encoder's name."""
    found = [embedded(name, items) for items in (zoo.items, zoo.queries)]
    return found[0], found[1]


def embedded(name: str, items: Sequence[Item]) -> Vectors:
    """The unit vectors [N, D] of any networks."""
    structures = [structure_signature(checkpoint) for checkpoint, _ in items]
    return embed_items({name: encoder_of(name)}, items, structures, silent)[name].values


def make_kin_zoo(folder: Path, kinds: Sequence[str], runs: int, steps: int) -> KinZoo:
    """Trains a zoo and opens it; goes on with one that is there.

    Args:
        folder: where it is kept.
        kinds: of networks.
        runs: of each, without twins.
        steps: of training; a child gets at most half as many.
    """
    zoo = Zoo.create(folder)
    manifest = manifest_of(kinds, runs, steps)
    build(zoo, BuildOptions(manifest, manifest.seed))
    rows = zoo.rows()
    names = {group.name: kind for group, kind in zip(manifest.groups, kinds, strict=True)}
    parents, children = [row for row in rows if not row.derivation], [row for row in rows if row.derivation]
    generator = np.random.default_rng(SEED)
    return KinZoo(
        parents, children, open_items(zoo, parents),
        [disguised(item, generator) for item in open_items(zoo, children)],
        [names[f"{row.dataset}-{row.architecture}"] for row in parents],
    )  # fmt: skip


def manifest_of(kinds: Sequence[str], runs: int, steps: int) -> BuildManifest:
    """The manifest of some kinds; see `make_kin_zoo`."""
    groups = [
        {
            "dataset": _TEXTS.get(kind, "digits"),
            "architecture": KINDS[kind],
            "runs": runs,
            "children": {"classes": 0, "head": 0} if kind in _TEXTS else {},
            "hyperparameters": {**_COMMON, "label_noise": [0.05, 0.05], "learning_rate": [3e-3, 3e-3]},
        }
        for kind in kinds
    ]
    return BuildManifest.model_validate(
        {
            "name": "kin",
            "seed": SEED,
            "training": {"batch_size": 32, "snapshots": [steps]},
            "twins": TWINS,
            "children": {**_CHILDREN, "steps": steps // 2},
            "groups": groups,
        }
    )
