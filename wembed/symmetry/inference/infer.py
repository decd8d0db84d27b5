"""The inferred tier: a spec from names and shapes alone, for plain chains; everything else is frozen, with the reason.

What enters are names and shapes; what leaves is a SymmetrySpec that covers every tensor of the checkpoint. Nothing in
a file says which activation stands where, so no scale is claimed.
"""

from wembed.symmetry.inference.chains import Link, Module, Shapes, families, links, modules_of
from wembed.symmetry.inference.draft import Draft
from wembed.symmetry.spec import AtomKind, SymmetrySpec


def infer_spec(shapes: Shapes) -> SymmetrySpec:
    """A spec of tier `inferred`.

    Args:
        shapes: tensor name -> shape, wrapper prefixes already stripped.
    """
    draft = Draft.of(shapes)
    modules = modules_of(draft.shapes)
    after: dict[str, Link] = {}
    ends: set[tuple[tuple[int, ...], ...]] = set()
    for family in families(modules):
        ends.add((family[0].shape[1:], family[-1].shape[:1]))
        after |= {link.writer.path: link for link in links(family, modules)}
    before = {link.reader.path: link for link in after.values()}
    dense = [module for module in modules.values() if module.is_dense]
    # Only where all dense layers are in chains, all from the same input to the same output, are their ends the model's.
    whole = len(ends) == 1 and all(module.path in after or module.path in before for module in dense)
    for module in dense:
        _add_dense(draft, module, before.get(module.path), after.get(module.path), whole)
    draft.add_rest()
    doubts = (link.doubt for link in after.values() if link.doubt)
    draft.notes.extend(dict.fromkeys(doubts))
    return draft.finish("inferred")


def _add_dense(draft: Draft, module: Module, before: Link | None, after: Link | None, whole: bool) -> None:
    """One dense layer, joined to the one before it if that link stands, and the norms behind it."""
    if before and not before.doubt:
        source = _last_site(before)
    else:
        source = _frozen_end(draft, module, "in", before, "input" if whole else "hidden")
    free = after is not None and not after.doubt
    if free:
        target = draft.site(f"{module.path}.out", draft.atom(f"{module.path}.out", module.shape[0], "hidden", ""))
    else:
        target = _frozen_end(draft, module, "out", after, "output" if whole else "hidden")
    draft.dense(module, source, target)
    if free and after is not None:
        _add_between(draft, after, target)


def _frozen_end(draft: Draft, module: Module, end: str, link: Link | None, kind: AtomKind) -> str:
    """A site of its own for an end of a layer that nothing is joined to."""
    name = f"{module.path}.{end}"
    if link is not None:
        kind, why = "hidden", link.doubt
    elif kind == "hidden":
        why = "what it is joined to cannot be told from names and shapes"
    else:
        why = "model input" if end == "in" else "model output"
    size = module.shape[1 if end == "in" else 0]
    return draft.site(name, draft.atom(name, size, kind, why))


def _last_site(link: Link) -> str:
    norms = [module for module in link.between if module.is_batch_norm]
    return f"{norms[-1].path}.out" if norms else f"{link.writer.path}.out"


def _add_between(draft: Draft, link: Link, site: str) -> None:
    """The norms and slopes behind a writer, along its axis."""
    for module in link.between:
        if module.is_batch_norm:
            site = draft.batch_norm(module, site, "unknown")
        else:
            draft.vectors(module.tensors.values(), site)
