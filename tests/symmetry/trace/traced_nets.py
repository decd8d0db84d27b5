"""Small modules for tests of tracing, and the proof by running: random weights, permuted as the axes say."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from wembed.symmetry.action.shuffle import shuffled
from wembed.symmetry.axes import axis_text
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.trace import Traced, trace_axes


class Net(nn.Module):
    """Layers and parameters by name, and what `forward` does with them."""

    def __init__(self, forward, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._forward = forward

    def forward(self, *inputs):
        return self._forward(self, *inputs)


def weight(*shape):
    """A parameter."""
    return nn.Parameter(torch.zeros(*shape))


@dataclass(frozen=True)
class Checked:
    """A traced module and how much its outputs changed.

    Args:
        traced: its axes.
        change: relative, under a random permutation of all free atoms.
        control: relative, where each tensor was permuted in its own way instead.
    """

    traced: Traced
    change: float
    control: float

    def text(self, tensor):
        """A tensor's axes, for people."""
        return tuple(axis_text(axis) for axis in self.traced.tensors[tensor])

    @property
    def free(self):
        """The names of all free atoms."""
        return {atom.name for atom in self.traced.atoms.values() if not atom.frozen}


def randomised(net, seed=0):
    """The same module in float64 with random weights, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    net = net.double().eval()
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                fan = tensor[0].numel() if tensor.dim() > 1 else 4
                values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) / fan**0.5
                tensor.copy_(values.abs() + 0.5 if name.endswith("var") else values + 0.3)
    return net


def checked(net, *inputs, seed=0):
    """Trace a module, permute it, run it."""
    net = randomised(net, seed)
    inputs = tuple(value.double() if value.is_floating_point() else value for value in inputs)
    traced = trace_axes(net, inputs)
    generator = np.random.default_rng(seed)
    state = {name: net.state_dict()[name].clone() for name in traced.tensors}
    before = _run(net, inputs)
    permutations = _permutations(traced, generator)
    changed = _changed(net, inputs, before, {name: _moved(state, traced, name, permutations) for name in state})
    ids = {id(tensor): _permutations(traced, generator) for tensor in net.state_dict(keep_vars=True).values()}
    by_name = {name: ids[id(tensor)] for name, tensor in net.state_dict(keep_vars=True).items()}
    control = _changed(net, inputs, before, {name: _moved(state, traced, name, by_name[name]) for name in state})
    return Checked(traced, changed, control)


def _permutations(traced, generator):
    free = [atom for atom in traced.atoms.values() if not atom.frozen]
    return {atom.name: _permutation(traced, atom, generator) for atom in free}


def _permutation(traced, atom, generator):
    """Never the identity, and for an atom under another a different one for each of its indices."""
    if not atom.under:
        return np.roll(generator.permutation(atom.size), 1) if atom.size > 2 else np.arange(atom.size)[::-1].copy()
    return np.stack([generator.permutation(atom.size) for _ in range(traced.atoms[atom.under].size)])


def _moved(state, traced, name, permutations):
    spec = SymmetrySpec("traced", traced.atoms, {}, {}, ())
    values = state[name].numpy()
    axes = traced.tensors[name]
    spec.__dict__["sizes"] = dict(traced.sizes)
    return torch.from_numpy(np.ascontiguousarray(shuffled(values, axes, permutations, spec)))


def _changed(net, inputs, before, tensors):
    state = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict({**state, **tensors})
    after = _run(net, inputs)
    net.load_state_dict(state)
    return float((after - before).norm() / before.norm())


def _run(net, inputs):
    with torch.no_grad():
        outputs = net(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.cat([output.flatten() for output in outputs if output.is_floating_point()])
