"""PullOrder: what a person wants from the Hub."""

import dataclasses
from dataclasses import dataclass, field

from wembed.hub.listing import HubQuery
from wembed.hub.repository import Card
from wembed.zoo.pull.choose import FilesWanted
from wembed.zoo.pull.lock import LockedRepository


@dataclass(frozen=True)
class Wish:
    """A repository that is wanted.

    Args:
        repo: its name, organisation/name.
        revision: a branch, a tag or a commit; "" for the default branch.
        files: which of its files.
        parent: the repository that it was made from, where a person says so.
    """

    repo: str
    revision: str = ""
    files: FilesWanted = field(default_factory=FilesWanted)
    parent: str = ""

    @property
    def name(self) -> str:
        """As a person writes it."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


@dataclass(frozen=True)
class Limits:
    """What may be pulled of all that is found; None and () where everything may.

    Args:
        max_size: bytes of a checkpoint's files.
        max_params: its parameters.
        model_types: of its config.
        licences: of its repository; where it has several, all of them must be among these.
        where: an SQL expression on its facts.
    """

    max_size: int | None = None
    max_params: int | None = None
    model_types: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    where: str = ""

    def allow_listed(self, size: int, card: Card) -> bool:
        """Whether what the listing says is within the limits."""
        is_small = self.max_size is None or size <= self.max_size
        is_kind = not self.model_types or card.model_type in self.model_types
        licences = {licence.strip() for licence in (card.licence or "").split(",")}
        return is_small and is_kind and (not self.licences or licences <= set(self.licences))

    def allow_params(self, params: int | None) -> bool:
        """Whether a number of parameters is within the limits; one that isn't known is not."""
        return self.max_params is None or (params is not None and params <= self.max_params)


@dataclass(frozen=True)
class PullOrder:
    """What to pull.

    Args:
        wishes: repositories by name.
        queries: what finds others.
        files: which files of those that queries find.
        limits: what may be pulled of all that.
        locked: repositories at a commit, as a lock has them.
    """

    wishes: tuple[Wish, ...] = ()
    queries: tuple[HubQuery, ...] = ()
    files: FilesWanted = field(default_factory=FilesWanted)
    limits: Limits = field(default_factory=Limits)
    locked: tuple[LockedRepository, ...] = ()

    def with_files(self, files: FilesWanted) -> "PullOrder":
        """Gives the same, but for what a choice of files says other than the default one does."""
        given = {name: value for name, value in vars(files).items() if value}
        wishes = tuple(
            dataclasses.replace(wish, files=dataclasses.replace(wish.files, **given)) for wish in self.wishes
        )
        return dataclasses.replace(self, wishes=wishes, files=dataclasses.replace(self.files, **given))

    def with_limits(self, limits: Limits) -> "PullOrder":
        """Gives the same, but for what some limits say other than the default ones do."""
        given = {name: value for name, value in vars(limits).items() if value not in (None, (), "")}
        return dataclasses.replace(self, limits=dataclasses.replace(self.limits, **given))
