"""A recipe in; nothing out, or the refusal of what contradicts itself. What each method takes stands here."""

from collections.abc import Mapping
from dataclasses import dataclass

from wembed.errors import UsageError
from wembed.merging.methods import Combination
from wembed.merging.names import MethodName
from wembed.merging.recipe.document import Recipe

_BASE = frozenset({"base"})


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
    "linear": Method("weighted average", "Wortsman et al., 2022"),
    "slerp": Method("spherical interpolation", "Shoemake, 1985"),
    "ties": Method("TIES", "Yadav et al., 2023", _BASE | {"density", "scale"}),
    "dare": Method("DARE", "Yu et al., 2024", _BASE | {"density", "scale"}),
    "task": Method("task arithmetic", "Ilharco et al., 2023", _BASE | {"scale"}),
    "stock": Method("model stock", "Jang et al., 2024", _BASE),
    "embedding": Method("interpolation in the embedding space", "", frozenset({"maximise"})),
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
    numbers = (recipe.given_weights or None, recipe.t, recipe.density, recipe.scale, recipe.seed)
    return Combination(method, *numbers)


def check_recipe(recipe: Recipe) -> None:
    """Raises a UsageError where the parts of a recipe contradict each other."""
    method = method_of(recipe.method)
    for key in ("base", "density", "scale", "maximise"):
        if getattr(recipe, key) is not None and key not in method.keys:
            takers = ", ".join(name for name, other in _METHODS.items() if key in other.keys)
            raise UsageError(f"--{key} is not for --method {recipe.method}", f"it is for {takers}")
    count = len(recipe.models)
    told = sum(entry.weight is not None for entry in recipe.models)
    if 0 < told < count:
        raise UsageError(f"weights are given for {told} of {count} models", "give all or none")
    if told and recipe.weights:
        raise UsageError("a weight for each model and weights: predicted contradict each other", "give one of them")
    weighted = recipe.with_weights([1.0] * count) if recipe.weights and not told else recipe
    combination_of(weighted).check(count, bool(recipe.base))
