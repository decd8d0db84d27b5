"""BuildManifest: a manifest with everything said for every group, as the builder reads it."""

import difflib
import heapq
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from wembed.catalog.document import Document
from wembed.errors import UsageError
from wembed.models import DataFile
from wembed.zoo.builder.manifest.group import Group
from wembed.zoo.builder.manifest.parts import Part
from wembed.zoo.builder.manifest.resolve import resolve
from wembed.zoo.builder.manifest.written import Written


class BuildManifest(Part):
    """A zoo to build; it is made from what people write, see `Written`, which is also its JSON schema.

    Args:
        name: what it is called.
        description: what it is for, in one line.
        seed: of all its randomness, unless the call gives another.
        data: the files of data sets, by name.
        groups: the runs, with all that is said about them.
    """

    name: str
    description: str = ""
    seed: int = 0
    data: dict[str, DataFile] = Field(default_factory=dict)
    groups: tuple[Group, ...]

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, given: Any, info: ValidationInfo) -> Any:  # Any: what pydantic hands over and takes back
        written = Written.model_validate(given)
        common = {name: getattr(written, name) for name in cls.model_fields}
        return common | {
            "groups": tuple(resolve(written, _places_in(info.context))),
            "data": _beside(written.data, info.context),
        }

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """That of what people write."""
        return handler(Written.__pydantic_core_schema__)

    def file_of(self, dataset: str) -> DataFile | None:
        """The file of a group's data set, if the manifest names one; all variants of a data set have the same."""
        return next((self.data[name] for name in _names_of(dataset) if name in self.data), None)

    @property
    def runs(self) -> int:
        """How many networks are trained in all, without twins and children."""
        return sum(group.runs for group in self.groups)

    @property
    def networks(self) -> int:
        """How many networks there are in all, twins and children included."""
        return sum(group.networks for group in self.groups)

    @property
    def checkpoints(self) -> int:
        """How many files they leave in all."""
        return sum(group.checkpoints for group in self.groups)

    def with_files(self, files: Mapping[str, DataFile]) -> "BuildManifest":
        """The same with other places for some of its data sets.

        Raises:
            UsageError: if no group is for one of them.
        """
        used = {name: None for group in self.groups for name in _names_of(group.dataset)}
        for name in files.keys() - used.keys():
            close = difflib.get_close_matches(name, used, n=1)
            hint = f"did you mean {close[0]}?" if close else f"its data sets are {', '.join(used)}"
            raise UsageError(f"the manifest has no data set {name!r}", hint)
        return self.model_copy(update={"data": {**self.data, **files}})

    def scaled(self, runs: int) -> "BuildManifest":
        """The same with another number of runs in all, spread over the groups in proportion.

        More runs are never fewer of any group: one after the other goes to the group that lacks most (Webster).
        """
        counts = [0] * len(self.groups)
        waiting = [(-float(group.runs), number) for number, group in enumerate(self.groups)]
        heapq.heapify(waiting)
        for _ in range(runs):
            _, number = waiting[0]
            counts[number] += 1
            heapq.heapreplace(waiting, (-self.groups[number].runs / (2 * counts[number] + 1), number))
        kept = [
            group.model_copy(update={"runs": count}) for group, count in zip(self.groups, counts, strict=True) if count
        ]
        return self.model_copy(update={"groups": tuple(kept)})


def _names_of(dataset: str) -> list[str]:
    """A data set, and what it may be a variant of: mnist-14-parity, mnist-14, mnist."""
    parts = dataset.split("-")
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _places_in(context: Any) -> Callable[[int], dict[str, str]]:  # Any: of whoever validates
    """What tells where the parts of the group of a number stand, for people."""
    document: Document | None = (context or {}).get("document")

    def places(number: int) -> dict[str, str]:
        if document is None:
            return {}
        group = document.contents["groups"][number]
        keys = {"dataset": "dataset", "architecture": "grid" if "grid" in group else "architecture"}
        keys |= {"children": "children"}
        return {name: document.where(("groups", number, key)) for name, key in keys.items()}

    return places


def _beside(data: Mapping[str, DataFile], context: Any) -> dict[str, DataFile]:  # Any: of whoever validates
    """The files of a manifest that lies in the context's folder, by paths from here."""
    folder = context["folder"] if context else Path()
    return {name: file.model_copy(update={"path": folder / file.path}) for name, file in data.items()}
