"""Every family of transformers that people have: what tracing finds, proven by running, and forgotten by embeddings."""

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from family_networks import FAMILIES

from wembed.checkpoint import in_memory
from wembed.encoder import Encoder
from wembed.graph import build_graph
from wembed.models.foreign import Runnable, config_runnable
from wembed.symmetry import SymmetrySpec, apply_action, random_continuous_action
from wembed.symmetry.trace import trace_spec
from wembed.symmetry.verify import verify
from wembed.zoo import find_encoder

FIRST = ("bert", "gpt2", "llama", "mixtral", "t5", "vit", "clip", "whisper", "resnet", "convnext")
NAMES = [pytest.param(name, marks=[] if name in FIRST else pytest.mark.slow) for name in FAMILIES]


@cache
def _runnable(name: str) -> Runnable:
    family = FAMILIES[name]
    return config_runnable({**family.config, "model_type": name, "architectures": [family.architecture]})


@cache
def _spec(name: str) -> SymmetrySpec:
    traceable = _runnable(name).traceable
    return trace_spec(traceable.module, traceable.args, traceable.kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_sites_are_those_of_theory(name):
    spec, family = _spec(name), FAMILIES[name]
    scales = Counter(site.scale for site in spec.sites.values() if not site.dual and site.scale != "none")
    assert sum(not atom.frozen for atom in spec.atoms.values()) == family.free, family.theory
    assert dict(scales) == family.scales, family.theory
    assert spec.free_share() >= family.share - 0.005
    assert not spec.notes


@pytest.mark.parametrize("name", NAMES)
def test_network_computes_the_same_under_its_whole_group(name, record_property):
    verification = verify(_spec(name), _runnable(name), np.random.default_rng(0))
    for check in verification.checks:
        if check.name != "control":
            record_property("function: families of transformers, every error below 1e-4", check.error)
            assert check.error < 1e-4
        else:
            assert check.error > 1e-2


@cache
def _encoder(name: str) -> Encoder:
    return find_encoder(name, None, "cpu")


@pytest.mark.parametrize("name", NAMES)
def test_embedding_and_statistics_ignore_the_whole_group(name, record_property):
    spec, generator = _spec(name), np.random.default_rng(0)
    weights = {
        tensor: generator.normal(size=[spec.size_of(axis) for axis in axes]) / np.sqrt(spec.size_of(axes[-1]))
        for tensor, axes in spec.tensors.items()
        if axes
    } | {tensor: np.array(1.0) for tensor, axes in spec.tensors.items() if not axes}
    for tensor in weights:
        if tensor.endswith("running_var"):
            weights[tensor] = np.abs(weights[tensor]) + 0.5
    action = random_continuous_action(spec, generator)
    moved = dict(apply_action(action, spec, weights.__getitem__))
    files = [in_memory(arrays, {}, Path("m.safetensors")) for arrays in (weights, moved)]
    first, second = (build_graph(file, spec) for file in files)
    for before, after in zip(first.blocks, second.blocks, strict=True):
        assert _statistics(after.weight()) == pytest.approx(_statistics(before.weight()), rel=1e-6)
    for encoder in ("fingerprint", "gnn"):
        one, other = (np.asarray(_encoder(encoder).embed([(file, spec)])[0]) for file in files)
        change = float(np.linalg.norm(one - other) / np.linalg.norm(one))
        record_property(f"embedding: families of transformers, {encoder}", change)
        assert change < 1e-4


def _statistics(weight):
    return [float(np.abs(weight).mean()), float(np.sqrt(np.square(weight).mean())), float(np.abs(weight).max())]
