"""A checkpoint's tensor names against a family's: prefixes, names of other versions, and renaming back."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from wembed.symmetry.families.family import Family, Variant
from wembed.symmetry.repeat import renamed_axis, renamed_site
from wembed.symmetry.spec import SymmetrySpec

_WRAPPERS = ("module.", "_orig_mod.")


def family_names(family: Family, names: Collection[str]) -> dict[str, str] | None:
    """A checkpoint's names as the family's templates have them, without the body's prefix: those -> the file's.

    None where two of the file's names would become one.
    """
    renamed = {_family_name(family, name): name for name in names}
    return renamed if len(renamed) == len(names) else None


def strip_wrappers(name: str) -> str:
    """A tensor's name without what wrapping a module puts before it."""
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def _family_name(family: Family, name: str) -> str:
    name = strip_wrappers(name)
    for pattern, replacement in family.renames:
        name = re.sub(pattern, replacement, name)
    return name.removeprefix(family.prefix)


def own_name(family: Family, variant: Variant, name: str) -> str:
    """A template's name of a tensor as the variant's own class has it."""
    return f"{family.prefix}{name}" if name.split(".")[0] in variant.body else name


def renamed_spec(spec: SymmetrySpec, names: Mapping[str, str]) -> SymmetrySpec:
    """A spec under other names: tensors as given, everything else after its tensors' modules.

    Args:
        spec: to rename.
        names: tensor name -> its new one, for every tensor that a file of the spec holds.
    """
    rename = _renaming(names)
    return replace(
        spec,
        atoms={
            rename(name): replace(atom, name=rename(name), under=rename(atom.under))
            for name, atom in spec.atoms.items()
        },
        tensors={
            rename(name): tuple(renamed_axis(axis, rename) for axis in axes) for name, axes in spec.tensors.items()
        },
        sites={rename(name): renamed_site(site, rename) for name, site in spec.sites.items()},
        layers=tuple(
            replace(
                layer,
                name=rename(layer.name),
                source=rename(layer.source),
                target=rename(layer.target),
                tensors={role: rename(name) for role, name in layer.tensors.items()},
            )
            for layer in spec.layers
        ),
        stacks={rename(name): tuple(map(rename, members)) for name, members in spec.stacks.items()},
    )


def _renaming(names: Mapping[str, str]) -> Callable[[str], str]:
    """The renaming of all strings: the longest known path that one begins with is replaced."""
    paths = {
        _module(old): _module(new)
        for old, new in names.items()
        if old.rpartition(".")[2] == new.rpartition(".")[2] and "." in old and "." in new
    }

    def rename(name: str) -> str:
        if name in names:
            return names[name]
        path = name
        while path not in paths:
            path = _END.sub("", path)
            if not path:
                return name
        return paths[path] + name[len(path) :]

    return rename


_END = re.compile(r"(\w+|\W)$")  # the last word or mark of a name


def _module(name: str) -> str:
    return name.rpartition(".")[0]
