"""The weight graph: a network's canonical view as groups of nodes and dense blocks between them."""

from wembed.graph.weight_graph import Block, Group, WeightGraph, build_graph

__all__ = ["Block", "Group", "WeightGraph", "build_graph"]
