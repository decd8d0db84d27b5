"""A recipe: what is merged, and how; a YAML file that people write, the command line's flags, and what a card states.

Its keys are those of the command line. Models are named as there: a path, an id of the zoo.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from wembed.catalog.document import read_document
from wembed.catalog.refusal import as_usage_error
from wembed.errors import UsageError
from wembed.merging.names import AlignName, DtypeName, Maximised, MethodName

Predicted = Literal["predicted"]

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]b)?", re.ASCII | re.IGNORECASE)
_LEAST_SHARD = 1000  # bytes; below it a size is a slip, "5" for "5GB" say

# By mergekit's keys, which people will look for.
_ELSEWHERE = {
    "merge_method": "mergekit's merge_method is method here",
    "base_model": "mergekit's base_model is base here",
    "parameters": "mergekit's parameters stand on their own here: t, density, scale; and weight beside each model",
    "lambda": "mergekit's lambda is scale here",
    "slices": "whole networks are merged here, see models",
    "tokenizer_source": "the tokenizer is copied from the base, else from the first model",
}

_CODES: Mapping[DtypeName, str] = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"}


def dtype_code(name: DtypeName) -> str:
    """A dtype's name in safetensors files."""
    return _CODES[name]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RecipeModel(_Strict):
    """One of the networks that are merged.

    Args:
        model: as on the command line.
        weight: how much it counts; None for as much as the others.
    """

    model: str = Field(min_length=1)
    weight: float | None = Field(default=None, allow_inf_nan=False)


def _as_model(entry: object) -> object:
    """A bare name is a model without a weight."""
    return {"model": entry} if isinstance(entry, str) else entry


def bytes_of(text: str) -> int:
    """The bytes of a size such as 5GB, with decimal units, as the Hub counts.

    Raises:
        ValueError: if it is none.
    """
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * _UNITS[(found[2] or "").lower()] if found else 0
    if size < _LEAST_SHARD:
        raise ValueError("a size of at least 1KB is expected, such as 500MB or 5GB")
    return int(size)


def _checked_size(text: str) -> str:
    bytes_of(text)
    return text


class Recipe(_Strict):
    """What is merged and how.

    Args:
        method: how values are combined.
        models: the networks, without the base.
        base: what they were fine-tuned from, of methods that work on differences from it.
        weights: `predicted`: each counts as much as its accuracy that an encoder predicts.
        t: the share of the second of two.
        density: the share of each difference from the base that is kept.
        scale: what the summed differences from the base are multiplied by.
        align: how neurons are brought into one order first; None: not at all with a base, else by weights.
        data: the data set that helps to match, and that units and norms are renewed on.
        encoder: through which networks are seen.
        maximise: what the embedding search looks for, besides nearness to the interpolated embedding.
        dtype: of what is written; None for the base's, else the first one's.
        shard_size: the most that a file of a folder holds, such as 5GB; None for files like the first one's.
        seed: of all randomness.
    """

    method: MethodName = "linear"
    models: tuple[Annotated[RecipeModel, BeforeValidator(_as_model)], ...] = Field(default=(), strict=False)
    base: str | None = Field(default=None, min_length=1)
    weights: Predicted | None = None
    t: float | None = Field(default=None, ge=0.0, le=1.0)
    density: float | None = Field(default=None, gt=0.0, le=1.0)
    scale: float | None = Field(default=None, allow_inf_nan=False)
    align: AlignName | None = None
    data: str | None = None
    encoder: str | None = None
    maximise: Maximised | None = None
    dtype: DtypeName | None = None
    shard_size: Annotated[str, AfterValidator(_checked_size)] | None = None
    seed: int = Field(default=0, ge=0)

    @property
    def names(self) -> list[str]:
        """All networks in the order in which they are opened: the base, if there is one, then the models."""
        return [*([self.base] if self.base else []), *(entry.model for entry in self.models)]

    @property
    def alignment(self) -> AlignName:
        """How neurons are brought into one order: fine-tunes of one base have theirs in its order already."""
        return self.align or ("none" if self.base else "weights")

    @property
    def is_streamed(self) -> bool:
        """Whether tensors go from file to file one at a time: nothing has to be matched, renewed or searched."""
        return self.alignment == "none" and self.data is None and self.method != "embedding"

    @property
    def given_weights(self) -> tuple[float, ...] | None:
        """How much each model counts; None where nothing is said."""
        weights = [entry.weight for entry in self.models]
        return None if None in weights else tuple(weight for weight in weights if weight is not None)

    def with_weights(self, weights: "tuple[float, ...] | list[float]") -> "Recipe":
        """The same with how much each model counts, whatever it said of that.

        Raises:
            UsageError: one for each model is expected.
        """
        if len(weights) != len(self.models):
            expected = f"one for each of {len(self.models)} models is expected"
            raise UsageError(f"weights: {expected}, found {len(weights)}")
        pairs = zip(self.models, weights, strict=True)
        models = tuple(entry.model_copy(update={"weight": weight}) for entry, weight in pairs)
        return self.model_copy(update={"models": models, "weights": None})

    def text(self) -> str:
        """The YAML of a recipe, without what is left as it is by default."""
        told = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        text: str = yaml.safe_dump({"method": self.method, **told}, sort_keys=False, allow_unicode=True)
        return text


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe.

    Raises:
        UsageError: if it isn't one, naming the line and the key.
    """
    document = read_document(path)
    if not isinstance(document.contents, dict):
        raise UsageError(f"{path}: expected keys and values, such as method and models")
    try:
        return Recipe.model_validate(document.contents)
    except ValidationError as error:
        refused = as_usage_error(document, "a recipe", Recipe, error)
        raise UsageError(refused.message, _elsewhere(error) or refused.hint) from error


def _elsewhere(error: ValidationError) -> str:
    """What a key of mergekit's is called here, if that is what is wrong."""
    unknown = [str(entry["loc"][-1]) for entry in error.errors() if entry["type"] == "extra_forbidden"]
    return next((_ELSEWHERE[key] for key in unknown if key in _ELSEWHERE), "")
