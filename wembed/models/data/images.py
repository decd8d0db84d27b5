"""Arrays of pixels in; images as networks take them out: channels first, from 0 to 1, at half the size if wished."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wembed.errors import UsageError
from wembed.models.data.rules import check_finite
from wembed.models.data.split import Examples, split_rows

_MOST_CHANNELS = 4
_SHAPE = (1, 28, 28)  # of MNIST and what is made like it


def images_of(pixels: NDArray[np.float32], labels: NDArray[np.int64], tested: int = 0) -> Examples:
    """Gives examples of images.

    Pixels that are not negative are divided by the largest of the training part, unless that is 1 or less.

    Args:
        pixels: [N, H, W], [N, C, H, W], or [N, H, W, C] with at most 4 channels.
        labels: [N].
        tested: see `Examples`.
    """
    channels_last = pixels.ndim == 4 and pixels.shape[3] <= _MOST_CHANNELS < pixels.shape[1]
    if pixels.ndim == 3:
        pixels = pixels[:, None]  # [N, 1, H, W]
    elif channels_last:
        pixels = pixels.transpose(0, 3, 1, 2)  # [N, C, H, W]
    flat = pixels.reshape(len(pixels), -1)
    largest = float(flat[split_rows(len(flat), tested).train].max())
    scale = np.float32(largest if largest > 1 and flat.min() >= 0 else 1)
    return Examples("images", pixels.shape[1:], flat / scale, labels, tested)


def as_images(examples: Examples, where: str) -> Examples:
    """Gives MNIST's images, from a table with a column for each pixel if need be.

    Raises:
        UsageError: they are not 28 x 28 in one channel.
    """
    if examples.kind == "table" and examples.shape == (int(np.prod(_SHAPE)),):
        check_finite(examples.inputs, where)
        pixels = examples.inputs.astype(np.float32).reshape(-1, *_SHAPE)
        return images_of(pixels, examples.labels, examples.tested)
    if examples.shape != _SHAPE:
        found = " x ".join(str(size) for size in examples.shape)
        raise UsageError(f"{where}: inputs of {found}, expected images of 1 x 28 x 28", "give the file another name")
    return examples


def halved(examples: Examples) -> Examples:
    """Images of half the height and width, each pixel the mean of four."""
    channels, height, width = examples.shape
    pixels = examples.inputs.reshape(-1, channels, height, width)
    upper, lower = pixels[:, :, ::2], pixels[:, :, 1::2]  # [N, C, H / 2, W]
    means = (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / np.float32(4)
    return replace(examples, shape=means.shape[1:], inputs=means.reshape(len(means), -1))
