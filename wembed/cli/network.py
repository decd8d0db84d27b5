"""Where a command's symmetries come from: options that say what the symmetries are, or which network it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.errors import UsageError

if TYPE_CHECKING:
    from wembed.models.foreign import Runnable


@dataclass(frozen=True)
class Sources:
    """What a person says about the network of a checkpoint.

    Args:
        spec: a spec file.
        chains: the steps of plain chains, which declare the spec.
        module: `package:factory`.
        config: a config.json, of transformers or timm.
        timm: a name of timm.

    Raises:
        UsageError: where two of them say the same thing.
    """

    spec: Path | None = None
    chains: tuple[str, ...] = ()
    module: str | None = None
    config: Path | None = None
    timm: str | None = None

    def __post_init__(self) -> None:
        """Check that nothing is said twice."""
        if self.spec and self.chains:
            raise UsageError("--chain and --spec both say what the symmetries are", "give one of them")
        given = [f"--{name}" for name in ("module", "config", "timm") if getattr(self, name)]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} each say what the network is", "give one of them")

    @property
    def has_network(self) -> bool:
        """Whether the network is given."""
        return bool(self.module or self.config or self.timm)

    def network(self) -> "Runnable | None":
        """The network that is given, without weights.

        Raises:
            WembedError: it cannot be had.
        """
        from wembed.models.foreign import factory_runnable, timm_runnable
        from wembed.symmetry.by_config import network_of, read_config

        if self.module:
            return factory_runnable(self.module)
        if self.timm:
            return timm_runnable(self.timm)
        return network_of(read_config(self.config)) if self.config else None
