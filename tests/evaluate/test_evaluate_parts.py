"""Parts of a zoo held out of a regression, and who may be called honest on them."""

import dataclasses

import numpy as np
import pytest

from wembed.evaluate.embeddings import Statistics, Vectors
from wembed.evaluate.prediction.foretell import ForetellOptions, foretell
from wembed.evaluate.prediction.parts import name_on, parts


@pytest.fixture(scope="module")
def halved(material):
    """The same networks, every second run of the many of one shape called a wider network on another data set."""
    rows = [
        dataclasses.replace(row, architecture="cnn-relu-16", dataset="digits")
        if row.dataset == "wine" and int(row.run[-3:]) % 2
        else row
        for row in material.rows
    ]
    return dataclasses.replace(material, rows=rows)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("wembed.evaluate.prediction.parts._LEAST_TESTED", 5)
    monkeypatch.setattr("wembed.evaluate.prediction.shuffled.SHUFFLES", 2)


def test_parts_are_families_of_architectures_ends_of_the_widths_and_data_sets(halved):
    assert {part.split for part in parts(halved)} == {
        "held-out architecture:mlp", "held-out architecture:cnn", "held-out width:16", "held-out width:8",
        "held-out dataset:wine", "held-out dataset:digits",
    }  # fmt: skip


def test_a_part_that_leaves_nothing_to_fit_on_is_passed_over(material):
    assert not [part for part in parts(material) if "architecture" in part.split or "dataset" in part.split]


def test_a_regression_sees_no_network_of_the_part(halved, monkeypatch):
    from wembed.evaluate.prediction import foretell as module

    seen = []
    original = module.fit
    monkeypatch.setattr(module, "fit", lambda *given: seen.append(given[3].usable) or original(*given))
    features = {"stats": Vectors(Statistics().embed(halved.items).astype(float), np.ones(len(halved.rows), dtype=bool))}
    found = foretell(halved, features, halved.rows[0].structure, 0, ForetellOptions(1))
    held_out = [part for part in parts(halved) if any(row.split == part.split for row in found.results)]
    assert held_out
    for part in held_out:
        assert any((usable == ~part.inside).all() for usable in seen)
        rows = [row for row in found.results if row.split == part.split and row.metric == "tau"]
        assert {row.n for row in rows} == {(part.inside & halved.side("test")).sum()}


@pytest.mark.parametrize("name", ["fingerprint", "stats", "cosine", "width"])
def test_what_has_no_training_is_called_by_its_name(halved, name):
    part = next(parts(halved))
    assert name_on(part, name, halved, {}) == name


def test_an_encoder_of_which_nothing_is_known_is_marked(halved):
    assert name_on(next(parts(halved)), "gnn", halved, {}) == "gnn (head only)"


def test_an_encoder_is_marked_if_and_only_if_it_was_trained_on_the_part(halved):
    part = next(part for part in parts(halved) if part.split == "held-out architecture:cnn")
    inside, outside = (str(halved.runs[np.flatnonzero(mask)[0]]) for mask in (part.inside, ~part.inside))
    assert name_on(part, "gnn", halved, {"gnn": frozenset({outside})}) == "gnn"
    assert name_on(part, "gnn", halved, {"gnn": frozenset({outside, inside})}) == "gnn (head only)"
    assert name_on(part, "gnn", halved, {"gnn": frozenset({outside, "elsewhere"})}) == "gnn (head only)"
