"""The proof by running: what is a symmetry passes, and every way of claiming too much is caught."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from wembed.errors import WembedError
from wembed.models.foreign import Runnable, config_runnable
from wembed.symmetry.fitted import shrunk, traced_spec
from wembed.symmetry.prove import prove
from wembed.symmetry.verify import verify


class Residual(nn.Module):
    """A ReLU block, a GELU block, a batch norm, both around a residual stream."""

    def __init__(self):
        super().__init__()
        self.inward = nn.Linear(5, 8)
        self.relu_up, self.relu_down = nn.Linear(8, 11), nn.Linear(11, 8)
        self.norm = nn.BatchNorm1d(8)
        self.gelu_up, self.gelu_down = nn.Linear(8, 12), nn.Linear(12, 8)
        self.outward = nn.Linear(8, 3)

    def forward(self, inputs):
        stream = self.inward(inputs)
        stream = stream + self.relu_down(torch.relu(self.relu_up(stream)))
        stream = stream + self.gelu_down(nn.functional.gelu(self.gelu_up(self.norm(stream))))
        return self.outward(stream)


RESIDUAL = Runnable("Residual", Residual, (torch.randn(6, 5, generator=torch.Generator().manual_seed(1)),))
LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16, "intermediate_size": 24,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 31, "num_hidden_layers": 2,
}  # fmt: skip


def generator():
    return np.random.default_rng(0)


def freed(spec, name):
    """A spec that claims one atom too many."""
    return replace(spec, atoms=spec.atoms | {name: replace(spec.atoms[name], frozen="")})


@pytest.fixture(scope="module")
def spec():
    return traced_spec(RESIDUAL)


def test_a_traced_spec_holds_in_double_precision(spec):
    found = verify(spec, RESIDUAL, generator())
    assert [check.name for check in found.checks] == ["permuted", "rescaled", "control"]
    assert found.holds
    assert found.dtype == "float64"
    assert found.atoms == 3
    assert max(check.error for check in found.checks[:-1]) < 1e-12
    assert found.checks[-1].error > 1e-2


def test_a_network_that_computes_in_float32_is_judged_by_that():
    runnable = config_runnable(LLAMA)
    found = verify(traced_spec(runnable), runnable, generator())
    assert found.holds
    assert found.dtype == "float32"
    assert {check.name for check in found.checks} == {"permuted", "rescaled", "continuous", "control"}
    assert all(check.tolerance == 1e-4 for check in found.checks[:-1])


@pytest.mark.parametrize("name", ["outward.out", "inward.in"])
def test_an_atom_that_is_claimed_wrongly_is_caught_and_named(spec, name):
    assert spec.atoms[name].frozen
    wrong = freed(spec, name)
    found = verify(wrong, RESIDUAL, generator())
    assert not found.holds
    assert found.wrong == (name,)


def test_a_scale_that_is_claimed_wrongly_is_caught_and_named(spec):
    site = next(site for site in spec.sites.values() if site.activation == "gelu")
    wrong = replace(spec, sites=spec.sites | {site.name: replace(site, activation="relu", limit="linear", fixed=False)})
    found = verify(wrong, RESIDUAL, generator())
    checks = {check.name: check.holds for check in found.checks}
    assert checks == {"permuted": True, "rescaled": False, "control": True}
    assert found.wrong == (site.name,)


def test_a_spec_that_claims_nothing_has_a_control_too(spec):
    frozen = {name: replace(atom, frozen=atom.frozen or "by hand") for name, atom in spec.atoms.items()}
    sites = {name: replace(site, fixed=True) for name, site in spec.sites.items()}
    found = verify(replace(spec, atoms=frozen, sites=sites), RESIDUAL, generator())
    assert found.atoms == 0
    assert found.checks[0].error == 0.0
    assert found.checks[-1].error > 1e-2


def test_inputs_of_zeros_are_varied():
    net = nn.Sequential(nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 3))
    runnable = Runnable("net", lambda: net, (torch.zeros(2, 5),))
    found = verify(traced_spec(runnable), runnable, generator())
    assert found.holds
    assert found.checks[-1].error > 1e-2


class Deaf(nn.Module):
    """A network whose outputs hear nothing of its weights."""

    def __init__(self):
        super().__init__()
        self.linear, self.last = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, inputs):
        return self.last(self.linear(inputs)) * 0.0 + 1.0


def test_a_network_that_hears_nothing_proves_nothing():
    runnable = Runnable("Deaf", Deaf, RESIDUAL.args)
    found = verify(traced_spec(runnable), runnable, generator())
    assert found.checks[0].holds
    assert not found.holds


class Broken(Deaf):
    """A network that cannot be run."""

    def forward(self, inputs):
        raise KeyError("nothing")


def test_a_network_that_fails_is_one_line(spec):
    with pytest.raises(WembedError, match="Broken cannot be run: KeyError: 'nothing'"):
        verify(spec, Runnable("Broken", Broken, RESIDUAL.args), generator())


def test_a_missing_bias_counts_as_zero(spec):
    smaller = shrunk(spec, ["relu_up.bias", "inward.bias"], ())
    assert len([atom for atom in smaller.atoms.values() if not atom.frozen]) == 3
    assert verify(smaller, RESIDUAL, generator()).holds


@pytest.mark.parametrize("missing", ["relu_up.weight", "norm.weight", "norm.running_mean", "inward.weight"])
def test_a_missing_tensor_freezes_what_stands_on_it(spec, missing):
    smaller = shrunk(spec, [missing], ())
    assert missing not in smaller.tensors
    assert 0 < sum(not atom.frozen for atom in smaller.atoms.values()) < 3
    assert verify(smaller, RESIDUAL, generator()).holds


def test_a_large_network_is_proven_by_its_shallow_member(monkeypatch):
    runnable = config_runnable({**LLAMA, "num_hidden_layers": 9})
    spec = traced_spec(runnable)
    assert (
        sum(not atom.frozen for atom in spec.atoms.values()) == 1 + 4 * 9
    )  # the stream; kv heads, their copies, value dims, mlp
    monkeypatch.setattr("wembed.symmetry.prove.MOST_PARAMETERS", 12_000)
    proof = prove(spec, runnable, generator())
    assert proof.network == "LlamaForCausalLM with fewer layers"
    assert proof.verification.holds
    assert 0 < proof.verification.atoms < 37
