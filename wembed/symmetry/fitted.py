"""A network's spec for a file of its weights: under the file's names, with what the file lacks or has beside it.

What is missing shrinks the spec and never widens it: whatever stands in its place, what is left stays a symmetry.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.models.foreign import Matched, Runnable, match_names
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.beside import frozen_beside
from wembed.symmetry.experts import as_stored, joined
from wembed.symmetry.families.names import renamed_spec
from wembed.symmetry.families.shrink import freeze_rest, without
from wembed.symmetry.fit import check_fit
from wembed.symmetry.repeat import FEWEST
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes
from wembed.symmetry.templates import deepen


def traced_spec(runnable: Runnable) -> SymmetrySpec:
    """The spec of a network, under its module's names; of a deep one a shallow member is traced and repeated.

    Raises:
        WembedError: it cannot be traced.
    """
    if runnable.shallow is None:
        return _traced(runnable)
    shallow = _traced(runnable.shallow(FEWEST))
    try:
        return deepen(shallow, runnable.shapes)
    except (ValueError, CheckpointRefusedError):  # its layers differ from each other
        return _traced(runnable)


def _traced(runnable: Runnable) -> SymmetrySpec:
    from wembed.symmetry.trace import trace_spec

    network = runnable.traceable
    spec = trace_spec(network.module, network.args, network.kwargs)
    unseen = {name: shape for name, shape in network.shapes.items() if name not in spec.tensors}
    known = {name for name in spec.tensors if name in network.shapes}
    if known != spec.tensors.keys():
        raise WembedError(f"{runnable.name}: {sorted(spec.tensors.keys() - known)[0]} is no part of its state")
    return freeze_rest(spec, unseen)


def spec_of_file(runnable: Runnable, checkpoint: Checkpoint) -> SymmetrySpec:
    """The traced spec of a network, written for a file of its weights.

    Raises:
        CheckpointRefusedError: a tensor has another shape in the file, naming it.
        WembedError: the file holds another network, or it cannot be traced.
    """
    matched = _matched(runnable, checkpoint)
    return _fitted(traced_spec(runnable), runnable, checkpoint, matched)


def spec_of_config_file(runnable: Runnable, checkpoint: Checkpoint) -> SymmetrySpec:
    """The same for a network that only a config.json speaks of: the file may be another's, see `beside`."""
    matched = _matched(runnable, checkpoint)
    spec = _fitted(traced_spec(runnable), runnable, checkpoint, matched)
    whole = joined(_shapes(checkpoint))
    return frozen_beside(spec, {name: whole[name] for name in matched.extra})


def fitted_spec(spec: SymmetrySpec, runnable: Runnable, checkpoint: Checkpoint) -> SymmetrySpec:
    """A spec under a module's names, written for a file of the module's weights.

    Raises:
        CheckpointRefusedError: a tensor has another shape in the file, naming it.
        WembedError: the file holds another network.
    """
    return _fitted(spec, runnable, checkpoint, _matched(runnable, checkpoint))


def _fitted(spec: SymmetrySpec, runnable: Runnable, checkpoint: Checkpoint, matched: Matched) -> SymmetrySpec:
    shapes = _shapes(checkpoint)
    whole = joined(shapes)
    spec = shrunk(spec, matched.missing, runnable.tied)
    spec = renamed_spec(spec, {name: stored for name, stored in matched.names.items() if name in spec.tensors})
    rest = {name: shape for name, shape in whole.items() if name not in spec.tensors}
    spec = as_stored(freeze_rest(spec, rest), shapes)
    check_fit(spec, checkpoint)
    return replace(spec, notes=(*spec.notes, *_notes(matched, runnable)))


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    return {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}


def _matched(runnable: Runnable, checkpoint: Checkpoint) -> Matched:
    try:
        return match_names(runnable.shapes, joined(_shapes(checkpoint)), runnable.rename)
    except CheckpointRefusedError as error:
        hint = f"is {runnable.name} the network of this file?"
        raise CheckpointRefusedError(f"{checkpoint.path}: {error.message}", hint) from error


def module_spec(spec: SymmetrySpec, runnable: Runnable) -> SymmetrySpec:
    """The inverse of `fitted_spec`: a spec of a file under its module's names, what the module lacks under its own.

    Raises:
        CheckpointRefusedError: a tensor has another shape in the module, naming it.
        WembedError: it is another network's spec.
    """
    matched = match_names(runnable.shapes, stored_shapes(spec), runnable.rename)
    own = {stored: name for name, stored in matched.names.items()}
    return renamed_spec(spec, {name: own.get(name, name) for name in spec.tensors})


def _notes(matched: Matched, runnable: Runnable) -> Iterable[str]:
    kept_elsewhere = {name for group in runnable.tied if set(group) - set(matched.missing) for name in group}
    lost = [name for name in matched.missing if name not in kept_elsewhere]
    if lost:
        yield f"{len(lost)} tensors of the network are not in the file: {lost[0]}"


def shrunk(spec: SymmetrySpec, missing: Collection[str], tied: Iterable[tuple[str, ...]]) -> SymmetrySpec:
    """A spec without some tensors.

    A bias that is not there is zero, and of a tied tensor one name is enough. Any other may be anything: what stands on
    its axes is frozen, and no site beside it is scaled.

    Args:
        spec: whole.
        missing: names to leave out.
        tied: groups of names that are one tensor.
    """
    gone = {name for name in missing if name in spec.tensors}
    kept_elsewhere = {name for group in tied if set(group) - gone for name in group}
    biases = {name for layer in spec.layers if layer.kind == "dense" for name in [layer.tensors.get("bias")] if name}
    harmless = gone & (kept_elsewhere | biases)
    return without(_frozen_around(spec, gone - harmless), harmless, tied)


def _frozen_around(spec: SymmetrySpec, gone: Collection[str]) -> SymmetrySpec:
    """A spec without some tensors and the layers that they stand in, all that touches them frozen."""
    if not gone:
        return spec
    layers = spec.layers
    left = set(gone)
    while touched := [layer for layer in layers if left & set(layer.tensors.values())]:
        left |= {name for layer in touched for name in layer.tensors.values()}
        layers = tuple(layer for layer in layers if layer not in touched)
    frozen = {atom for name in left for axis in spec.tensors[name] for atom in atoms_of(axis)}
    beside = {site for layer in spec.layers if layer not in layers for site in (layer.source, layer.target)}
    beside |= {site.name for site in spec.sites.values() if site.slope in left}
    beside |= {site.dual for site in spec.sites.values() if site.dual and site.name in beside}
    beside |= {site.name for site in spec.sites.values() if site.dual in beside}
    why = f"{sorted(gone)[0]} is not in the file"
    atoms = {
        name: replace(atom, frozen=why) if name in frozen and not atom.frozen else atom
        for name, atom in spec.atoms.items()
    }
    sites = {name: replace(site, fixed=True, slope="") if name in beside else site for name, site in spec.sites.items()}
    tensors = {name: axes for name, axes in spec.tensors.items() if name not in left}
    shapes: Mapping[str, tuple[int, ...]] = {
        name: tuple(map(spec.size_of, spec.tensors[name])) for name in spec.tensors if name in left - set(gone)
    }
    stacks = {name: members for name, members in spec.stacks.items() if name not in left}
    smaller = replace(spec, atoms=atoms, sites=sites, tensors=tensors, layers=layers, stacks=stacks)
    return freeze_rest(smaller, shapes)
