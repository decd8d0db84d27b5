"""Task arithmetic: what fine-tuning added to a base is a vector, and vectors add up."""

from collections.abc import Iterator, Sequence

from wembed.merging.methods.blocks import Blocks, Values


def task(blocks: Blocks, weights: Sequence[float], scale: float) -> Iterator[Values]:
    """The base plus the sum of the task vectors (Ilharco et al., 2023, arXiv:2212.04089).

    Args:
        blocks: a tensor of fine-tunes and of their base.
        weights: what each task vector is multiplied by; negative to forget a task.
        scale: what their sum is multiplied by, the paper's λ.
    """
    for block in blocks:
        merged = block.origin
        for vector, weight in zip(block.task_vectors(), weights, strict=True):
            vector *= weight * scale
            merged = merged + vector
        yield merged
