"""The declared way to a spec: a person who knows the order of a plain chain says it, in words.

A chain is a sequence of steps, in the order in which the network runs them: a module's path (`0`, `conv1`), an
activation (`relu`), `max_pool` or `flatten`. Average pooling and dropout change nothing here and are left out; max
pooling must be named, since the largest of negated values is not the negated largest.
"""

from collections.abc import Sequence

from wembed.errors import UsageError
from wembed.symmetry.inference.chains import Module, Shapes, modules_of
from wembed.symmetry.inference.draft import Draft
from wembed.symmetry.spec import SCALE_OF_ACTIVATION, Site, SymmetrySpec

FLATTEN = "flatten"


def declare_spec(shapes: Shapes, chains: Sequence[Sequence[str]]) -> SymmetrySpec:
    """A spec of tier `given` from the order of the steps.

    Args:
        shapes: tensor name -> shape.
        chains: for example [["0", "relu", "flatten", "3", "relu", "5"]]; tensors of no step are frozen.

    Raises:
        UsageError: an unknown step, or two that do not fit.
    """
    draft = Draft.of(shapes)
    modules = modules_of(draft.shapes)
    for number, steps in enumerate(chains):
        _add_chain(draft, modules, steps, f"chain{number}." if number else "")
    draft.add_rest()
    return draft.finish("given")


def _add_chain(draft: Draft, modules: dict[str, Module], steps: Sequence[str], head: str) -> None:
    places = [i for i, step in enumerate(steps) if step in modules and modules[step].is_dense]
    if not places:
        raise UsageError(f"the chain {' '.join(steps)!r} names no dense layer", _known(modules))
    first, last = modules[steps[places[0]]], places[-1]
    site = draft.site(f"{head}input", draft.atom(f"{head}input", first.shape[1], "input", "model input"), fixed=True)
    flattened = False
    for place, step in enumerate(steps):
        module = modules.get(step)
        if module is None and step == FLATTEN:
            flattened = True
        elif module is None and step in SCALE_OF_ACTIVATION:
            _activate(draft, site, step)
        elif module is not None and module.is_dense:
            site = _dense(draft, module, site, flattened, is_last=place == last)
            flattened = False
        elif module is not None and (module.is_batch_norm or module.is_slope):
            site = _per_channel(draft, module, site)
        else:
            raise UsageError(f"step {step!r} is no module of this checkpoint and no activation", _known(modules))


def _dense(draft: Draft, module: Module, source: str, flattened: bool, is_last: bool) -> str:
    reads, size = module.shape[1], draft.atoms[str(draft.sites[source].axis)].size
    if reads != size and not (flattened and reads % size == 0):
        found = f"{module.path} reads {reads} channels, what stands before it in the chain has {size}"
        raise UsageError(found, "" if flattened else "put `flatten` where channels and pixels become one axis")
    frozen, kind = ("model output", "output") if is_last else ("", "hidden")
    axis = draft.atom(f"{module.path}.out", module.shape[0], kind, frozen)  # type: ignore[arg-type]
    # With no activation after it the value passes as it is.
    target = draft.site(f"{module.path}.out", axis, "identity", fixed=is_last)
    draft.dense(module, source, target)
    if reads != size:
        draft.notes.append(f"{module.path}: flatten taken as channels first, as PyTorch's is")
    return target


def _per_channel(draft: Draft, module: Module, site: str) -> str:
    size = module.shape[0] if module.is_slope else module.vector_size
    expected = draft.atoms[str(draft.sites[site].axis)].size
    if size != expected:
        raise UsageError(f"{module.path} has {size} channels, what stands before it in the chain has {expected}")
    if module.is_batch_norm:
        return draft.batch_norm(module, site, "identity")
    old = draft.sites[site]
    slope = module.tensors["weight"]
    draft.tensors[slope] = (old.axis,)
    draft.sites[site] = Site(old.name, old.axis, "prelu", slope, old.fixed)
    return site


def _activate(draft: Draft, site: str, activation: str) -> None:
    old = draft.sites[site]
    draft.sites[site] = Site(old.name, old.axis, _then(old.activation, activation), old.slope, old.fixed)


def _then(first: str, second: str) -> str:
    """Two functions of one value, in order, as one that lets through what both do."""
    if first == "identity":
        return second
    if second == "max_pool" and SCALE_OF_ACTIVATION[first] == "positive":
        return first
    if first == "max_pool" and SCALE_OF_ACTIVATION[second] == "positive":
        return second
    return "unknown"


def _known(modules: dict[str, Module]) -> str:
    return f"modules: {', '.join(path for path in modules if path)}; activations: {', '.join(SCALE_OF_ACTIVATION)}"
