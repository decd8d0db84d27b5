"""What a call of `merge` gives in, a recipe out: the flags take the place of what the recipe's file says."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.merging.recipe.document import Recipe

_PREDICTED = "predicted"


def asked_recipe(
    file: Path | None, models: Sequence[str], weights: str | None, flags: Mapping[str, object]
) -> "Recipe":
    """Gives the recipe of a call.

    Args:
        file: of a recipe, if there is one.
        models: given on the command line; they take the place of the file's.
        weights: numbers with commas between them, or `predicted`.
        flags: key of a recipe -> what the command line says, None where it says nothing.

    Raises:
        UsageError: the file is no recipe, or a flag is malformed.
    """
    from wembed.merging.recipe.document import Recipe, RecipeModel, load_recipe

    recipe = load_recipe(file) if file else Recipe()
    if weights or flags.get("t") is not None:
        recipe = _counting_alike(recipe)
    changes = {key: value for key, value in flags.items() if value is not None}
    if models:
        changes["models"] = tuple(RecipeModel(model=name) for name in models)
    if weights == _PREDICTED:
        changes["weights"] = _PREDICTED
    _check_size(flags.get("shard_size"))
    recipe = recipe.model_copy(update=changes)
    return recipe.with_weights(_numbers(weights)) if weights and weights != _PREDICTED else recipe


def _counting_alike(recipe: "Recipe") -> "Recipe":
    """The same without what says how much each model counts, of which the command line says something else."""
    models = tuple(entry.model_copy(update={"weight": None}) for entry in recipe.models)
    return recipe.model_copy(update={"models": models, "weights": None, "t": None})


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--weights {text!r}: expected numbers with commas between them", "such as 0.3,0.7; or predicted"
        ) from error


def _check_size(text: object) -> None:
    from wembed.merging.recipe.document import bytes_of

    try:
        if isinstance(text, str):
            bytes_of(text)
    except ValueError as error:
        raise UsageError(f"--shard-size {text!r}: {error}") from error
