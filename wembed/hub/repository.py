"""Repository: what the Hub says about a repository at one commit, before a byte of its weights is fetched."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository, as the Hub lists it.

    Args:
        path: in the repository, with slashes; somebody else's text, see `names`.
        size: in bytes.
        sha256: of its bytes, of those in large-file storage.
        oid: git's hash of the blob, of the others.
    """

    path: str
    size: int
    sha256: str = ""
    oid: str = ""

    @property
    def identity(self) -> str:
        """What changes whenever the bytes do; "" where the Hub doesn't say."""
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Metric:
    """A figure of a card's model index.

    Args:
        kind: such as accuracy or f1.
        value: as the card gives it.
        dataset: what it was measured on.
        split: of the data set, "" where the card doesn't say.
        task: such as text-classification.
    """

    kind: str
    value: float
    dataset: str = ""
    split: str = ""
    task: str = ""


@dataclass(frozen=True)
class Card:
    """What people say about a repository; None or nothing where they don't.

    Args:
        model_type: of its config.
        library: such as transformers.
        pipeline: such as fill-mask.
        licence: its identifier, such as apache-2.0.
        tags: all of them.
        downloads: of the last month.
        likes: of people.
        gated: whether access must be asked for.
        parameters: as the Hub counts them.
        base_models: what it was made from.
        relation: how: finetune, adapter, merge or quantized.
        metrics: its figures.
    """

    model_type: str | None = None
    library: str | None = None
    pipeline: str | None = None
    licence: str | None = None
    tags: tuple[str, ...] = ()
    downloads: int | None = None
    likes: int | None = None
    gated: bool = False
    parameters: int | None = None
    base_models: tuple[str, ...] = ()
    relation: str | None = None
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True)
class Repository:
    """A repository at one commit.

    Args:
        id: its name, organisation/name, as the Hub spells it.
        commit: the sha of the commit.
        files: all of them, in the Hub's order.
        card: what people say about it.
    """

    id: str
    commit: str
    files: tuple[RemoteFile, ...] = ()
    card: Card = field(default_factory=Card)
