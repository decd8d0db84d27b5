"""A recipe in; nothing out, or the refusal of what contradicts itself. What each method takes stands here."""

from collections.abc import Mapping
from dataclasses import dataclass

from wembed.errors import UsageError
from wembed.merging.methods import NEED_BASE, Combination
from wembed.merging.recipe.document import MethodName, Recipe

_FEWEST = 2  # networks of a merge, the base among them
_SHARED = frozenset({"base", "weight"})


@dataclass(frozen=True)
class Method:
    """What a way of merging takes, and where it comes from.

    Args:
        title: for people.
        paper: who published it, "" for what needs no source.
        keys: of a recipe that only some methods take.
    """

    title: str
    paper: str
    keys: frozenset[str] = frozenset()


_METHODS: Mapping[MethodName, Method] = {
    "linear": Method("weighted average", "Wortsman et al., 2022", frozenset({"t", "weight"})),
    "slerp": Method("spherical interpolation", "Shoemake, 1985", frozenset({"t", "weight"})),
    "ties": Method("TIES", "Yadav et al., 2023", _SHARED | {"density", "scale"}),
    "dare": Method("DARE", "Yu et al., 2024", _SHARED | {"density", "scale"}),
    "task": Method("task arithmetic", "Ilharco et al., 2023", _SHARED | {"scale"}),
    "stock": Method("model stock", "Jang et al., 2024", frozenset({"base"})),
    "embedding": Method("interpolation in the embedding space", "", frozenset({"t", "weight", "maximise"})),
}


def method_of(name: MethodName) -> Method:
    """What a method takes."""
    return _METHODS[name]


def combination_of(recipe: Recipe) -> Combination:
    """The formula of a recipe with its numbers; of a search the average that it starts from.

    Raises:
        UsageError: a number is out of its range.
    """
    method = "linear" if recipe.method == "embedding" else recipe.method
    numbers = (recipe.given_weights, recipe.t, recipe.density, recipe.scale, recipe.seed)
    return Combination(method, *numbers)


def check_recipe(recipe: Recipe) -> None:
    """Raises a UsageError where the parts of a recipe contradict each other."""
    method = method_of(recipe.method)
    for key in ("base", "t", "density", "scale", "maximise"):
        if getattr(recipe, key) is not None and key not in method.keys:
            takers = ", ".join(name for name, other in _METHODS.items() if key in other.keys)
            raise UsageError(f"{_flag(key)} is not for --method {recipe.method}", f"it is for {takers}")
    if recipe.method in NEED_BASE and not recipe.base:
        raise UsageError(f"--method {recipe.method} takes a base", "give what all were fine-tuned from with --base")
    if len(recipe.names) < _FEWEST:
        raise UsageError(f"merging takes two or more checkpoints, found {len(recipe.names)}")
    if recipe.t is not None and len(recipe.models) > _FEWEST:
        hint = "give --weights" if "weight" in method.keys else "without it all count alike"
        raise UsageError(f"-t is the share of the second of two, found {len(recipe.models)}", hint)
    _check_weights(recipe, method)
    combination_of(recipe).check(len(recipe.models), bool(recipe.base))


def _check_weights(recipe: Recipe, method: Method) -> None:
    told = [entry for entry in recipe.models if entry.weight is not None]
    if (told or recipe.weights) and "weight" not in method.keys:
        raise UsageError(f"weights are not for --method {recipe.method}", "leave them out")
    if told and len(told) < len(recipe.models):
        raise UsageError(f"weights are given for {len(told)} of {len(recipe.models)} models", "give all or none")
    if recipe.weights and recipe.t is not None:
        raise UsageError("weights and -t contradict each other", "give one of them")


def _flag(key: str) -> str:
    return "-t" if key == "t" else f"--{key}"
