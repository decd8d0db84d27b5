"""One tensor of several networks in, the merged tensor out: a small pure function for each paper.

Networks are averaged (`linear`), joined by an arc (`slerp`), or taken apart into a base and what fine-tunes added to
it (`task`, `ties`, `dare`, `stock`). Symmetries are dealt with before.
"""

from wembed.merging.methods.blocks import Block
from wembed.merging.methods.combination import METHODS, NEED_BASE, Combination, combine, combined, finite

__all__ = ["METHODS", "NEED_BASE", "Block", "Combination", "combine", "combined", "finite"]
