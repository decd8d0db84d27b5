"""Cards as people write them, and as they should not; reading one is never an error."""

import json

import hypothesis
import hypothesis.strategies as st
import pytest

from wembed.hub.card import LONGEST_TEXT, MOST_METRICS, MOST_TAGS, read_card
from wembed.hub.repository import Card, Metric

INDEX = [
    {
        "name": "bert",
        "results": [
            {
                "task": {"type": "text-classification"},
                "dataset": {"name": "GLUE", "type": "glue", "config": "sst2", "split": "validation"},
                "metrics": [{"type": "accuracy", "value": 0.91}, {"type": "loss", "value": 1}],
            }
        ],
    }
]


def test_everything_that_a_whole_card_says():
    answer = {
        "config": {"model_type": "bert", "architectures": ["Bert"]},
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "tags": ["pytorch", "license:mit"],
        "downloads": 7,
        "likes": 2,
        "gated": "auto",
        "safetensors": {"parameters": {"F32": 10}, "total": 10},
        "cardData": {"license": "apache-2.0", "base_model": "org/base", "base_model_relation": "finetune"},
        "model-index": INDEX,
    }
    assert read_card(answer) == Card(
        model_type="bert",
        library="transformers",
        pipeline="fill-mask",
        licence="apache-2.0",
        tags=("pytorch", "license:mit"),
        downloads=7,
        likes=2,
        gated=True,
        parameters=10,
        base_models=("org/base",),
        relation="finetune",
        metrics=(
            Metric("accuracy", 0.91, "glue/sst2", "validation", "text-classification"),
            Metric("loss", 1.0, "glue/sst2", "validation", "text-classification"),
        ),
    )


def test_nothing_said_is_an_empty_card():
    assert read_card({}) == Card()


def test_the_model_index_may_be_in_the_card_data():
    assert len(read_card({"cardData": {"model-index": INDEX}}).metrics) == 2


@pytest.mark.parametrize(
    ("card", "tags", "licence"),
    [
        ({"license": "mit"}, ["license:gpl"], "mit"),
        ({}, ["license:mit"], "mit"),
        ({"license": ["mit", "gpl"]}, [], "mit, gpl"),
        ({"license": ["mit"]}, [], "mit"),
        ({"license": {"name": "mit"}}, [], None),
        ({"license": "m\x1bit"}, [], None),
        ({}, [], None),
    ],
)
def test_the_licence_is_that_of_the_card_else_of_the_tags(card, tags, licence):
    assert read_card({"cardData": card, "tags": tags}).licence == licence


@pytest.mark.parametrize(
    ("card", "tags", "base_models"),
    [
        ({"base_model": "org/a"}, ["base_model:org/b"], ("org/a",)),
        ({"base_model": ["org/a", "org/b", "org/a"]}, [], ("org/a", "org/b")),
        ({}, ["base_model:org/a", "base_model:finetune:org/a"], ("org/a",)),
        ({}, ["base_model:quantized:org/a"], ("org/a",)),
        ({"base_model": "gpt2"}, [], ("gpt2",)),
        ({"base_model": ["../../etc", "https://huggingface.co/org/a", "a/b/c", 7, None, "a b"]}, [], ()),
        ({"base_model": {"org/a": 1}}, [], ()),
    ],
)
def test_the_base_models_are_those_of_the_card_else_of_the_tags(card, tags, base_models):
    assert read_card({"cardData": card, "tags": tags}).base_models == base_models


@pytest.mark.parametrize(
    ("card", "tags", "relation"),
    [
        ({"base_model_relation": "merge"}, ["base_model:finetune:org/a"], "merge"),
        ({}, ["base_model:org/a", "base_model:adapter:org/a"], "adapter"),
        ({"base_model_relation": "cousin"}, [], None),
        ({"base_model_relation": ["merge"]}, [], None),
        ({}, ["base_model:org/a"], None),
    ],
)
def test_the_relation_is_a_known_one(card, tags, relation):
    assert read_card({"cardData": card, "tags": tags}).relation == relation


@pytest.mark.parametrize("value", ["0.9", None, True, float("nan"), float("inf"), [0.9], {"accuracy": 0.9}, 10**400])
def test_a_metric_is_a_finite_number(value):
    index = [{"results": [{"metrics": [{"type": "accuracy", "value": value}, {"type": "f1", "value": 0.5}]}]}]
    assert read_card({"model-index": index}).metrics == (Metric("f1", 0.5),)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ({"type": "glue", "config": "sst2", "name": "GLUE"}, "glue/sst2"),
        ({"type": "imdb", "config": "default"}, "imdb"),
        ({"type": "imdb", "config": "imdb"}, "imdb"),
        ({"name": "My own"}, "My own"),
        ("imdb", ""),
        ({"type": "a\nb"}, ""),
    ],
)
def test_the_data_set_of_a_metric_is_told_apart(dataset, name):
    index = [{"results": [{"dataset": dataset, "metrics": [{"type": "f1", "value": 1}]}]}]
    assert read_card({"model-index": index}).metrics[0].dataset == name


@pytest.mark.parametrize(
    "text", ["", "  ", "a\x1b[31m", "a\nb", "a\u202eb", "\ud800", "x" * (LONGEST_TEXT + 1), 7, ["a"]]
)
def test_a_text_that_no_table_can_show_is_left_out(text):
    answer = {"library_name": text, "pipeline_tag": text, "config": {"model_type": text}, "tags": [text, "good"]}
    assert read_card(answer) == Card(tags=("good",))


@pytest.mark.parametrize("number", [-1, 1.5, "7", True, 2**63, None, [1], float("nan")])
def test_a_count_that_is_none_is_left_out(number):
    answer = {"downloads": number, "likes": number, "safetensors": {"total": number, "parameters": {"F32": number}}}
    assert read_card(answer) == Card()


def test_parameters_of_several_kinds_are_added_where_the_total_is_missing():
    assert read_card({"safetensors": {"parameters": {"F32": 10, "I64": 5}}}).parameters == 15
    assert read_card({"safetensors": {"parameters": {"F32": 10, "I64": "5"}}}).parameters is None


def test_of_too_much_the_first_is_kept():
    index = [{"results": [{"metrics": [{"type": "f1", "value": 1}] * (MOST_METRICS + 1)}]}]
    card = read_card({"tags": ["tag"] * (MOST_TAGS + 1), "model-index": index})
    assert (len(card.tags), len(card.metrics)) == (MOST_TAGS, MOST_METRICS)


_NAMES = (
    "cardData tags license base_model base_model_relation model-index results metrics type value dataset task "
    "config split name safetensors parameters total gated library_name"
)
KEYS = st.sampled_from(_NAMES.split())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["base_model:", "license:"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=4),
    max_leaves=20,
)


@hypothesis.given(st.dictionaries(KEYS, ANYTHING))
def test_any_json_is_a_card_that_can_be_written_down(answer):
    card = read_card(answer)
    assert json.dumps(card.__dict__, default=lambda metric: metric.__dict__, allow_nan=False)
    assert all(text.isprintable() for text in (*card.tags, *card.base_models, card.licence or ""))
