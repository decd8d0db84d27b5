"""Proof by running: a network with random weights gives the same outputs before and after its symmetries are acted out.

What is permuted and scaled is drawn at random. How far outputs may differ is told from the lowest precision that the
network computes in, and a permutation of one tensor alone, which is no symmetry, must be seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from wembed.errors import WembedError
from wembed.models.foreign import Runnable
from wembed.symmetry.action.act import Action, apply_action
from wembed.symmetry.action.random_actions import has_continuous, random_action, random_continuous_action
from wembed.symmetry.spec import SymmetrySpec

CONTROL_FLOOR = 1e-2  # relative; what is no symmetry changes outputs by more
_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}  # relative, by the lowest precision that is computed in
_HALF_TOLERANCE = 5e-2
_CONTROLS = 3  # tensors tried: the largest may have no part in the outputs

Values = NDArray[np.generic]


@dataclass(frozen=True)
class Check:
    """What one random action did to the outputs.

    Args:
        name: `permuted`, `rescaled` (and permuted), `continuous` (all that the group has) or `control`.
        error: relative, of the output that changed most: norm of the difference over norm.
        tolerance: what the error must stay below; for a control, what it must exceed.
    """

    name: str
    error: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return self.error > self.tolerance if self.name == "control" else self.error < self.tolerance


@dataclass(frozen=True)
class Verification:
    """The proof of a spec.

    Args:
        checks: what was tried, the control last.
        atoms: number of atoms that were permuted.
        dtype: the lowest precision that the network computes in.
        wrong: where something changed the outputs, the atoms and sites that do so on their own.
    """

    checks: tuple[Check, ...]
    atoms: int
    dtype: str
    wrong: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the spec is proven."""
        return all(check.holds for check in self.checks)

    def rows(self) -> list[dict[str, object]]:
        """One row per check: check, error, tolerance, holds."""
        return [
            {"check": check.name, "error": check.error, "tolerance": check.tolerance, "holds": check.holds}
            for check in self.checks
        ]


def verify(spec: SymmetrySpec, runnable: Runnable, generator: np.random.Generator) -> Verification:
    """Tries a spec on its network with random weights.

    Args:
        spec: under the module's names; tensors that the module does not have are passed over.
        runnable: the network, small enough to run.
        generator: the source of randomness.

    Raises:
        WembedError: it cannot be run.
    """
    bench = Bench.of(spec, runnable, generator)
    permuted = random_action(spec, generator)
    checks = [Check("permuted", bench.error(permuted), bench.tolerance)]
    if spec.has_scales:
        checks.append(Check("rescaled", bench.error(random_action(spec, generator, rescale=True)), bench.tolerance))
    if has_continuous(spec):
        action = random_continuous_action(spec, generator)
        checks.append(Check("continuous", bench.error(action), bench.tolerance))
    checks.append(Check("control", bench.control(permuted, generator), CONTROL_FLOOR))
    wrong = (
        () if all(check.holds for check in checks[:-1]) else bench.wrong(random_action(spec, generator, rescale=True))
    )
    return Verification(tuple(checks), len(permuted.permutations), str(bench.dtype).removeprefix("torch."), wrong)


@dataclass(frozen=True)
class Bench:
    """A network with random weights, which is run with others and gets its own back.

    Args:
        spec: under the module's names.
        module: in float64 where it runs in that.
        inputs: args and kwargs.
        weights: the module's own, by name; zeros for what it does not have.
        outputs: with its own weights.
        dtype: the lowest precision that it computes in.
    """

    spec: SymmetrySpec
    module: nn.Module
    inputs: tuple[Any, Any]  # whatever the module's forward takes
    weights: Mapping[str, Values]
    outputs: Sequence[Tensor]
    dtype: torch.dtype

    @classmethod
    def of(cls, spec: SymmetrySpec, runnable: Runnable, generator: np.random.Generator) -> "Bench":
        """Draws weights and runs once."""
        module = runnable.with_random_weights(torch.Generator().manual_seed(int(generator.integers(1 << 62))))
        _clear_missing_biases(module, spec)
        given = pytree.tree_map_only(Tensor, _varied, (runnable.args, dict(runnable.kwargs)))
        try:
            module, inputs = module.double(), pytree.tree_map_only(Tensor, _double, given)
            outputs, dtype = _run(module, inputs)
        except Exception:  # other people's code; most often it makes float32 of its own, which does not mix
            module, inputs = module.float(), given
            outputs, dtype = _run_or_refuse(runnable, module, inputs)
        if not outputs or not all(output.isfinite().all() for output in outputs):
            raise WembedError(f"{runnable.name} gives no finite floating outputs to compare")
        state = {name: value.numpy(force=True).copy() for name, value in module.state_dict().items()}
        absent = {name: np.zeros(tuple(map(spec.size_of, axes))) for name, axes in _absent(spec, state)}
        return cls(spec, module, inputs, {**state, **absent}, outputs, dtype)

    @property
    def tolerance(self) -> float:
        """How far outputs of one function may be apart, relative."""
        return _TOLERANCE.get(self.dtype, _HALF_TOLERANCE)

    def error(self, action: Action) -> float:
        """How far the outputs are off after an action, relative; infinite where they are not finite."""
        return self._error(dict(apply_action(action, self.spec, self.weights.__getitem__)))

    def control(self, action: Action, generator: np.random.Generator) -> float:
        """How far they are off after a change to one tensor alone, of the largest few the one that is seen best."""
        acted = dict(apply_action(action, self.spec, self.weights.__getitem__))
        moved = {name: values for name, values in acted.items() if not np.array_equal(values, self.weights[name])}
        pool = moved or {name: generator.permutation(self.weights[name]) for name in acted if self.weights[name].shape}
        largest = sorted(pool, key=lambda name: (-pool[name].size, name))[:_CONTROLS]
        return max((self._error({name: pool[name]}) for name in largest), default=0.0)

    def wrong(self, action: Action) -> tuple[str, ...]:
        """The atoms whose permutation changes the outputs on its own, and the sites whose scales do."""
        single = {name: Action({name: index}, {}) for name, index in action.permutations.items()}
        single |= {name: Action({}, {name: factors}) for name, factors in action.scales.items()}
        return tuple(name for name, alone in single.items() if self.error(alone) >= self.tolerance)

    def _error(self, changed: Mapping[str, Values]) -> float:
        self._load(changed)
        try:
            return max(
                _relative(new, old) for new, old in zip(_run(self.module, self.inputs)[0], self.outputs, strict=True)
            )
        finally:
            self._load({name: self.weights[name] for name in changed})

    def _load(self, values: Mapping[str, Values]) -> None:
        state = self.module.state_dict()
        with torch.no_grad():
            for name, new in values.items():
                if name in state:
                    state[name].copy_(torch.from_numpy(np.ascontiguousarray(new)).reshape(state[name].shape))


def _clear_missing_biases(module: nn.Module, spec: SymmetrySpec) -> None:
    """A bias that a spec does not name is not in its file, where it counts as zero."""
    named = {value.data_ptr() for name, value in module.state_dict().items() if name in spec.tensors}
    for name, value in module.named_parameters():
        if name not in spec.tensors and "bias" in name.rpartition(".")[2] and value.data_ptr() not in named:
            nn.init.zeros_(value)


def _absent(spec: SymmetrySpec, state: Mapping[str, Values]) -> Iterator[tuple[str, Any]]:
    yield from ((name, axes) for name, axes in spec.tensors.items() if name not in state)


def _varied(value: Tensor) -> Tensor:
    """Example inputs that show something: those of one number throughout (zeros, say) hide what they meet."""
    if not value.is_floating_point() or value.numel() < 2 or not bool((value == value.flatten()[0]).all()):
        return value
    return torch.randn(value.shape, dtype=value.dtype, generator=torch.Generator().manual_seed(0))


def _double(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def _run_or_refuse(runnable: Runnable, module: nn.Module, inputs: Any) -> tuple[list[Tensor], torch.dtype]:
    try:
        return _run(module, inputs)
    except Exception as error:  # other people's code may raise anything
        line = next(iter(str(error).splitlines()), "")
        raise WembedError(f"{runnable.name} cannot be run: {type(error).__name__}: {line}") from error


def _run(module: nn.Module, inputs: tuple[Any, Any]) -> tuple[list[Tensor], torch.dtype]:
    """The floating outputs in float64, and the lowest precision that something was computed in."""
    precision = _Precision()
    with torch.no_grad(), precision:
        found = module(*inputs[0], **inputs[1])
    leaves = [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return [leaf.double() for leaf in leaves], precision.lowest


def _relative(new: Tensor, old: Tensor) -> float:
    difference = float((new - old).norm() / old.norm().clamp_min(1e-30))
    return difference if np.isfinite(difference) else float("inf")


class _Precision(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches what precision results come in."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lowest = torch.float64

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in pytree.tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dtype.itemsize < self.lowest.itemsize:
                self.lowest = leaf.dtype
        return result
