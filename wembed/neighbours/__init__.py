"""Queries and a table of embeddings in; the nearest checkpoints of a zoo out, by cosine similarity.

The search is exact: the table is read block by block, so that memory holds one block and the best so far. An index may
choose the candidates instead.
"""

from wembed.neighbours.approximate import probe, probes_of
from wembed.neighbours.asked import Found, Neighbour, Query, Wanted
from wembed.neighbours.exact import scan
from wembed.neighbours.find import Gather, search
from wembed.neighbours.percentile import Percentiles, percentiles_of

__all__ = [
    "Found",
    "Gather",
    "Neighbour",
    "Percentiles",
    "Query",
    "Wanted",
    "percentiles_of",
    "probe",
    "probes_of",
    "scan",
    "search",
]
