"""The proof of a checkpoint's spec: its own network is run if that is small, else a shallow one of the same layers."""

from dataclasses import dataclass

import numpy as np

from wembed.errors import WembedError
from wembed.models.foreign import Runnable
from wembed.symmetry.families import family_spec
from wembed.symmetry.fitted import module_spec, traced_spec
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.verify import Verification, verify

MOST_PARAMETERS = 64_000_000  # twice as many float64 are held: 1 GB
_DEPTHS = (5, 2, 1)


@dataclass(frozen=True)
class Proof:
    """What was run, and what came of it.

    Args:
        verification: the checks.
        network: what was run, for people.
    """

    verification: Verification
    network: str


def prove(spec: SymmetrySpec, network: Runnable, generator: np.random.Generator) -> Proof:
    """Tries the symmetries of a file by running its network with random weights.

    A network that is too large, or whose experts the file keeps one by one, is replaced by one with fewer layers, whose
    spec is found in the same way.

    Args:
        spec: under the file's names.
        network: that of the file, at its whole depth.
        generator: the source of randomness.

    Raises:
        WembedError: it cannot be run, or is another network.
    """
    if not spec.stacks and network.parameters <= MOST_PARAMETERS:
        return Proof(verify(module_spec(spec, network), network, generator), network.name)
    if spec.tier not in ("family", "traced"):
        raise WembedError(f"{network.name} has {network.parameters} parameters, too many to run for a spec of its own")
    smaller = _shallow(network)
    found = family_spec(smaller.shapes, smaller.config) if spec.tier == "family" else traced_spec(smaller)
    if found is None:
        raise WembedError(f"{network.name} with fewer layers is no member of its family")
    whole = " with fewer layers" if smaller is not network else ""
    return Proof(verify(module_spec(found, smaller), smaller, generator), f"{network.name}{whole}")


def _shallow(network: Runnable) -> Runnable:
    """The deepest of a few shallow members that is small enough to be run, else the shallowest."""
    if network.shallow is None:
        return network
    smaller = network
    for depth in _DEPTHS:
        smaller = network.shallow(depth)
        if smaller.parameters <= MOST_PARAMETERS:
            break
    return smaller
