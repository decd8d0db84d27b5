"""One checkpoint with its symmetries, as `inspect` and `permute` open it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import Zoo, locate
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.cli.options import with_standard_input
from wembed.cli.output import Output
from wembed.errors import UsageError
from wembed.symmetry import SymmetrySpec, declare_spec, load_spec, structure_signature
from wembed.zoo import spec_for, spec_of_row


@dataclass(frozen=True)
class Opened:
    """A checkpoint and its symmetries."""

    checkpoint: Checkpoint
    spec: SymmetrySpec

    def facts(self) -> Iterator[str]:
        """Gives what is known beside the groups, a sentence each."""
        yield f"tier {self.spec.tier}, structure {structure_signature(self.checkpoint)}, spec {self.spec.hash}"
        rows = self.spec.rows()
        free = sum(bool(row["free"]) for row in rows)
        yield f"{free} of {len(rows)} groups are free, {self.spec.free_share():.0%} of all indices"
        yield from self.spec.notes

    def save_graph(self, path: Path) -> None:
        """Writes the network as a HeteroData of torch_geometric."""
        from wembed.graph import build_graph
        from wembed.graph.pyg import save_pyg

        save_pyg(build_graph(self.checkpoint, self.spec), path)


def open_one(output: Output, argument: str, zoo: Path, spec: Path | None, chains: Sequence[str] = ()) -> Opened:
    """Opens the one checkpoint that an argument names, and says what was unwrapped.

    Args:
        output: how to speak.
        argument: path or id.
        zoo: whose ids and specs to know.
        spec: a spec file.
        chains: the steps of plain chains, which declare the spec instead.

    Raises:
        UsageError: if standard input names several.
        WembedError: if it can't be opened.
    """
    names = with_standard_input([argument])
    if len(names) > 1:
        raise UsageError(f"one checkpoint is expected, found {len(names)} on standard input")
    kept = Zoo.open(zoo) if Zoo.is_zoo(zoo) else None
    located = locate(names[0], kept)
    checkpoint = open_checkpoint(located.path)
    output.notices(names[0], checkpoint.notices)
    if spec and chains:
        raise UsageError("--chain and --spec both say what the symmetries are", "give one of them")
    if chains:
        shapes = {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
        return Opened(checkpoint, declare_spec(shapes, [chain.split() for chain in chains]))
    if spec:
        return Opened(checkpoint, spec_for(kept, checkpoint, load_spec(spec)))
    return Opened(checkpoint, spec_of_row(kept, checkpoint, located.row) if kept else spec_for(None, checkpoint))


def check_out(out: Path, checkpoint: Checkpoint) -> None:
    """Raises a UsageError if a copy of a checkpoint can't go there."""
    if out.suffix != ".safetensors":
        raise UsageError(f"cannot write {out}: expected a .safetensors file", "give -o that ending")
    if out.exists() and any(out.samefile(file) for file in checkpoint.files):
        raise UsageError(f"{out} is the checkpoint itself, which is never changed", "give -o another path")
