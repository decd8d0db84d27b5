"""Makes the families' data: `python -m wembed.symmetry.families.generate [FAMILY...]`, with transformers installed.

For each variant two networks are traced, a template derived, and the template checked: it must give what tracing gives
for every further network of the recipe, and the shapes of both.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wembed.symmetry.families.build import Built, built_network, renames_of, tied_names, usual_config
from wembed.symmetry.families.choose import spec_of_variant
from wembed.symmetry.families.derive import Example, derived_template, switches_of
from wembed.symmetry.families.family import Family, Variant, data_file, family_bytes
from wembed.symmetry.families.names import renamed_spec
from wembed.symmetry.families.recipes import RECIPES, Config, Recipe
from wembed.symmetry.rules import field_of, fields_in
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes
from wembed.symmetry.templates import Template, pattern_of, shapes_of
from wembed.symmetry.trace import trace_spec


def generated_family(name: str) -> Family:
    """A family, made from its recipe.

    Raises:
        ValueError: where a template does not give what tracing gives.
    """
    recipe = RECIPES[name]
    variants = tuple(_variant(recipe, architecture, fields) for architecture, fields in recipe.variants)
    network = built_network(recipe.model_type, recipe.variants[0][0], recipe.small)
    return Family(name, (recipe.model_type,), recipe.prefix, renames_of(network.module), variants)


def _variant(recipe: Recipe, architecture: str, fields: Config) -> Variant:
    usual = {recipe.activation: recipe.functions[0]} if recipe.activation else {}
    fields = {**usual, **fields}
    small, wide = (_example(recipe, architecture, {**config, **fields}) for config in (recipe.small, recipe.wide))
    template = derived_template(small, wide)
    network = built_network(recipe.model_type, architecture, {**recipe.small, **fields})
    variant = Variant(
        architecture=architecture,
        template=template,
        switches=(switches := switches_of(network.config, recipe.activation)),
        defaults=_defaults(recipe, template, switches),
        tied=tied_names(network.module, recipe.prefix),
        activation=recipe.activation,
        activations=dict(_activations(recipe, architecture, fields, small.spec, template)),
        takes_heads=architecture in recipe.heads,
    )
    for config in (recipe.small, recipe.wide, *recipe.more):
        _check(recipe, variant, {**config, **fields})
    return variant


def _defaults(recipe: Recipe, template: Template, switches: Mapping[str, object]) -> dict[str, object]:
    """What the config's class has for the fields that count; not for those that are told from others."""
    rules = [rule for rule in (*template.depths.values(), *template.sizes.values()) if " | " not in rule]
    fields = {field for rule in rules for field in fields_in(rule)} | set(switches)
    fields |= {recipe.activation} if recipe.activation else set()
    usual = usual_config(recipe.model_type)
    return {field: value for field in sorted(fields) if (value := field_of(usual, field)) is not None}


def _example(recipe: Recipe, architecture: str, fields: Config) -> Example:
    network = built_network(recipe.model_type, architecture, fields)
    return Example(_traced(network, recipe.prefix), network.config)


def _traced(network: Built, prefix: str) -> SymmetrySpec:
    """The spec of a network, its names without the body's prefix."""
    spec = trace_spec(network.module, network.args, network.kwargs)
    return renamed_spec(spec, {name: name.removeprefix(prefix) for name in spec.tensors})


def _activations(
    recipe: Recipe, architecture: str, fields: Config, usual: SymmetrySpec, template: Template
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What each activation function makes of the sites that are not what they are with the usual one."""
    for function in recipe.functions:
        spec = _example(recipe, architecture, {**recipe.small, **fields, recipe.activation: function}).spec
        yield (
            function,
            {
                pattern_of(name, template.depths): {key: getattr(site, key) for key in ("activation", "limit", "fixed")}
                for name, site in spec.sites.items()
                if site != usual.sites[name]
            },
        )


def _check(recipe: Recipe, variant: Variant, fields: Config) -> None:
    """The template gives what tracing gives: spec and shapes."""
    network = built_network(recipe.model_type, variant.architecture, fields)
    traced = _traced(network, recipe.prefix)
    shapes = stored_shapes(traced)
    found = spec_of_variant(variant, shapes, network.config)
    if found is None or found.hash != traced.hash:
        raise ValueError(f"{variant.architecture} at {dict(fields)}: {difference(found, traced)}")
    if shapes_of(variant.template, network.config) != shapes:
        raise ValueError(f"{variant.architecture} at {dict(fields)}: other shapes than the network's")


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
        known[family.name] = {"model_types": list(family.model_types), "landmarks": [], "fields": fields}
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def _fields(variant: Variant) -> Iterator[str]:
    """The fields at the top of a config that a variant reads."""
    rules = [*variant.template.depths.values(), *variant.template.sizes.values()]
    paths = [path for rule in rules for path in fields_in(rule)]
    yield from (path.partition(".")[0] for path in [*paths, *variant.switches, variant.activation] if path)


def main(names: list[str]) -> None:
    """Write the given families, or all."""
    folder = Path(str(data_file("any"))).parent
    for name in names or RECIPES:
        start = time.perf_counter()
        family = generated_family(name)
        path = folder / f"{name}.json.gz"
        path.write_bytes(family_bytes(family))
        write_index(folder, [family])
        size, seconds = path.stat().st_size, time.perf_counter() - start
        sys.stderr.write(f"{name}: {len(family.variants)} variants, {size} bytes, {seconds:.0f} s\n")


if __name__ == "__main__":
    main(sys.argv[1:])
