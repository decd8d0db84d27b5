"""Which family and which of its variants a checkpoint is, and its spec.

Everything is decided by names, shapes and config.json. Where the names are not exactly a variant's (but for biases that
are off, tied copies, and heads behind a body whose outputs are frozen), the family declines: None, never a guess.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wembed.errors import CheckpointRefusedError
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.experts import as_stored, joined
from wembed.symmetry.families.family import SMOOTH, Family, Variant, index, load_family
from wembed.symmetry.families.names import family_names, own_name, renamed_spec, strip_wrappers
from wembed.symmetry.families.shrink import freeze_rest, without
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.repeat import depths_in, repeated
from wembed.symmetry.resize import resized, solved_sizes
from wembed.symmetry.rules import Config, evaluate, field_of, with_defaults
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes
from wembed.symmetry.templates import has_heads_enough, pattern_of, rule_of, shapes_of, sizes_by_rule

_HARMLESS = re.compile(r"(^|\.)(rotary_emb\.inv_freq|position_ids|masked_bias|attn(\.attention)?\.bias)$")
_HEADS = frozenset(  # what the first part of a head's names is, in transformers
    {"classifier", "qa_outputs", "score", "lm_head", "cls", "pooler", "head", "fc", "logits_proj", "vocab_projector"}
)


@dataclass(frozen=True)
class _Match:
    """A variant whose names a checkpoint has.

    Args:
        variant: of the family.
        spec: at the checkpoint's depths, not its sizes yet.
        missing: tensors of it that the file does not have.
        extra: tensors of the file that it does not have.
    """

    variant: Variant
    spec: SymmetrySpec
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def family_spec(shapes: Shapes, config: Config) -> SymmetrySpec | None:
    """The spec of a checkpoint of a known family, or None.

    Args:
        shapes: the floating tensors of the checkpoint.
        config: its config.json, or nothing.

    Raises:
        CheckpointRefusedError: where config.json names the family and the shapes do not go together with it, naming
            the tensor.
    """
    whole = joined(shapes)
    for family in _families(whole, config):
        try:
            spec = _spec_of_family(family, whole, config)
        except CheckpointRefusedError:
            if family.model_types:
                raise
            continue
        if spec is not None:
            return as_stored(spec, shapes)
    return None


def _spec_of_family(family: Family, shapes: Shapes, config: Config) -> SymmetrySpec | None:
    names = family_names(family, shapes)
    match = _best_match(family, frozenset(names), config) if names else None
    if not names or not match:
        return None
    try:
        spec = _sized(match, {new: shapes[old] for new, old in names.items()}, config)
    except CheckpointRefusedError as error:  # which speaks of the family's names
        message = re.sub(r"^tensor (\S+)", lambda found: f"tensor {names.get(found[1], found[1])}", error.message)
        raise CheckpointRefusedError(message) from error
    return renamed_spec(spec, names) if spec else None


def spec_of_variant(variant: Variant, shapes: Shapes, config: Config) -> SymmetrySpec | None:
    """The spec of a checkpoint that has exactly a variant's names, without the body's prefix; None if it has others.

    Raises:
        CheckpointRefusedError: where shapes and config do not go together, naming the tensor.
    """
    match = _match(variant, frozenset(shapes), config)
    return _sized(match, shapes, config) if match and not match.extra else None


def family_shapes(config: Config) -> dict[str, tuple[int, ...]] | None:
    """The names and shapes of a config's network, from the config alone; None where no family gives them."""
    for family in _families({}, config):
        for variant in _in_order(family, config):
            try:
                if _switches_hold(variant, config):
                    shapes = shapes_of(variant.template, with_defaults(config, variant.defaults))
                    return {own_name(family, variant, name): shape for name, shape in shapes.items()}
            except ValueError:
                return None
    return None


def _families(shapes: Shapes, config: Config) -> Iterator[Family]:
    """The families that a config names; without a model type, those whose landmarks are among the names."""
    kind = config.get("model_type")
    bare = {strip_wrappers(name) for name in shapes}
    for name, entry in index().items():
        if kind in entry["model_types"] if kind else any(bare >= set(marks) for marks in entry["landmarks"]):
            yield load_family(name)


def structural_fields(config: Config) -> frozenset[str]:
    """The fields of a config that its family reads, or that would make it another network."""
    kind = config.get("model_type")
    return frozenset(field for entry in index().values() if kind in entry["model_types"] for field in entry["fields"])


def _in_order(family: Family, config: Config) -> list[Variant]:
    """The variants of a family, those that the config names first."""
    wanted = _named(config)
    return sorted(family.variants, key=lambda variant: variant.architecture not in wanted)


def _named(config: Config) -> set[str]:
    """The classes that a config names."""
    named = config.get("architectures")
    return set(map(str, named)) if isinstance(named, list) else set()


def _best_match(family: Family, names: frozenset[str], config: Config) -> _Match | None:
    """A variant that has every name of the file, the config's own first; else one behind which any head may stand."""
    wanted = _named(config)
    matches = [match for variant in _in_order(family, config) if (match := _match(variant, names, config))]
    whole = [match for match in matches if not match.extra]
    open_ended = [match for match in matches if _only_heads(match)]
    best = min(whole, key=lambda m: (m.variant.architecture not in wanted, len(m.missing)), default=None)
    return best or min(open_ended, key=lambda match: len(match.extra), default=None)


def _match(variant: Variant, names: frozenset[str], config: Config) -> _Match | None:
    template = variant.template
    depths = depths_in(names, template.depths)
    if not _switches_hold(variant, config) or min(depths.values(), default=99) < template.shallowest:
        return None
    try:
        spec = repeated(template.spec, depths)
    except ValueError:
        return None
    wanted = stored_shapes(spec).keys()
    missing = tuple(name for name in wanted if name not in names)
    extra = tuple(sorted(name for name in names - wanted if not _HARMLESS.search(name)))
    if not _may_be_missing(variant, spec, missing, names):
        return None
    return _Match(variant, spec, missing, extra)


def _switches_hold(variant: Variant, config: Config) -> bool:
    """Whether the config says nothing else than what the variant was traced with."""
    config = with_defaults(config, variant.defaults)
    if not all(_is_alike(field_of(config, path), value) for path, value in variant.switches.items()):
        return False
    said = field_of(config, variant.activation) if variant.activation else None
    return not variant.activation or (isinstance(said, str) and said in variant.activations)


def _is_alike(said: object, traced: object) -> bool:
    """Whether a config's value says no other function than the traced one."""
    return said in (None, traced) or (isinstance(said, str) and said in SMOOTH and traced in SMOOTH)


def _may_be_missing(variant: Variant, spec: SymmetrySpec, missing: tuple[str, ...], names: frozenset[str]) -> bool:
    """A bias may be off, which is one of zero; of a tensor with several names one is enough; bodies have no pooler."""
    biases = {name for layer in spec.layers if layer.kind == "dense" for name in [layer.tensors.get("bias")] if name}
    tied = {name for group in variant.tied if names & set(group) for name in group}
    ends = {name for name in missing if variant.takes_heads and name.startswith("pooler.")}
    return all(name in biases | tied | ends for name in missing)


def _only_heads(match: _Match) -> bool:
    inside = {name.split(".")[0] for name in match.spec.tensors}
    tops = {name.split(".")[0] for name in match.extra}
    return match.variant.takes_heads and tops <= _HEADS - inside


def _sized(match: _Match, shapes: Shapes, config: Config) -> SymmetrySpec | None:
    """The spec at a checkpoint's sizes; None where neither shapes nor config tell them all."""
    spec, template = match.spec, match.variant.template
    _check_depths(match, shapes, config)
    tensors = {name: axes for name, axes in spec.tensors.items() if name in shapes}
    by_rule = sizes_by_rule(template, spec, with_defaults(config, match.variant.defaults))
    heads = {name for name, atom in spec.atoms.items() if atom.kind == "head"}
    sizes = solved_sizes(tensors, shapes, {})
    for wanted in (heads, set(spec.atoms)):
        sizes |= {name: by_rule[name] for name in by_rule if name in wanted and name not in sizes}
        sizes = solved_sizes(tensors, shapes, sizes)
    _check_config(match, sizes, sizes_by_rule(template, spec, config))
    if not spec.atoms.keys() <= sizes.keys() or not has_heads_enough(template, spec, sizes):
        return None
    spec = resized(_activated(match.variant, spec, config), sizes)
    extra = {name: shape for name, shape in shapes.items() if name not in spec.tensors}
    return replace(freeze_rest(without(spec, match.missing, match.variant.tied), extra), tier="family")


def _check_depths(match: _Match, shapes: Shapes, config: Config) -> None:
    """A file with fewer layers than its config says is not whole."""
    rules = match.variant.template.depths
    for stack, found in depths_in(shapes, rules).items():
        said = evaluate(rules[stack], config)
        if said not in (None, found):
            name = next(name for name in shapes if name.startswith(f"{stack}{found - 1}."))
            raise CheckpointRefusedError(f"tensor {name} is of the last layer, but config.json says {said} layers")


def _check_config(match: _Match, sizes: Mapping[str, int], by_rule: Mapping[str, int]) -> None:
    """A config whose widths are not the file's belongs to another file, and its head counts too."""
    template = match.variant.template
    for name, said in by_rule.items():
        kind = match.spec.atoms[name].kind
        if kind in ("hidden", "head", "head_dim", "expert") and sizes.get(name, said) != said:
            rule = rule_of(template, name)
            tensor = next(t for t, axes in match.spec.tensors.items() if any(name in atoms_of(axis) for axis in axes))
            message = f"tensor {tensor} has {sizes[name]} indices along {name}, config.json says {rule} = {said}"
            raise CheckpointRefusedError(message)


def _activated(variant: Variant, spec: SymmetrySpec, config: Config) -> SymmetrySpec:
    """A spec whose sites are those of the config's activation function."""
    if not variant.activation:
        is_certain = config.get("model_type") or config.get("architecture") in variant.named
        return spec if is_certain else _without_scales(spec)
    value = str(field_of(with_defaults(config, variant.defaults), variant.activation))
    changes, depths = variant.activations[value], variant.template.depths
    sites = {name: replace(site, **changes.get(pattern_of(name, depths), {})) for name, site in spec.sites.items()}
    return replace(spec, sites=sites)


def _without_scales(spec: SymmetrySpec) -> SymmetrySpec:
    """A spec of a network whose functions between the layers are not known."""
    sites = {name: replace(site, activation="unknown", slope="") for name, site in spec.sites.items()}
    return replace(spec, sites=sites, notes=(*spec.notes, "no scales: the activation functions are not known"))
