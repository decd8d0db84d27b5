"""A weight that reads one site and writes another: what linear layers, convolutions and tables have in common."""

from collections.abc import Sequence

from wembed.symmetry.axes import part_atoms, parts_of
from wembed.symmetry.spec import AxisRole, LayerKind
from wembed.symmetry.trace.carried import Carried, Part, Weight
from wembed.symmetry.trace.flow import Flow, FoundLayer
from wembed.symmetry.trace.sites import Ref


def write(
    flow: Flow,
    x: Carried,
    axis: int,
    weight: Weight,
    roles: Sequence[AxisRole],
    bias: Weight | None,
    kind: LayerKind = "dense",
) -> dict[Part, FoundLayer]:
    """A weight that reads an axis of a value; the layers by part of the axis that it writes.

    Args:
        flow: what is known.
        x: the value.
        axis: which of its axes is read.
        weight: the parameter.
        roles: of the weight's axes.
        bias: along the axis that is written.
        kind: of the layers.
    """
    target = roles.index("target")
    source = roles.index("source") if "source" in roles else -1
    batch = [weight.chosen] if weight.chosen else []
    if not batch:
        batch = [atom for i, role in enumerate(roles) if role == "batch" for atom in part_atoms(weight.axes[i], ())]
    written: dict[Part, FoundLayer] = {}
    for part in parts_of(weight.axes[target]):
        own = (*batch, *part_atoms(weight.axes[target], part))
        out = flow.place(weight, target, part, None) if not batch else flow.sites.new(own)
        if batch:
            flow.place(weight, target, part, out)
        for read in parts_of(weight.axes[source]) if source >= 0 else [part]:
            entering = flow.read(x, axis, read) if read in parts_of(x.axes[axis]) else flow.sites.new(())
            if source >= 0:
                inside = (*batch, *part_atoms(weight.axes[source], read))
                own_atoms = (*own, *inside) if kind == "dense" and _is_grouped(x, axis, weight, source) else inside
                flow.sites.restrict(entering, own_atoms)
                flow.place(weight, source, read, entering.inverse)
            layer = _layer(flow, kind, weight, roles, entering, out, part, read)
            written.setdefault(part, layer)
        if bias is not None:
            _attach(flow, written[part], bias, part, out)
    return written


def _is_grouped(x: Carried, axis: int, weight: Weight, source: int) -> bool:
    return x.axes[axis] != weight.axes[source]


def _layer(
    flow: Flow,
    kind: LayerKind,
    weight: Weight,
    roles: Sequence[AxisRole],
    entering: Ref,
    out: Ref,
    part: Part,
    read: Part,
) -> FoundLayer:
    """The layer of one part of a weight, unless an earlier use of it has made that layer."""
    target = roles.index("target")
    source = roles.index("source") if "source" in roles else -1
    target_part = weight.parts[target][part]
    source_part = weight.parts[source][read] if source >= 0 else ()
    layout = _stored(flow, weight, roles)
    for layer in flow.layers:
        turned = layer.layout != layout  # an earlier use read what this one writes
        parts = (source_part, target_part) if turned else (target_part, source_part)
        if layer.tensors.get("weight") == weight.tensor and (layer.target_part, layer.source_part) == parts:
            if kind != "dense":  # its factors are those of both ends at once
                flow.sites.join(layer.source, entering)
                flow.sites.join(layer.target, out)
            return FoundLayer(kind, entering, out, {}) if turned else layer
    found = FoundLayer(kind, entering, out, {"weight": weight.tensor}, layout, 1e-5, target_part, source_part)
    flow.layers.append(found)
    return found


def _stored(flow: Flow, weight: Weight, roles: Sequence[AxisRole]) -> tuple[AxisRole, ...]:
    """Roles in the order of the tensor's own axes; one of size 1 that was dropped is a tap."""
    by_place = {place: role for place, role in zip(weight.places, roles, strict=True) if place >= 0}
    return tuple(by_place.get(place, "tap") for place in range(len(flow.traced.tensors[weight.tensor])))


def _attach(flow: Flow, layer: FoundLayer, bias: Weight, part: Part, out: Ref) -> None:
    flow.place(bias, len(bias.axes) - 1, part, out)
    stored = bias.parts[-1][part]
    if any(bias.tensor in other.tensors.values() and other.target_part == stored for other in flow.layers):
        return
    if "bias" not in layer.tensors and "weight" in layer.tensors and stored == layer.target_part:
        layer.tensors["bias"] = bias.tensor
    else:
        flow.layers.append(FoundLayer("gain", out, out, {"bias": bias.tensor}, target_part=stored))
