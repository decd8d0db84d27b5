"""Recipes: what people write, and what they are told when it is wrong."""

from pathlib import Path

import pytest

from wembed.errors import NotFoundError, UsageError
from wembed.merging.recipe.check import check_recipe
from wembed.merging.recipe.document import Recipe, RecipeModel, load_recipe

TIES = """\
method: ties
base: org-base
models:
  - model: code
    weight: 0.3
  - model: chat
    weight: 0.7
density: 0.2
scale: 1.0
dtype: bfloat16
"""


@pytest.fixture
def read(tmp_path):
    """Reads a recipe from its text."""

    def load(text: str) -> Recipe:
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return load_recipe(path)

    return load


def test_a_recipe_is_what_its_file_says(read):
    recipe = read(TIES)
    assert recipe.names == ["org-base", "code", "chat"]
    assert recipe.given_weights == (0.3, 0.7)
    assert (recipe.method, recipe.density, recipe.scale, recipe.dtype) == ("ties", 0.2, 1.0, "bfloat16")


def test_a_recipe_reads_as_it_was_written(read):
    recipe = read(TIES)
    assert read(recipe.text()) == recipe


def test_names_of_others_survive_a_recipe(read):
    recipe = Recipe(models=(RecipeModel(model="a: b\n- c"), RecipeModel(model="é#x", weight=0.5)))
    assert read(recipe.text()) == recipe


def test_fine_tunes_of_one_base_are_in_one_order_already(read):
    assert read(TIES).alignment == "none"
    assert read("models: [a, b]").alignment == "weights"
    assert read(TIES + "align: weights").alignment == "weights"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- a", "expected keys and values, such as method and models", ""),
        ("method: tie", "line 1: method: input should be 'linear', 'slerp', ", ""),
        ("models: a", "line 1: models: a list is expected, found 'a'", ""),
        (
            "models:\n- a\n- {model: b, wieght: 1}",
            "line 3: models.1.wieght is no key of a recipe",
            "did you mean weight?",
        ),
        ("models: [{weight: 1}]", "line 1: models.0.model is missing", ""),
        ("density: 2", "line 1: density: input should be less than or equal to 1, found 2", ""),
        ("t: .nan", "line 1: t: input should be ", ""),
        ("seed: -1", "line 1: seed: input should be greater than or equal to 0, found -1", ""),
        (
            "dtype: int8",
            "line 1: dtype: input should be 'bfloat16', 'float16', 'float32' or 'float64', found 'int8'",
            "",
        ),
        ("shard_size: '5'", "line 1: shard_size: a size of at least 1KB is expected, such as 500MB or 5GB", ""),
        ("shard_size: many", "line 1: shard_size: a size of at least 1KB is expected", ""),
        ("merge_method: ties", "line 1: merge_method is no key of a recipe", "mergekit's merge_method is method here"),
        ("base_model: a", "line 1: base_model is no key of a recipe", "mergekit's base_model is base here"),
        (
            "models: [{model: a, parameters: {weight: 1}}]",
            "models.0.parameters is no key of a recipe",
            "weight beside each",
        ),
        ("t: 0.1\nt: 0.2", "line 2: the key t stands there twice", "leave one of them out"),
        ("{", "is no YAML file", ""),
    ],
)
def test_a_wrong_recipe_is_refused_in_a_line(read, text, message, hint):
    with pytest.raises(UsageError) as refused:
        read(text)
    assert message in refused.value.message
    assert "\n" not in refused.value.message
    assert hint in refused.value.hint


def test_a_recipe_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match=r"nothing\.yaml: no such file"):
        load_recipe(tmp_path / "nothing.yaml")
    with pytest.raises(NotFoundError, match="is a folder, expected a YAML or TOML file"):
        load_recipe(tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("models: [a]", "merging takes two or more checkpoints, found 1", ""),
        ("method: ties\nmodels: [a, b]", "--method ties takes a base", "what all were fine-tuned from with --base"),
        ("base: x\nmodels: [a, b]", "--base is not for --method linear", "it is for ties, dare, task, stock"),
        ("density: 0.5\nmodels: [a, b]", "--density is not for --method linear", "it is for ties, dare"),
        ("method: stock\nbase: x\nmodels: [a]\nscale: 1.0", "--scale is not for --method stock", "ties, dare, task"),
        ("method: task\nbase: x\nmodels: [a]\nt: 0.5", "-t is not for --method task", "linear, slerp, embedding"),
        ("maximise: accuracy\nmodels: [a, b]", "--maximise is not for --method linear", "it is for embedding"),
        ("method: slerp\nmodels: [a, b, c]", "slerp takes two checkpoints, found 3", ""),
        ("t: 0.5\nmodels: [a, b, c]", "-t is the share of the second of two, found 3", "give --weights"),
        ("t: 0.5\nmodels: [{model: a, weight: 1}, {model: b, weight: 1}]", "weights and -t contradict each other", ""),
        ("weights: predicted\nt: 0.5\nmodels: [a, b]", "weights and -t contradict each other", ""),
        ("method: stock\nbase: x\nmodels: [a]", "--method stock takes two or more checkpoints beside the base", ""),
        (
            "weights: predicted\nmodels: [{model: a, weight: 1}, {model: b, weight: 1}]",
            "a weight for each model and weights: predicted contradict each other",
            "give one of them",
        ),
        ("models: [a, {model: b, weight: 1}]", "weights are given for 1 of 2 models", "give all or none"),
        ("models: [{model: a, weight: 1}, {model: b, weight: -1}]", "must add up to more than 0", ""),
        ("method: stock\nbase: x\nweights: predicted\nmodels: [a, b]", "weights are not for --method stock", ""),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(read, text, message, hint):
    with pytest.raises(UsageError) as refused:
        check_recipe(read(text))
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_there_is_a_weight_for_each_model():
    recipe = Recipe(models=(RecipeModel(model="a"), RecipeModel(model="b")))
    assert recipe.with_weights((0.25, 0.75)).given_weights == (0.25, 0.75)
    predicted = recipe.model_copy(update={"weights": "predicted"})
    assert predicted.with_weights((0.25, 0.75)) == recipe.with_weights((0.25, 0.75))
    with pytest.raises(UsageError, match="weights: one for each of 2 models is expected, found 3"):
        recipe.with_weights((1.0, 1.0, 1.0))


def test_sizes_are_decimal(tmp_path: Path):
    from wembed.merging.recipe.document import bytes_of

    assert [bytes_of(text) for text in ("5GB", "500 mb", "1.5kb")] == [5_000_000_000, 500_000_000, 1500]
