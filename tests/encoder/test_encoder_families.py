"""Every packaged family in all its variants: an embedding is one for all members of the symmetry class.

Random weights at the sizes that the family's data were made from; the largest, VGGs, are plain chains like those of
the laws and are left out.
"""

import math

import numpy as np
import pytest
from kin_encoders import INVARIANT, encoder_of

from wembed.checkpoint import in_memory
from wembed.encoder import Item
from wembed.symmetry import SymmetrySpec, apply_action, random_continuous_action
from wembed.symmetry.families.family import index, load_family

QUICK = ("gpt2", "qwen3")
LARGE = 500_000  # weights


def specs_of(name: str) -> list[SymmetrySpec]:
    """The specs of a family's variants; of large ones the first."""
    specs = [variant.template.spec for variant in load_family(name).variants]
    return specs[:1] if size_of(specs[0]) > LARGE else specs


def size_of(spec: SymmetrySpec) -> int:
    return sum(math.prod(map(spec.size_of, axes)) for axes in spec.tensors.values())


def two_members(spec: SymmetrySpec, seed: int) -> tuple[Item, Item]:
    """Two networks of one function, float64, so that no rounding of a file hides an error."""
    generator, weights = np.random.default_rng(seed), {}
    for name, axes in spec.tensors.items():
        values = generator.normal(size=[spec.size_of(axis) for axis in axes]) / np.sqrt(
            spec.size_of(axes[-1]) if axes else 1
        )
        weights[name] = np.abs(values) + 0.5 if name.endswith("running_var") else values
    moved = dict(apply_action(random_continuous_action(spec, generator), spec, weights.__getitem__))
    return (in_memory(weights), spec), (in_memory(moved), spec)


FAMILIES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in sorted(index())
    if not name.endswith("vgg")
]


@pytest.mark.parametrize("family", FAMILIES)
def test_members_of_a_packaged_family_have_one_embedding(family, record_property):
    for seed, spec in enumerate(specs_of(family)):
        one, other = two_members(spec, seed)
        for name in INVARIANT:
            first, second = encoder_of(name).embed([one])[0], encoder_of(name).embed([other])[0]
            change = float(np.linalg.norm(first - second) / np.linalg.norm(first))
            record_property(f"{name}: members of the packaged families", change)
            assert np.isfinite(first).all()
            assert change < 1e-4, family
