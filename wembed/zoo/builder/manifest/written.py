"""Written: a manifest as people write it, with defaults for all groups, and grids in the place of architectures."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from wembed.models import Architecture, DataFile
from wembed.zoo.builder.manifest.grid import architecture_fields
from wembed.zoo.builder.manifest.parts import Children, Part, Ranges, Training, TrainingKeys, Twins

MOST_RUNS = 100_000  # of one group

_SAFE_NAME = r"^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?$"  # it becomes part of file names


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise ValueError("one line is expected")
    return text


Name = Annotated[str, Field(min_length=1, max_length=100)]
Description = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
DataName = Annotated[str, Field(max_length=60, pattern=_SAFE_NAME)]
Seed = Annotated[int, Field(ge=0)]
Runs = Annotated[int, Field(ge=1, le=MOST_RUNS)]


class _GridSchema:
    """Tells whoever reads the JSON schema which fields a grid may have: those of any architecture."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        fields: JsonSchemaValue = {name: {} for name in architecture_fields()}
        return {"type": "object", "properties": fields, "additionalProperties": False}


Grid = Annotated[dict[str, Any], _GridSchema()]  # Any: a list of options, each of its field's type; or the only option


class WrittenGroup(Part):
    """Runs on one data set: of one architecture, or of each of a grid.

    Args:
        dataset: name of the data set.
        architecture: of the networks.
        grid: the fields of an architecture, each with a list of options; every combination is a group.
        runs: how many networks are trained, of every architecture.
        sealed: whether nothing else may be trained or chosen on them: their rows go to the zero-shot split.
        training: what is trained in another way than the manifest says.
        hyperparameters: what is drawn from other ranges.
        twins: other numbers of twins.
        children: other numbers of children.
    """

    dataset: str
    architecture: Architecture | None = None
    grid: Grid | None = None
    runs: Runs
    sealed: bool = False
    training: TrainingKeys = TrainingKeys()
    hyperparameters: Ranges = Ranges()
    twins: Twins = Twins()
    children: Children = Children()

    @model_validator(mode="after")
    def _check_choice(self) -> "WrittenGroup":
        if (self.architecture is None) == (self.grid is None):
            raise ValueError("either an architecture or a grid is expected")
        return self


class Written(Part):
    """A zoo to build.

    Args:
        name: what it is called.
        description: what it is for, in one line.
        seed: of all its randomness, unless the call gives another.
        data: files by name: of further data sets, or of known ones; a relative path is looked for beside the manifest.
        training: how every run is trained.
        hyperparameters: what every run draws.
        twins: how many runs that share something with it every run gets.
        children: how many networks are made from every run.
        groups: the runs.
    """

    name: Name
    description: Description = ""
    seed: Seed = 0
    data: dict[DataName, DataFile] = Field(default_factory=dict, max_length=100)
    training: Training
    hyperparameters: Ranges = Ranges()
    twins: Twins = Twins()
    children: Children = Children()
    groups: Annotated[tuple[WrittenGroup, ...], Field(min_length=1, max_length=10_000)]
