"""What a person names in; the checkpoints that are there, and a failure for each that is not, out."""

from collections.abc import Sequence
from typing import NamedTuple

from wembed.catalog import Located, Locator, Zoo
from wembed.errors import WembedError
from wembed.zoo.failure import Failure


class Given(NamedTuple):
    """What some arguments name."""

    located: list[Located]
    failures: list[Failure]


def locate_all(arguments: Sequence[str], zoo: Zoo | None) -> Given:
    """Gives the checkpoints, in order; what isn't found is a failure beside the others."""
    given, locator = Given([], []), Locator(zoo)
    for argument in arguments:
        try:
            given.located.append(locator.locate(argument))
        except WembedError as error:
            given.failures.append(Failure(argument, error))
    return given
