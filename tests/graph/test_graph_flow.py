"""Places in the data flow, and groups that share heads."""

import numpy as np
import pytest
from every_architecture import VOCABULARY, WINDOW

from wembed.checkpoint import in_memory
from wembed.graph import build_graph
from wembed.graph.flow import depths
from wembed.models import GPT2, Architecture, Llama, ModelDescription
from wembed.models.modules import initial_state
from wembed.zoo.builder.specs import network_spec


def graph_of(architecture: Architecture):
    description = ModelDescription(architecture=architecture, shape=WINDOW, classes=VOCABULARY)
    return build_graph(in_memory(initial_state(description, 0)), network_spec(description))


def test_depth_grows_along_a_chain():
    chain = [("a", "x", "y"), ("b", "y", "z"), ("c", "z", "w")]
    assert depths(chain) == {"a": 0.0, "b": 0.5, "c": 1.0}


def test_stream_is_further_along_after_each_layer_that_writes_it():
    residual = [("in", "x", "s"), ("up", "s", "h"), ("down", "h", "s"), ("head", "s", "y")]
    assert depths(residual) == pytest.approx({"in": 0.0, "up": 1 / 3, "down": 2 / 3, "head": 1.0})


def test_networks_that_do_not_meet_have_depths_of_their_own():
    both = [("a0", "x", "y"), ("a1", "y", "z"), ("b0", "u", "v"), ("b1", "v", "w"), ("b2", "w", "t"), ("c", "p", "q")]
    assert depths(both) == {"a0": 0.0, "a1": 1.0, "b0": 0.0, "b1": 0.5, "b2": 1.0, "c": 0.5}


def test_queries_keys_and_values_of_a_head_are_linked():
    links = graph_of(GPT2(width=12, layers=1, heads=3)).links
    assert [link.heads for link in links] == [3]
    assert links[0].of_source.tolist() == links[0].of_target.tolist() == np.repeat(np.arange(3), 4).tolist()


def test_a_key_head_that_several_queries_share_is_linked_to_all_of_them():
    graph = graph_of(Llama(width=16, layers=1, heads=4, kv_heads=2))
    for link in graph.links:
        assert len(link.of_source) == graph.groups[link.source].size
        assert len(link.of_target) == graph.groups[link.target].size
        assert set(link.of_source) == set(link.of_target) == set(range(link.heads))
    assert {link.heads for link in graph.links} == {2, 4}


def test_a_group_is_linked_before_it_is_read():
    graph = graph_of(GPT2(width=12, layers=2, heads=3))
    for link in graph.links:
        reads = [number for number, block in enumerate(graph.blocks) if block.source == link.target]
        assert link.before == min(reads)
