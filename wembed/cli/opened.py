"""One checkpoint with its symmetries, as `inspect` and `permute` open it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.catalog import Zoo, locate
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.checkpoint.layouts import INDEX_SUFFIXES
from wembed.cli.network import Sources
from wembed.cli.options import with_standard_input
from wembed.cli.output import Output
from wembed.errors import UsageError, WembedError
from wembed.symmetry import SymmetrySpec, declare_spec, load_spec, structure_signature
from wembed.zoo import spec_for, spec_of_row
from wembed.zoo.specs import carries_spec

if TYPE_CHECKING:
    from wembed.models.foreign import Runnable

_MOST_REASONS = 6  # why groups are frozen, those of the most groups first


@dataclass(frozen=True)
class Described:
    """The symmetries of a network.

    Args:
        spec: the symmetries.
        given: the network, where a person said what it is.
    """

    spec: SymmetrySpec
    given: "Runnable | None"

    def facts(self) -> Iterator[str]:
        """Gives what is known beside the groups, a sentence each."""
        yield f"tier {self.spec.tier}, spec {self.spec.hash}"
        yield from _facts(self.spec)

    def save_graph(self, path: Path) -> None:
        """Raises a UsageError, as there are no weights."""
        raise UsageError(f"cannot write {path}: a graph holds weights", "give a checkpoint")

    def network(self) -> "Runnable":
        """Gives the network.

        Raises:
            WembedError: nobody knows it.
        """
        if not self.given:
            hint = "give it with --module package:factory; or with --config config.json or --timm NAME"
            raise WembedError("there is no network to run, which --verify does", hint)
        return self.given


@dataclass(frozen=True)
class Configured(Described):
    """The symmetries of a config's network.

    Args:
        spec: the symmetries.
        given: nothing.
        config: what the config.json holds.
    """

    config: Mapping[str, object]

    def network(self) -> "Runnable":
        """Gives the config's network, which is built now.

        Raises:
            WembedError: it cannot be.
        """
        from wembed.symmetry.by_config import network_of

        return network_of(self.config)


@dataclass(frozen=True)
class Opened(Described):
    """A checkpoint and its symmetries.

    Args:
        spec: the symmetries.
        given: the network, where a person said what it is.
        checkpoint: the file.
    """

    checkpoint: Checkpoint

    def facts(self) -> Iterator[str]:
        """Gives what is known beside the groups, a sentence each."""
        yield f"tier {self.spec.tier}, structure {structure_signature(self.checkpoint)}, spec {self.spec.hash}"
        yield from _facts(self.spec)

    def save_graph(self, path: Path) -> None:
        """Writes the network as a HeteroData of torch_geometric."""
        from wembed.graph import build_graph
        from wembed.graph.pyg import save_pyg

        save_pyg(build_graph(self.checkpoint, self.spec), path)

    def network(self) -> "Runnable":
        """Gives the network: the given one, else the one that the file or its config.json describes.

        Raises:
            WembedError: nobody knows it.
        """
        from wembed.models.foreign import described_runnable
        from wembed.symmetry.by_config import names_network, network_of

        if not self.given and names_network(self.checkpoint.config):
            return network_of(self.checkpoint.config)
        return self.given or described_runnable(self.checkpoint) or super().network()


def _facts(spec: SymmetrySpec) -> Iterator[str]:
    """Gives what is known of symmetries beside their groups, a sentence each."""
    rows = spec.rows()
    free = sum(bool(row["free"]) for row in rows)
    yield f"{free} of {len(rows)} groups are free, {spec.free_share():.0%} of all indices"
    reasons = Counter(str(row["why"]) for row in rows if row["why"])
    if reasons:
        yield "frozen: " + ", ".join(f"{count} {why}" for why, count in reasons.most_common(_MOST_REASONS))
    yield from spec.notes


def open_any(output: Output, argument: str | None, zoo: Path, sources: Sources) -> Described:
    """Opens what `inspect` shows: a checkpoint, see `open_one`, or a network without weights.

    Args:
        output: how to speak.
        argument: path or id; a config.json; or nothing, where `sources` say what the network is.
        zoo: whose ids and specs to know.
        sources: what is given about its symmetries.

    Raises:
        UsageError: nothing is given.
        WembedError: it can't be opened.
    """
    if argument and not _is_config(argument):
        return open_one(output, argument, zoo, sources)
    if sources.spec or sources.chains:
        raise UsageError("--spec and --chain are about a checkpoint", "give one")
    if argument:
        return _configured(Path(argument))
    network = sources.network()
    if network is None:
        raise UsageError("nothing to inspect", "give a checkpoint, a config.json, --timm or --module")
    from wembed.symmetry.fitted import traced_spec

    return Described(traced_spec(network), network)


def _is_config(argument: str) -> bool:
    return argument.endswith(".json") and not argument.endswith(INDEX_SUFFIXES)


def _configured(path: Path) -> Described:
    from wembed.symmetry.by_config import read_config, spec_of_config

    config = read_config(path)
    return Configured(spec_of_config(config), None, config)


def open_one(output: Output, argument: str, zoo: Path, sources: Sources) -> Opened:
    """Opens the one checkpoint that an argument names, and says what was unwrapped.

    Args:
        output: how to speak.
        argument: path or id.
        zoo: whose ids and specs to know.
        sources: what is given about its symmetries.

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
    network = sources.network() if sources.has_network else None
    if sources.chains:
        shapes = {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
        return Opened(declare_spec(shapes, [chain.split() for chain in sources.chains]), network, checkpoint)
    if sources.spec:
        return Opened(spec_for(kept, checkpoint, load_spec(sources.spec)), network, checkpoint)
    if network and not carries_spec(checkpoint):
        return Opened(_spec_of(network, checkpoint), network, checkpoint)
    spec = spec_of_row(kept, checkpoint, located.row) if kept else spec_for(None, checkpoint)
    return Opened(spec, network, checkpoint)


def _spec_of(network: "Runnable", checkpoint: Checkpoint) -> SymmetrySpec:
    from wembed.symmetry.fitted import spec_of_file

    return spec_of_file(network, checkpoint)


def check_out(out: Path, checkpoint: Checkpoint) -> None:
    """Raises a UsageError if a copy of a checkpoint can't go there."""
    if out.suffix != ".safetensors":
        raise UsageError(f"cannot write {out}: expected a .safetensors file", "give -o that ending")
    if out.exists() and any(out.samefile(file) for file in checkpoint.files):
        raise UsageError(f"{out} is the checkpoint itself, which is never changed", "give -o another path")
