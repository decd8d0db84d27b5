"""Model cards: what the Hub reads of them, and what a name of others does not do to them."""

from pathlib import Path

import yaml

from wembed.hub.card import read_card
from wembed.merging.output.card import Input, Made, card_of, library_of, metadata_of
from wembed.merging.recipe.document import Recipe, RecipeModel, load_recipe

RECIPE = Recipe(method="ties", base="base", models=(RecipeModel(model="a", weight=0.25), RecipeModel(model="b|x")))
INPUTS = (Input("base", "0" * 64, "org/base"), Input("a", "1" * 64, "org/a"), Input("b|x", "2" * 64))


def made(**changes: object) -> Made:
    return Made(**{"recipe": RECIPE, "inputs": INPUTS, "weights": (0.25, 0.75), "library": "transformers"} | changes)


def front_matter(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_hub_reads_what_a_merge_was_made_of():
    card = read_card({"cardData": front_matter(card_of(made(), "merged"))})
    assert card.base_models == ("org/base", "org/a")
    assert card.relation == "merge"


def test_a_card_names_tags_and_library():
    told = front_matter(card_of(made(), "merged"))
    assert told["tags"] == ["merge", "wembed"]
    assert told["library_name"] == "transformers"


def test_a_card_of_files_that_are_on_no_hub_names_no_base_model():
    told = front_matter(card_of(made(inputs=tuple(Input(each.name, each.sha256) for each in INPUTS)), "merged"))
    assert "base_model" not in told


def test_the_recipe_of_a_card_makes_the_merge_again(tmp_path: Path):
    text = card_of(made(), "merged")
    path = tmp_path / "recipe.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0])
    assert load_recipe(path) == RECIPE


def test_a_card_holds_hashes_and_weights():
    lines = card_of(made(), "merged").splitlines()
    assert "| base | base |  | `000000000000` |" in lines
    assert "| a | model | 0.25 | `111111111111` |" in lines
    assert r"| b\|x | model | 0.75 | `222222222222` |" in lines


def test_names_do_not_leave_their_place_in_a_card():
    evil = "x`\n```\n# Owned | <script>"
    recipe = Recipe(models=(RecipeModel(model=evil), RecipeModel(model="b")))
    text = card_of(Made(recipe, (Input(evil, "0" * 64), Input("b", "1" * 64))), evil)
    assert "\n# Owned" not in text
    assert "\n```\n#" not in text


def test_metadata_holds_the_recipe_and_all_of_the_hashes():
    told = metadata_of(made())
    assert yaml.safe_load(told["wembed.recipe"])["method"] == "ties"
    assert yaml.safe_load(told["wembed.merged"]) == {each.name: each.sha256 for each in INPUTS}


def test_libraries_are_told_by_their_configs():
    configs = ({"model_type": "llama"}, {"pretrained_cfg": {}}, {})
    assert [library_of(config) for config in configs] == ["transformers", "timm", ""]
