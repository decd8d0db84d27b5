"""A manifest as it is written in; its groups out, each with all that it says, grids expanded."""

import difflib
from collections.abc import Callable, Mapping

from pydantic import BaseModel

from wembed.models import DATASETS, DataFile
from wembed.zoo.builder.manifest.grid import architectures_of
from wembed.zoo.builder.manifest.group import Group
from wembed.zoo.builder.manifest.parts import Children, Ranges, Training, Twins
from wembed.zoo.builder.manifest.refused import Place, refused
from wembed.zoo.builder.manifest.written import Written, WrittenGroup

MOST_NETWORKS = 1_000_000  # of one manifest

_VARIANTS = ("", "-parity", "-masked")  # of a data set with a file of its own, behind its name


def resolve(written: Written, places_of: Callable[[int], dict[str, str]]) -> list[Group]:
    """The groups of a manifest, in its order.

    Args:
        written: the manifest.
        places_of: tells people where the parts of the group of a number stand.

    Raises:
        ValidationError: a group can't be, or contradicts another; it says at which place.
    """
    sealed: dict[str, bool] = {}
    resolved: dict[str, Group] = {}
    for number, given in enumerate(written.groups):
        place: Place = ("groups", number)
        _check_dataset(given.dataset, (*place, "dataset"), written.data)
        if sealed.setdefault(given.dataset, given.sealed) != given.sealed:
            raise refused(place, f"{given.dataset} is sealed in one group and not in another")
        for group in _groups_of(written, given, place):
            if group.name in resolved:
                raise refused(place, f"the group {group.name} stands there twice")
            resolved[group.name] = group.model_copy(update={"places": places_of(number)})
    networks = sum(group.networks for group in resolved.values())
    if networks > MOST_NETWORKS:
        raise refused(("groups",), f"at most {MOST_NETWORKS} networks are expected, found {networks}")
    return list(resolved.values())


def _check_dataset(name: str, place: Place, files: Mapping[str, DataFile]) -> None:
    known = [*DATASETS, *(f"{own}{variant}" for own in files for variant in _VARIANTS)]
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)};"
    raise refused(place, f"no data set {name!r}", f"{hint} `data:` names files of your own")


def _groups_of(written: Written, given: WrittenGroup, place: Place) -> list[Group]:
    grid = given.grid
    architectures = [given.architecture] if grid is None else architectures_of(grid, (*place, "grid"))
    training = Training.model_validate(_changed(written.training, given.training))
    hyperparameters = Ranges.model_validate(_changed(written.hyperparameters, given.hyperparameters))
    twins = Twins.model_validate(_changed(written.twins, given.twins))
    children = Children.model_validate(_changed(written.children, given.children))
    return [
        Group.model_validate(
            {
                "dataset": given.dataset,
                "architecture": architecture,
                "runs": given.runs,
                "sealed": given.sealed,
                "training": training,
                "hyperparameters": hyperparameters,
                "twins": twins,
                "children": children,
            }
        )
        for architecture in architectures
    ]


def _changed(default: BaseModel, given: BaseModel) -> dict[str, object]:
    """What a group says, over what its manifest says for all."""
    return default.model_dump() | given.model_dump(exclude_unset=True)
