"""A weight graph as torch_geometric's HeteroData: node types are groups, edge types are blocks, edges are weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from wembed.checkpoint.staging import staged
from wembed.errors import WembedError
from wembed.graph.weight_graph import VECTOR_ROLES, Group, WeightGraph

if TYPE_CHECKING:
    import torch
    from torch_geometric.data import HeteroData


def to_pyg(graph: WeightGraph) -> "HeteroData":
    """The graph with every weight as an edge.

    Node type: a group's name; `x` [N, 5] float32 holds bias, gain, shift, slope and other vectors (0 where there is
    none). Edge type: (source group, block, target group); `edge_index` [2, T * S], `edge_attr` [T * S, taps] float32.
    """
    import torch
    from torch_geometric.data import HeteroData

    data = HeteroData()
    for group in graph.groups.values():
        data[group.name].x = _features(group)
    for block in graph.blocks:
        weight = torch.from_numpy(block.weight()).float()  # [T, S, taps]
        targets, sources, taps = weight.shape
        target, source = torch.arange(targets).repeat_interleave(sources), torch.arange(sources).repeat(targets)
        edges = data[block.source, block.name or "weight", block.target]
        edges.edge_index = torch.stack([source, target])
        edges.edge_attr = weight.reshape(-1, taps)
    return data


def save_pyg(graph: WeightGraph, path: Path) -> None:
    """Write `to_pyg(graph)` with torch.save; read it back with torch.load(path, weights_only=False).

    Raises:
        NotFoundError: the folder is missing.
        WembedError: the disk is full or refuses.
    """
    import torch

    data = to_pyg(graph)
    try:
        with staged(path) as partial:
            torch.save(data, partial)
    except RuntimeError as error:  # torch's own, of a disk that is full
        raise WembedError(f"{path}: could not be written: {error}") from error


def _features(group: Group) -> "torch.Tensor":
    import torch

    columns = torch.zeros(group.size, len(VECTOR_ROLES))
    for column, role in enumerate(VECTOR_ROLES):
        if role in group.vectors:
            columns[:, column] = torch.from_numpy(group.vectors[role])
    return columns
