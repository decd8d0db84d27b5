"""CatalogRow: what is known about one checkpoint of a zoo, and its form as one line of JSON.

A row written by another version may lack columns or have more; a column of the wrong type is an error.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import get_args, get_origin, get_type_hints

_Line = str | bytes  # named here, since a column of the class is called bytes


@dataclass(frozen=True)
class CatalogRow:
    """One checkpoint of a zoo; None where something isn't known.

    Args:
        id: its name in the zoo.
        path: where it is: relative to the zoo if inside, else absolute.
        sha256: hash of the file.
        content: hash of the weights alone.
        structure: signature of names and shapes.
        spec: hash of its symmetries.
        tier: where its symmetries come from.
        source: where the file comes from.
        revision: of the source.
        licence: of the weights.
        tags: what its source files it under.
        downloads: how often it was fetched from its source in the last month, when the row was made.
        architecture: a coarse label.
        params: number of parameters.
        task: what it was trained for.
        dataset: what it was trained on.
        run: the training run that it is a snapshot of.
        parent: id of the checkpoint that it was made from.
        other_parent: id of the second checkpoint that it was made from, such as by a merge.
        derivation: how it was made from its parent.
        change: to its parent: the norm of the difference of their weights, over the norm of the parent's.
        step: of the run.
        seed: of the run.
        init_id: which initial weights.
        data_order_id: which order of the data.
        hyperparameters: of the run.
        train_accuracy: share of the training inputs that a run saw, of a child of all training inputs, 0 to 1.
        train_loss: on the training set.
        validation_accuracy: share of the validation set, 0 to 1.
        validation_loss: on the validation set.
        accuracy: share of the test set, 0 to 1.
        loss: on the test set.
        gap: training accuracy less test accuracy.
        metrics: what its source says of it beside, by kind, data set and split.
        split: train, validation, test or zero-shot, where the catalog states it.
        status: what is unusual about it, such as a diverged run.
        bytes: size of the files.
        added: when, as UTC in ISO form.
    """

    id: str
    path: str
    sha256: str = ""
    content: str = ""
    structure: str = ""
    spec: str = ""
    tier: str = ""
    source: str | None = None
    revision: str | None = None
    licence: str | None = None
    tags: list[str] = field(default_factory=list)
    downloads: int | None = None
    architecture: str | None = None
    params: int = 0
    task: str | None = None
    dataset: str | None = None
    run: str | None = None
    parent: str | None = None
    other_parent: str | None = None
    derivation: str | None = None
    change: float | None = None
    step: int | None = None
    seed: int | None = None
    init_id: str | None = None
    data_order_id: str | None = None
    hyperparameters: dict[str, object] = field(default_factory=dict)
    train_accuracy: float | None = None
    train_loss: float | None = None
    validation_accuracy: float | None = None
    validation_loss: float | None = None
    accuracy: float | None = None
    loss: float | None = None
    gap: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    split: str | None = None
    status: str | None = None
    bytes: int = 0
    added: str = ""

    def to_json(self) -> str:
        """Gives the row as one line of JSON, without what isn't known."""
        values = {name: value for name, value in self.as_dict().items() if value not in (None, "", {}, [])}
        return json.dumps(values, allow_nan=False)

    def as_dict(self) -> dict[str, object]:
        """Gives every column in order."""
        return {name: getattr(self, name) for name in COLUMNS}

    @classmethod
    def from_json(cls, line: _Line) -> "CatalogRow":
        """Reads what `to_json` wrote.

        Raises:
            ValueError: if the line is no JSON object, lacks the id or the path, or holds a value of the wrong type.
        """
        values = json.loads(line)
        if not isinstance(values, dict) or not values.get("id") or not values.get("path"):
            raise ValueError("expected a JSON object with an id and a path")
        known = {name: value for name, value in values.items() if name in COLUMNS}
        for name, value in known.items():
            if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}")
        return cls(**known)


def _accepted_types() -> dict[str, tuple[type, ...]]:
    accepted: dict[str, tuple[type, ...]] = {}
    for name, hint in get_type_hints(CatalogRow).items():
        kinds = tuple(get_origin(kind) or kind for kind in get_args(hint) or (hint,))
        container = get_origin(hint)
        accepted[name] = (container,) if container in (dict, list) else kinds
        if float in accepted[name]:
            accepted[name] += (int,)  # JSON writes 1.0 as 1 in other languages
    return accepted


COLUMNS = tuple(column.name for column in dataclasses.fields(CatalogRow))
_TYPES = _accepted_types()

# What people say about a checkpoint, as against what is computed from its file.
DESCRIPTIVE_COLUMNS = (
    "source", "revision", "licence", "architecture", "task", "dataset", "run", "parent", "other_parent", "derivation",
    "change", "step", "seed", "init_id", "data_order_id", "train_accuracy", "train_loss", "validation_accuracy",
    "validation_loss", "accuracy", "loss", "gap", "split", "status",
)  # fmt: skip
