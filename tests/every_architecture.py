"""At least two small settings of every kind of architecture, and data that they are for."""

from wembed.models import (
    CNN,
    GPT2,
    GRU,
    LSTM,
    MLP,
    T5,
    Architecture,
    Bert,
    Llama,
    Mobile,
    ModelDescription,
    ResNet,
    ViT,
)

CHAINS = (
    MLP(hidden=(6, 5)),
    MLP(hidden=(6, 4, 5), activation="tanh"),
    MLP(hidden=(7,), activation="gelu", norm="batch"),
    MLP(hidden=(6, 5), activation="silu", norm="layer"),
    CNN(hidden=(3, 4), activation="silu"),
    CNN(hidden=(3, 4, 5), activation="leaky_relu", norm="batch"),
    CNN(hidden=(4, 6), kernel=5, strides=2, pooling="none"),
    CNN(hidden=(3, 5), kernel=(3, 1), strides=(1, 2), head="mean", norm="batch"),
    CNN(hidden=(4,), kernel=1, pooling="none", head="mean", activation="tanh"),
    MLP(hidden=(6, 5), activation="tanh", norm="layer"),
)
IMAGES = (
    ResNet(widths=(4, 6)),
    ResNet(widths=(4, 4, 8), blocks=2, activation="gelu"),
    Mobile(widths=(4, 6)),
    Mobile(widths=(4, 4), blocks=2, expansion=1, activation="silu"),
    Mobile(widths=(3, 5), blocks=2, expansion=4),
    ViT(patch=4, width=8, layers=1),
    ViT(patch=2, width=12, layers=2, heads=3, expansion=1),
    GRU(width=6),
    GRU(width=5, layers=2),
    LSTM(width=6),
    LSTM(width=5, layers=2),
)
TEXTS = (
    Bert(width=8, layers=1),
    Bert(width=12, layers=2, heads=3, tied=False),
    GPT2(width=8, layers=1),
    GPT2(width=12, layers=2, heads=3, tied=False),
    Llama(width=16, layers=1, heads=4, kv_heads=2),
    Llama(width=8, layers=2, tied=True),
    T5(width=8, layers=1),
    T5(width=12, layers=1, heads=3, expansion=3, tied=False),
)
EVERY = (*CHAINS, *IMAGES, *TEXTS)

IMAGE, LABELS = (1, 8, 8), 10
WINDOW, VOCABULARY = (12,), 20


def label_of(value: object) -> str:
    """What pytest calls a parameter."""
    return value.label if hasattr(value, "label") else ""


def described(architecture: Architecture) -> ModelDescription:
    """A network for small images or windows of text."""
    shape, classes = (WINDOW, VOCABULARY) if "text" in architecture.takes else (IMAGE, LABELS)
    return ModelDescription(architecture=architecture, shape=shape, classes=classes)
