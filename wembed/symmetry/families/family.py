"""A family: what is known of one architecture, as data in the package, and how it is read and written.

Each family is one file; `generate` writes it from traced modules. A family has several variants, one for each head that
its networks come with.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

from wembed.symmetry.serialise import spec_from_json, spec_to_json
from wembed.symmetry.templates import Template

# Activation functions that let no scale pass, whatever they are called: they differ in nothing that a spec says.
SMOOTH = (
    "gelu", "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "quick_gelu", "silu", "swish",
    "mish",
)  # fmt: skip

# activation's name in a config -> site's pattern -> what the site's fields are under it
Activations = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Variant:
    """A family's network with one of its heads.

    Args:
        architecture: its class name, as config.json has it.
        template: its spec at any size.
        switches: the config's flags and names that it was traced with; another value may mean another function.
        defaults: what the fields that count are, by their paths, where a config does not have them.
        tied: groups of tensor names that are one tensor; a file needs to hold one of each group.
        activation: the config field that names the activation function, or "".
        activations: what the sites are under each function of that field.
        named: for checkpoints without a config of transformers, the architectures of timm that are known to be this
            one; where none is named, tensor names tell which axes go together, but not which functions are between.
        body: what the names begin with that stand behind the body's prefix in the class's own files.
        takes_heads: whether it ends in what a head reads, all of it frozen, so that any head may follow.
    """

    architecture: str
    template: Template
    switches: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    tied: tuple[tuple[str, ...], ...] = ()
    activation: str = ""
    activations: Activations = field(default_factory=dict)
    named: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    takes_heads: bool = False


@dataclass(frozen=True)
class Family:
    """An architecture with all its heads.

    Args:
        name: of the family and its file.
        model_types: of config.json; () where checkpoints have none and go by their names.
        prefix: what the names of the body begin with where a head is beside it, or "".
        renames: patterns and replacements that turn the names on disk into those of the templates, in order.
        variants: in the order in which they are tried.
    """

    name: str
    model_types: tuple[str, ...]
    prefix: str
    renames: tuple[tuple[str, str], ...]
    variants: tuple[Variant, ...]


def data_file(name: str) -> Any:  # a Traversable, whose module has moved between Python's versions
    """Where a family's data lie in the package."""
    return files(__package__).joinpath("data", f"{name}.json.gz")


@lru_cache
def index() -> dict[str, Any]:
    """What every family goes by: name -> its model types, and names that only its checkpoints have."""
    value: dict[str, Any] = json.loads(files(__package__).joinpath("data", "index.json").read_text(encoding="utf-8"))
    return value


@lru_cache
def load_family(name: str) -> Family:
    """A family of the package."""
    return family_from_json(json.loads(gzip.decompress(data_file(name).read_bytes())))


def family_bytes(family: Family) -> bytes:
    """A family as its file holds it, the same bytes for the same family."""
    return gzip.compress(json.dumps(family_to_json(family), separators=(",", ":")).encode(), 9, mtime=0)


def family_to_json(family: Family) -> dict[str, object]:
    """A family as JSON-ready data."""
    return {
        "name": family.name,
        "model_types": list(family.model_types),
        "prefix": family.prefix,
        "renames": [list(pair) for pair in family.renames],
        "variants": [_variant_to_json(variant) for variant in family.variants],
    }


def _variant_to_json(variant: Variant) -> dict[str, object]:
    return {
        "architecture": variant.architecture,
        "spec": spec_to_json(variant.template.spec),
        "depths": dict(variant.template.depths),
        "sizes": dict(variant.template.sizes),
        "shallowest": variant.template.shallowest,
        "fewest_heads": variant.template.fewest_heads,
        "switches": dict(variant.switches),
        "defaults": dict(variant.defaults),
        "tied": [list(names) for names in variant.tied],
        "activation": variant.activation,
        "activations": variant.activations,
        "named": list(variant.named),
        "body": list(variant.body),
        "takes_heads": variant.takes_heads,
    }


def family_from_json(value: Mapping[str, Any]) -> Family:
    """The inverse of `family_to_json`."""
    return Family(
        name=value["name"],
        model_types=tuple(value["model_types"]),
        prefix=value["prefix"],
        renames=tuple((pattern, replacement) for pattern, replacement in value["renames"]),
        variants=tuple(map(_variant, value["variants"])),
    )


def _variant(value: Mapping[str, Any]) -> Variant:
    return Variant(
        architecture=value["architecture"],
        template=Template(
            spec_from_json(value["spec"]),
            value["depths"],
            value["sizes"],
            value["shallowest"],
            value.get("fewest_heads", 1),
        ),
        switches=value["switches"],
        defaults=value["defaults"],
        tied=tuple(map(tuple, value["tied"])),
        activation=value["activation"],
        activations=value["activations"],
        named=tuple(value.get("named", ())),
        body=tuple(value.get("body", ())),
        takes_heads=value["takes_heads"],
    )
