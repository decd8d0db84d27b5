"""A recipe and headers in; how long a merge of them takes and how much memory, roughly, out.

Times are of one core, without what waiting for a disk takes; memory is what a process cannot give back, not the pages
of files that it has looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wembed.checkpoint import Checkpoint
from wembed.merging.matching.estimate import alignment_estimate
from wembed.merging.matching.moving import is_held
from wembed.merging.names import FormulaName
from wembed.merging.recipe.document import Recipe
from wembed.merging.streamed.blocks import BLOCK
from wembed.symmetry import SymmetrySpec

# Seconds for each element of each network, measured on files of 34 M elements, two networks and a base where there is
# one, on one core of a small x86-64 server; bf16 and float32 take the same within a tenth.
_SECONDS: Mapping[FormulaName, float] = {
    "linear": 1.9e-9,
    "slerp": 3.1e-9,
    "task": 2.3e-9,
    "ties": 9.3e-9,
    "dare": 4.8e-9,
    "stock": 3.7e-9,
}
_SECONDS_OF_HASH = 0.6e-9  # for each byte of the inputs, on the same core
_ARRAYS = 4  # of float32, of a block of each network
_COPIES = 3  # of each network in memory: as it is, in common scales, merged
_DOUBLE = 8  # bytes


@dataclass(frozen=True)
class Effort:
    """What a merge takes.

    Args:
        seconds: of one core.
        memory: bytes at its peak.
    """

    seconds: float
    memory: int


def effort_of(recipe: Recipe, checkpoints: Sequence[Checkpoint], spec: SymmetrySpec) -> Effort:
    """What matching, combining and hashing take; not what an encoder or a data set adds to it.

    Args:
        recipe: of the merge.
        checkpoints: its networks, the base among them.
        spec: the symmetries of all.
    """
    method: FormulaName = "linear" if recipe.method == "embedding" else recipe.method
    files = sum(file.stat().st_size for checkpoint in checkpoints for file in checkpoint.files)
    combining = checkpoints[0].parameters * len(recipe.models) * _SECONDS[method] + files * _SECONDS_OF_HASH
    blocks = BLOCK * 4 * _ARRAYS * len(checkpoints)
    if recipe.alignment == "none":
        whole = 0 if recipe.is_streamed else checkpoints[0].parameters * len(checkpoints) * _COPIES * _DOUBLE
        return Effort(combining, blocks + whole)
    matching = alignment_estimate(spec)
    others = len(checkpoints) - 1
    whole = _moved(checkpoints) if not is_held(spec) else matching.bytes * others
    return Effort(combining + matching.seconds * others, blocks + max(whole, matching.bytes))


def _moved(checkpoints: Sequence[Checkpoint]) -> int:
    """Of networks that are moved on their way from file to file: the largest tensor of each."""
    return len(checkpoints) * _DOUBLE * max(info.size for info in checkpoints[0].tensors.values())
