"""Random plain chains as real modules and real files: what the laws are tried on.

A Plan says what a network looks like; `build` turns it into a Sequential, `random_weights` fills it, `widen` copies
every hidden channel without changing the function. The declared order of the steps comes with it, so that the spec of
a written file is known and not inferred.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from wembed.checkpoint import Checkpoint, TensorInfo, open_checkpoint
from wembed.symmetry import SymmetrySpec, declare_spec

Arrays = dict[str, NDArray[np.generic]]

IMAGE = 8  # pixels along each side
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
}


@dataclass(frozen=True)
class Plan:
    """What a chain looks like.

    Args:
        inputs: channels that enter.
        hidden: widths of the hidden layers, the convolutions first.
        outputs: channels that leave.
        kernels: one kernel size per convolution; () for an MLP.
        activation: behind every hidden layer.
        norm: where the batch norms stand.
        pooled: behind which convolutions the image is halved by max pooling.
        global_pool: whether the image is averaged before the dense layers, else flattened.
    """

    inputs: int
    hidden: tuple[int, ...]
    outputs: int
    kernels: tuple[int, ...] = ()
    activation: str = "relu"
    norm: Literal["none", "before", "after"] = "none"
    pooled: frozenset[int] = frozenset()
    global_pool: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (self.inputs, IMAGE, IMAGE) if self.kernels else (self.inputs,)

    def widened(self, times: int) -> "Plan":
        """The same chain with every hidden width multiplied."""
        return replace(self, hidden=tuple(width * times for width in self.hidden))


@dataclass(frozen=True)
class Chain:
    """A network on disk: its plan, its file and the spec that was declared for it."""

    plan: Plan
    path: Path
    spec: SymmetrySpec

    @property
    def checkpoint(self) -> Checkpoint:
        """The opened file."""
        return open_checkpoint(self.path)

    @property
    def item(self) -> tuple[Checkpoint, SymmetrySpec]:
        """What an encoder takes."""
        return self.checkpoint, self.spec


@dataclass(frozen=True)
class InMemory:
    """A stand-in for a checkpoint that keeps float64 arrays, so that no rounding of a file hides an error."""

    arrays: Arrays
    path: Path = Path("memory.safetensors")
    prefix: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, TensorInfo]:
        """Every array as a float64 tensor."""
        return {name: TensorInfo(name, "F64", array.shape) for name, array in self.arrays.items()}

    def read(self, name: str) -> NDArray[np.generic]:
        """A copy of an array."""
        return self.arrays[name].copy()

    def read_slice(self, name: str, index: Sequence[slice | NDArray[np.intp]]) -> NDArray[np.generic]:
        """A copy of a part of an array."""
        part = self.arrays[name]
        for axis, wanted in enumerate(index):
            part = part[(slice(None),) * axis + (wanted,)]
        return part.copy()


def random_plan(generator: np.random.Generator, kind: Literal["mlp", "cnn"]) -> Plan:
    """A plan with 1 to 8 dense layers: an MLP of widths 1 to 300, or a CNN of widths 1 to 64 on small images."""
    widest, depth = (300, generator.integers(1, 9)) if kind == "mlp" else (64, generator.integers(2, 9))
    hidden = tuple(_width(generator, widest) for _ in range(depth - 1))
    plan = Plan(
        inputs=int(generator.integers(1, 33) if kind == "mlp" else generator.integers(1, 4)),
        hidden=hidden,
        outputs=int(generator.integers(1, 13)),
        activation=str(generator.choice(list(ACTIVATIONS))),
        norm=generator.choice(["none", "before", "after"]),
    )
    if kind == "mlp":
        return plan
    convolutions = int(generator.integers(1, depth))
    kernels = tuple(int(size) for size in generator.choice([1, 3], convolutions))
    pooled = frozenset(int(i) for i in range(min(convolutions, 2)) if generator.random() < 0.7)
    return replace(plan, kernels=kernels, pooled=pooled, global_pool=bool(generator.random() < 0.4))


def _width(generator: np.random.Generator, widest: int) -> int:
    """From 1 to `widest`, small ones as often as large ones."""
    return int(np.exp(generator.uniform(0.0, np.log(widest + 0.999))))


def build(plan: Plan) -> nn.Sequential:
    """The module of a plan, in evaluation mode, float64."""
    return nn.Sequential(*_parts(plan)).eval().double()


def _parts(plan: Plan) -> Iterator[nn.Module]:
    channels, side = plan.inputs, IMAGE
    for index, width in enumerate(plan.hidden):
        image = index < len(plan.kernels)
        if plan.kernels and index == len(plan.kernels):
            yield from _to_vector(plan)
            channels *= 1 if plan.global_pool else side * side
        yield from _hidden_layer(plan, index, channels, width)
        channels = width
        if image and index in plan.pooled:
            yield nn.MaxPool2d(2)
            side //= 2
    if plan.kernels and len(plan.kernels) == len(plan.hidden):
        yield from _to_vector(plan)
        channels *= 1 if plan.global_pool else side * side
    yield nn.Linear(channels, plan.outputs)


def _hidden_layer(plan: Plan, index: int, channels: int, width: int) -> Iterator[nn.Module]:
    image = index < len(plan.kernels)
    if image:
        kernel = plan.kernels[index]
        yield nn.Conv2d(channels, width, kernel, padding=kernel // 2)
    else:
        yield nn.Linear(channels, width)
    norm = nn.BatchNorm2d if image else nn.BatchNorm1d
    if plan.norm == "before":
        yield norm(width)
    yield ACTIVATIONS[plan.activation]()
    if plan.norm == "after":
        yield norm(width)


def _to_vector(plan: Plan) -> Iterator[nn.Module]:
    if plan.global_pool:
        yield nn.AdaptiveAvgPool2d(1)
    yield nn.Flatten()


def steps_of(plan: Plan) -> list[str]:
    """The order of the steps, as `declare_spec` wants it."""
    steps = []
    for name, part in build(plan).named_children():
        match part:
            case nn.AdaptiveAvgPool2d():
                continue
            case nn.MaxPool2d():
                steps.append("max_pool")
            case nn.Flatten():
                steps.append("flatten")
            case nn.Linear() | nn.Conv2d() | nn.BatchNorm1d() | nn.BatchNorm2d():
                steps.append(name)
            case _:
                steps.append(next(known for known, made in ACTIVATIONS.items() if isinstance(part, made)))
    return steps


def random_weights(plan: Plan, generator: np.random.Generator) -> Arrays:
    """Float32 tensors of a plan's state dict: heavy layers and light ones, batch norms with some negative gains."""
    arrays: Arrays = {}
    module = build(plan)
    for name, part in module.named_children():
        if isinstance(part, nn.Linear | nn.Conv2d):
            shape = tuple(part.weight.shape)
            gain = np.exp(generator.normal(0.3, 0.3)) / np.sqrt(np.prod(shape[1:]))
            arrays[f"{name}.weight"] = generator.normal(0.0, gain, shape).astype(np.float32)
            arrays[f"{name}.bias"] = generator.normal(0.0, 0.3, shape[0]).astype(np.float32)
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            arrays |= _random_norm(name, part.num_features, generator)
    return arrays


def _random_norm(name: str, size: int, generator: np.random.Generator) -> Arrays:
    signs = np.where(generator.random(size) < 0.15, -1.0, 1.0)
    return {
        f"{name}.weight": (signs * generator.uniform(0.4, 1.6, size)).astype(np.float32),
        f"{name}.bias": generator.normal(0.0, 0.3, size).astype(np.float32),
        f"{name}.running_mean": generator.normal(0.0, 0.3, size).astype(np.float32),
        f"{name}.running_var": generator.uniform(0.3, 2.0, size).astype(np.float32),
        f"{name}.num_batches_tracked": np.array(100, dtype=np.int64),
    }


def spec_of(plan: Plan, arrays: Arrays) -> SymmetrySpec:
    """The declared spec."""
    return declare_spec(floating_shapes(arrays), [steps_of(plan)])


def floating_shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    """The shapes of the floating-point tensors."""
    return {name: array.shape for name, array in arrays.items() if array.dtype.kind == "f"}


def write_chain(plan: Plan, arrays: Arrays, path: Path, dtype: torch.dtype = torch.float32) -> Chain:
    """Write a chain with the safetensors library, floats in a dtype of choice."""
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    save_file({name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}, path)
    return Chain(plan, path, spec_of(plan, arrays))


def random_chain(generator: np.random.Generator, kind: Literal["mlp", "cnn"], path: Path) -> Chain:
    """A random plan with random weights, written to a file."""
    plan = random_plan(generator, kind)
    return write_chain(plan, random_weights(plan, generator), path)


def read_all(checkpoint: Checkpoint) -> Arrays:
    """Every tensor of a checkpoint."""
    return {name: checkpoint.read(name) for name in checkpoint.tensors}


def in_float64(arrays: Arrays) -> Arrays:
    """Floating-point arrays as float64; the others are left out."""
    return {name: array.astype(np.float64) for name, array in arrays.items() if array.dtype.kind == "f"}


def run_network(plan: Plan, arrays: Arrays, generator: np.random.Generator, count: int = 16) -> NDArray[np.float64]:
    """The outputs [count, outputs] of a float64 run on standard normal inputs."""
    module = build(plan)
    state = module.state_dict()
    state |= {name: torch.from_numpy(np.array(array)).to(state[name].dtype) for name, array in arrays.items()}
    module.load_state_dict(state)
    inputs = torch.from_numpy(generator.normal(size=(count, *plan.input_shape)))
    with torch.inference_mode():
        return module(inputs).numpy()


def widen(plan: Plan, arrays: Arrays, times: int) -> Arrays:
    """The weights of `plan.widened(times)` that compute the same function: each hidden channel stands `times` times."""
    # Batch norms first; what belongs to a dense layer is replaced below.
    wide = {name: np.repeat(array, times) if array.ndim == 1 else array for name, array in arrays.items()}
    dense = sorted((name for name in arrays if arrays[name].ndim > 1), key=lambda name: int(name.partition(".")[0]))
    before = plan.inputs
    for place, name in enumerate(dense):
        weight, bias = arrays[name], name.replace("weight", "bias")
        if place:  # columns: channels, then the pixels of a flatten, then the kernel
            split = weight.reshape(weight.shape[0], before, -1)
            shape = (weight.shape[0], weight.shape[1] * times, *weight.shape[2:])
            weight = (np.repeat(split, times, axis=1) / times).reshape(shape).astype(weight.dtype)
        last = name == dense[-1]
        wide[name] = weight if last else np.repeat(weight, times, axis=0)
        wide[bias] = arrays[bias] if last else np.repeat(arrays[bias], times)
        before = arrays[name].shape[0]
    return wide
