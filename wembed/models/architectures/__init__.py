"""Architectures as data: a few words that build a network, which metadata and manifests hold."""

from typing import Annotated

from pydantic import Field

from wembed.models.architectures.base import ACTIVATIONS, BaseArchitecture
from wembed.models.architectures.chain import chain_steps
from wembed.models.architectures.cnn import CNN
from wembed.models.architectures.mlp import MLP
from wembed.models.architectures.mobile import Mobile
from wembed.models.architectures.recurrent import GRU, LSTM
from wembed.models.architectures.resnet import ResNet
from wembed.models.architectures.transformers_text import GPT2, T5, Bert, Llama
from wembed.models.architectures.vit import ViT

Architecture = Annotated[
    MLP | CNN | ResNet | Mobile | ViT | GRU | LSTM | Bert | GPT2 | Llama | T5, Field(discriminator="kind")
]
"""Any of them; its `kind` says which."""

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "GPT2",
    "GRU",
    "LSTM",
    "MLP",
    "T5",
    "Architecture",
    "BaseArchitecture",
    "Bert",
    "Llama",
    "Mobile",
    "ResNet",
    "ViT",
    "chain_steps",
]
