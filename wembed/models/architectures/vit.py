"""A small vision transformer (Dosovitskiy et al., arXiv 2010.11929): patches through pre-norm blocks to their mean."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from wembed.models.architectures.base import BaseArchitecture, Depth, Width

_POSITION_DEVIATION = 0.02  # of initial positions, as in the paper's code


class ViT(BaseArchitecture):
    """A transformer over the patches of an image, with learned positions and a GELU MLP in every block.

    Args:
        patch: pixels to a side of a patch.
        width: of the residual stream.
        layers: number of blocks.
        heads: of attention; they divide the width.
        expansion: width of an MLP over that of the stream.
    """

    takes: ClassVar = ("images",)

    kind: Literal["vit"] = "vit"
    patch: Annotated[int, Field(ge=1, le=64)] = 2
    width: Width = 32
    layers: Depth = 2
    heads: Annotated[int, Field(ge=1, le=64)] = 2
    expansion: Annotated[int, Field(ge=1, le=8)] = 2

    @model_validator(mode="after")
    def _check_heads(self) -> "ViT":
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        return self

    @property
    def label(self) -> str:
        """Such as vit-p2-l2-h2-e2-32: patch, layers, heads, expansion, width."""
        return f"vit-p{self.patch}-l{self.layers}-h{self.heads}-e{self.expansion}-{self.width}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """See BaseArchitecture.

        Raises:
            ValueError: the images cannot be cut into such patches.
        """
        channels, height, width = self.image_shape(shape)
        if height % self.patch or width % self.patch:
            raise ValueError(f"{self.label} cannot cut {height} x {width} pixels into patches of {self.patch}")
        return _VisionTransformer(self, (channels, height, width), classes)


class _VisionTransformer(nn.Module):
    def __init__(self, settings: ViT, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        patch, stream = settings.patch, settings.width
        self.images = nn.Unflatten(1, shape)
        self.patches = nn.Conv2d(channels, stream, patch, stride=patch)
        self.positions = nn.Parameter(torch.zeros(1, height // patch * (width // patch), stream))
        nn.init.normal_(self.positions, std=_POSITION_DEVIATION)
        self.blocks = nn.Sequential(
            *(_Block(stream, settings.heads, settings.expansion * stream) for _ in range(settings.layers))
        )
        self.norm = nn.LayerNorm(stream)
        self.head = nn.Linear(stream, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        patches = self.patches(self.images(inputs)).flatten(2).mT  # [B, P, D]
        values = self.norm(self.blocks(patches + self.positions))
        logits: Tensor = self.head(values.mean(1))  # [B, classes]
        return logits


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, values: Tensor) -> Tensor:
        values = values + self._attended(self.norm1(values))
        made: Tensor = self.fc2(functional.gelu(self.fc1(self.norm2(values))))
        return values + made

    def _attended(self, values: Tensor) -> Tensor:
        batch, positions, width = values.shape
        parts = self.qkv(values).view(batch, positions, 3, self.heads, width // self.heads)
        queries, keys, others = parts.permute(2, 0, 3, 1, 4).unbind(0)  # [B, heads, P, D / heads] each
        found = functional.scaled_dot_product_attention(queries, keys, others)
        made: Tensor = self.proj(found.transpose(1, 2).reshape(batch, positions, width))
        return made
