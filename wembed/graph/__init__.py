"""The weight graph: a network's canonical view as groups of nodes and dense blocks between them."""

from wembed.graph.flow import HeadLink
from wembed.graph.weight_graph import VECTOR_ROLES, Block, Group, WeightGraph, build_graph
from wembed.symmetry.canonical_form.views import Tile

__all__ = ["VECTOR_ROLES", "Block", "Group", "HeadLink", "Tile", "WeightGraph", "build_graph"]
