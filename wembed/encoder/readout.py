"""The gnn's module: four readings of a network beside each other in one vector.

What it can, read off the answers to probes, sweeps and block features; what it is like, read off the latter two; which
layers it is made of and which run it comes from, the two parts of its fingerprint, centred. Each has length 1 times a
learned weight, so the cosine of two networks is a weighted mean of four similarities.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wembed.encoder.batches import BLOCK_FEATURES, SIGNATURE, TOKENS, Batch
from wembed.encoder.features import FEATURE_VERSION
from wembed.encoder.probes import Probes, Task
from wembed.encoder.sweeps import Sweeps
from wembed.encoder.trained import AccuracyHead, AddUp, unit_vectors

_CLIP = 5.0  # standard deviations of a feature
_TINY = 1e-3
_LOG_SHARES = (-0.5, -1.2, 0.0, 0.7)  # of the parts of an embedding at the start


@dataclass(frozen=True)
class GnnConfig:
    """What an untrained gnn depends on.

    Args:
        hidden_dim: D, width of each part of a node's state.
        global_dim: length of what is learned: half of it says what a network can, half what it is like.
        message_passing_steps: sweeps, each forward and back.
        probes: learned inputs that are pushed through a network; without any, accuracies are read off what it is like.
        tasks: inputs and classes of the networks that were trained on: those have a consensus of answers.
        seed: of the initial weights.
        feature_version: the version of the block features.
    """

    hidden_dim: int = 32
    global_dim: int = 128
    message_passing_steps: int = 2
    probes: int = 128
    tasks: tuple[tuple[int, int], ...] = ()
    seed: int = 0
    feature_version: int = FEATURE_VERSION

    def __post_init__(self) -> None:
        """Check the sizes once.

        Raises:
            ValueError: a width that cannot be halved.
        """
        for name in ("hidden_dim", "global_dim"):
            if getattr(self, name) < 2 or getattr(self, name) % 2:
                raise ValueError(f"{name} is {getattr(self, name)}, expected an even number")

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return sum(self.parts)

    @property
    def parts(self) -> tuple[int, ...]:
        """Lengths of the parts of an embedding, the one that accuracies are read off first."""
        learned = (self.part, self.part) if self.probes else (self.part,)
        return (*learned, TOKENS, SIGNATURE)

    @property
    def part(self) -> int:
        """Length of each learned part."""
        return self.global_dim // 2


class GnnModule(nn.Module):
    """Batches in, embeddings out.

    Args:
        config: its shape.
    """

    block_mean: Tensor
    block_scale: Tensor
    token_mean: Tensor
    signature_mean: Tensor

    def __init__(self, config: GnnConfig) -> None:
        super().__init__()
        width = 2 * config.hidden_dim
        self.register_buffer("block_mean", torch.zeros(BLOCK_FEATURES))
        self.register_buffer("block_scale", torch.ones(BLOCK_FEATURES))
        self.register_buffer("token_mean", torch.zeros(TOKENS))
        self.register_buffer("signature_mean", torch.zeros(SIGNATURE))
        self.sweeps = Sweeps(config.hidden_dim, config.message_passing_steps)
        self.block_token = nn.Linear(BLOCK_FEATURES, width)
        self.attention = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.alike = nn.Linear(2 * width, config.part)
        tasks = [Task(*task) for task in config.tasks]
        self.probes = Probes(config.probes, width, tasks) if config.probes else None
        self.able = nn.Linear(3 * width, config.part) if config.probes else None
        self.log_shares = nn.Parameter(torch.tensor(_LOG_SHARES[-len(config.parts) :]))
        self.head = AccuracyHead(config.part)

    def calibrate(self, batches: Sequence[Batch]) -> None:
        """Set what features are centred and scaled by, from the networks to be trained on."""
        blocks = torch.cat([batch.blocks.flatten(0, 1) for batch in batches])  # [B blocks, F]
        self.block_mean.copy_(blocks.mean(0))
        self.block_scale.copy_(blocks.std(0) + _TINY)
        self.token_mean.copy_(torch.cat([batch.tokens for batch in batches]).mean(0))
        self.signature_mean.copy_(torch.cat([batch.signature for batch in batches]).mean(0))

    def after_epoch(self, batches: Sequence[Batch], accuracies: Sequence[Tensor], add_up: AddUp) -> None:
        """Let the networks that are trained on, of all processes, agree on the answers to the probes."""
        if self.probes is not None and self.probes.tasks:
            votes = self.probes.votes(batches, accuracies)
            add_up(part for vote in votes for part in (vote.shares, vote.say))
            self.probes.agree(votes)

    def accuracy_logits(self, batch: Batch) -> Tensor:
        """Logits of accuracies [B], from what networks can; without probes from what they are like."""
        seen = self._seen(batch)
        can = self._able(batch, seen)
        logits: Tensor = self.head(self.alike(seen) if can is None else can)
        return logits

    def forward(self, batch: Batch) -> Tensor:
        """Embeddings [B, D], not of length 1."""
        seen = self._seen(batch)
        can = self._able(batch, seen)
        parts = [] if can is None else [can.detach()]  # trained by accuracies alone
        parts += [self.alike(seen), batch.tokens - self.token_mean, batch.signature - self.signature_mean]
        shares = self.log_shares.exp()
        return torch.cat([s * unit_vectors(part) for s, part in zip(shares, parts, strict=True)], 1)

    def _able(self, batch: Batch, seen: Tensor) -> Tensor | None:
        """What networks can, [B, part]; None without probes."""
        if self.probes is None or self.able is None:
            return None
        can: Tensor = self.able(torch.cat([self.probes(batch), seen], 1))
        return can

    def _seen(self, batch: Batch) -> Tensor:
        """What attention makes of groups and blocks, [B, 4 D]."""
        blocks = ((batch.blocks - self.block_mean) / self.block_scale).clamp(-_CLIP, _CLIP)
        tokens = torch.cat([self.sweeps(batch), self.block_token(blocks)], 1)  # [B, groups + blocks, 2 D]
        found = self.attention(tokens)
        return torch.cat([found.mean(1), found.amax(1)], -1)
