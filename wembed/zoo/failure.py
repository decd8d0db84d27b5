"""Failure: one input that could not be done, while the others go on."""

from dataclasses import dataclass

from wembed.errors import WembedError


@dataclass(frozen=True)
class Failure:
    """What could not be done, and why.

    Args:
        id: what the input is called.
        error: why.
    """

    id: str
    error: WembedError
