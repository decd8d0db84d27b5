"""The weight graph: a network's canonical view as groups of nodes and dense blocks between them."""

from wembed.graph.weight_graph import VECTOR_ROLES, Block, Group, WeightGraph, build_graph

__all__ = ["VECTOR_ROLES", "Block", "Group", "WeightGraph", "build_graph"]
