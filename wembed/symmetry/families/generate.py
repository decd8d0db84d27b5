"""Makes the families' data: `python -m wembed.symmetry.families.generate [FAMILY...]`, with transformers installed.

For each variant two networks are traced, a template derived, and the template checked: it must give what tracing gives
for every further network of the recipe, and the shapes of both.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from wembed.models.foreign import Runnable, complete_config
from wembed.symmetry.families.build import built_network, renames_of
from wembed.symmetry.families.choose import spec_of_variant
from wembed.symmetry.families.derive import Example, derived_template, switches_of
from wembed.symmetry.families.family import SMOOTH, Family, Variant, data_file, family_bytes
from wembed.symmetry.families.more_recipes import MORE_RECIPES
from wembed.symmetry.families.named import NAMED, NamedVariant
from wembed.symmetry.families.names import renamed_spec
from wembed.symmetry.families.recipes import RECIPES, Config, Recipe
from wembed.symmetry.families.shrink import freeze_rest
from wembed.symmetry.repeat import depths_in, stacks_of
from wembed.symmetry.resize import solved_sizes
from wembed.symmetry.rules import field_of, fields_in
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes
from wembed.symmetry.templates import Template, check_repeats, pattern_of, shapes_of
from wembed.symmetry.trace.trace_spec import trace_spec


def generated_family(name: str) -> Family:
    """A family, made from its recipe.

    Raises:
        ValueError: where a template does not give what tracing gives.
    """
    if name in NAMED:
        return Family(name, (), "", (), tuple(map(_named_variant, NAMED[name])))
    recipe = recipe_of(name)
    first, *others = recipe.variants
    variants = (_variant(recipe, *first, recipe.more), *(_variant(recipe, *other, recipe.more[:1]) for other in others))
    network = built_network(recipe.model_type, first[0], recipe.small)
    return Family(name, (recipe.model_type,), recipe.prefix, renames_of(network), variants)


def recipe_of(name: str) -> Recipe:
    """The recipe of a family of transformers."""
    return {**RECIPES, **MORE_RECIPES}[name]


def _variant(recipe: Recipe, architecture: str, fields: Config, more: Iterable[Config]) -> Variant:
    usual = {recipe.activation: recipe.functions[0]} if recipe.activation else {}
    fields = {**usual, **fields}
    small, wide = (_example(recipe, architecture, _joined(config, fields)) for config in (recipe.small, recipe.wide))
    template = replace(derived_template(small, wide), fewest_heads=recipe.fewest_heads)
    switches = switches_of(small.config, recipe.activation) | dict(recipe.fixed)
    network = built_network(recipe.model_type, architecture, _joined(recipe.small, fields))
    variant = Variant(
        architecture=architecture,
        template=template,
        switches=switches,
        defaults=_defaults(recipe, template, switches),
        tied=tuple(tuple(name.removeprefix(recipe.prefix) for name in group) for group in network.tied),
        activation=recipe.activation,
        activations=dict(_activations(recipe, architecture, fields, small.spec, template)),
        body=tuple(sorted(_behind(recipe.prefix, network.shapes))),
        takes_heads=architecture in recipe.heads,
    )
    further = [_example(recipe, architecture, _joined(config, fields)) for config in more]
    variant = _as_deep_as_proven(variant, further)
    for example in (small, wide, *further):
        _check(variant, example)
    return variant


def _behind(prefix: str, names: Iterable[str]) -> set[str]:
    """What names begin with behind a prefix, where there is one."""
    return {name.removeprefix(prefix).split(".")[0] for name in names if prefix and name.startswith(prefix)}


def _named_variant(recipe: NamedVariant) -> Variant:
    """A variant whose sizes all come from shapes, but for what shapes do not tell: that is as it is."""
    spec = _traced(recipe.small().traceable, "")
    solved = solved_sizes(spec.tensors, stored_shapes(spec), {})
    depths = dict.fromkeys(stacks_of(spec.tensors), "") if recipe.more else {}
    sizes = {pattern_of(name, depths): str(atom.size) for name, atom in spec.atoms.items() if name not in solved}
    check_repeats(spec, depths)
    shallowest = 2 if depths else 1
    variant = Variant(recipe.architecture, Template(spec, depths, sizes, shallowest), named=recipe.named)
    config = {"architecture": recipe.named[0]}
    for network in recipe.more:
        _check_spec(variant, Example(_traced(network().traceable, ""), config))
    return variant


def _joined(config: Config, fields: Config) -> Config:
    """A config with the fields of a variant."""
    said = {key: value for key, value in fields.items() if not str(value).startswith("= ")}
    told = {key: field_of(config, value[2:]) for key, value in fields.items() if key not in said}
    return {**config, **said, **told}


def _as_deep_as_proven(variant: Variant, examples: Iterable[Example]) -> Variant:
    """A variant that declines networks of one layer, unless one of them is proven to be what its template says."""
    stacks = variant.template.depths
    single = [example for example in examples if 1 in depths_in(example.spec.tensors, stacks).values()]
    try:
        for example in single:
            _check(variant, example)
    except ValueError:
        single = []
    return variant if single or not stacks else replace(variant, template=replace(variant.template, shallowest=2))


def _defaults(recipe: Recipe, template: Template, switches: Mapping[str, object]) -> dict[str, object]:
    """What the config's class has for the fields that count; not for those that are told from others."""
    rules = [rule for rule in (*template.depths.values(), *template.sizes.values()) if " | " not in rule]
    fields = {field for rule in rules for field in fields_in(rule)} | set(switches)
    fields |= {recipe.activation} if recipe.activation else set()
    usual = complete_config({"model_type": recipe.model_type})
    return {field: value for field in sorted(fields) if (value := field_of(usual, field)) is not None}


def _example(recipe: Recipe, architecture: str, fields: Config) -> Example:
    network = built_network(recipe.model_type, architecture, fields)
    return Example(_traced(network, recipe.prefix), network.config)


def _traced(network: Runnable, prefix: str) -> SymmetrySpec:
    """The spec of a network, with what no value passes through; its names without the body's prefix."""
    spec = trace_spec(network.module, network.args, network.kwargs)
    spec = freeze_rest(spec, {name: shape for name, shape in network.shapes.items() if name not in spec.tensors})
    return renamed_spec(spec, {name: name.removeprefix(prefix) for name in spec.tensors})


def _activations(
    recipe: Recipe, architecture: str, fields: Config, usual: SymmetrySpec, template: Template
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each activation function makes of the sites that are not what they are with the usual one."""
    changed: set[str] = set()
    for function in recipe.functions:
        spec = _example(recipe, architecture, {**_joined(recipe.small, fields), recipe.activation: function}).spec
        sites = [site for name, site in spec.sites.items() if site != usual.sites[name]]
        changed |= {site.name for site in sites}
        yield (
            function,
            {
                pattern_of(site.name, template.depths): {
                    key: getattr(site, key) for key in ("activation", "limit", "fixed")
                }
                for site in sites
            },
        )
    if recipe.functions and recipe.functions[0] in SMOOTH:
        unnamed = {pattern_of(name, template.depths): {"activation": "unknown"} for name in sorted(changed)}
        yield from ((function, unnamed) for function in SMOOTH if function not in recipe.functions)


def _check(variant: Variant, example: Example) -> None:
    """The template gives what tracing gives, from the shapes and from the config alone; or nothing of one layer."""
    if not _check_spec(variant, example):
        return
    try:
        shapes = shapes_of(variant.template, example.config)
    except ValueError:  # a size that no field gives: the config alone is not enough
        return
    if shapes != stored_shapes(example.spec):
        raise ValueError(f"{variant.architecture}: other shapes than the network's")


def _check_spec(variant: Variant, example: Example) -> bool:
    traced, config = example.spec, example.config
    shapes = stored_shapes(traced)
    found = spec_of_variant(variant, shapes, config)
    if found is None and _may_decline(variant.template, traced):
        return False
    if found is None or found.hash != traced.hash:
        raise ValueError(f"{variant.architecture}: {difference(found, traced)}")
    return True


def _may_decline(template: Template, spec: SymmetrySpec) -> bool:
    """Whether a network is shallower, or has fewer heads, than the template is known to be right for."""
    shallow = min(depths_in(spec.tensors, template.depths).values(), default=template.shallowest)
    pairs = sum(name.endswith(".repeats") for name in spec.atoms)
    return shallow < template.shallowest or (template.fewest_heads > 1 and not pairs)


def difference(found: SymmetrySpec | None, traced: SymmetrySpec) -> str:
    """The first thing in which two specs differ, for people."""
    if found is None:
        return "no spec"
    for kind in ("atoms", "tensors", "sites"):
        a, b = getattr(found, kind), getattr(traced, kind)
        for name in [*a, *b]:
            if a.get(name) != b.get(name):
                return f"{kind} {name}: {a.get(name)} by template, {b.get(name)} traced"
    for one, other in zip(found.layers, traced.layers, strict=False):
        if one != other:
            return f"layer {asdict(one)} by template, {asdict(other)} traced"
    return f"{len(found.layers)} layers by template, {len(traced.layers)} traced"


def write_index(folder: Path, families: Iterable[Family]) -> None:
    """Add what families go by to the index beside their files."""
    path = folder / "index.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for family in families:
        fields = sorted({field for variant in family.variants for field in _fields(variant)})
        marks = [] if family.model_types else [_landmarks(variant) for variant in family.variants]
        known[family.name] = {"model_types": list(family.model_types), "landmarks": marks, "fields": fields}
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def _landmarks(variant: Variant) -> list[str]:
    """Names that tell a variant from others before it is read."""
    names = list(variant.template.spec.tensors)
    return [names[0], names[len(names) // 2], names[-1]] if not variant.template.depths else [names[0], names[-1]]


def _fields(variant: Variant) -> Iterator[str]:
    """The fields at the top of a config that a variant reads."""
    rules = [*variant.template.depths.values(), *variant.template.sizes.values()]
    paths = [path for rule in rules for path in fields_in(rule)]
    paths += [*variant.switches, variant.activation]
    yield from (path.partition(".")[0] for path in paths if path not in ("", "id2label"))


def main(names: list[str]) -> None:
    """Write the given families, or all."""
    folder = Path(str(data_file("any"))).parent
    for name in names or [*RECIPES, *MORE_RECIPES, *NAMED]:
        start = time.perf_counter()
        family = generated_family(name)
        path = folder / f"{name}.json.gz"
        path.write_bytes(family_bytes(family))
        write_index(folder, [family])
        size, seconds = path.stat().st_size, time.perf_counter() - start
        sys.stderr.write(f"{name}: {len(family.variants)} variants, {size} bytes, {seconds:.0f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
