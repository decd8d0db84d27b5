"""What a search is asked and what it answers: queries and wishes in, neighbours as named rows out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wembed.errors import UsageError
from wembed.store import PLAIN_COLUMNS, TENSOR_COLUMNS, Listed, Vectors

_SHOWN = 10  # names of tensors in a hint


@dataclass(frozen=True)
class Query:
    """A checkpoint whose neighbours are asked for.

    Args:
        id: in the zoo, or what it is called.
        vector: [D] its embedding.
        content: hash of its weights; empty if nobody needs to know its copies.
        structure: signature of its names and shapes; empty if nobody needs to know it.
        file: path of its checkpoint, if that is in no zoo: whatever row has its id is another network.
        tensors: name -> hash of those that tell networks apart; empty if nobody needs to know them.
    """

    id: str
    vector: Vectors = field(compare=False)
    content: str = ""
    structure: str = ""
    file: str = ""
    tensors: Mapping[str, str] = field(default_factory=dict, compare=False)

    def hash_of(self, name: str) -> str:
        """Gives the hash of a tensor.

        Raises:
            UsageError: if there is none of that name, listing some that there are.
        """
        if name in self.tensors:
            return self.tensors[name]
        known = ", ".join(map(repr, [*self.tensors][:_SHOWN])) + (", ..." if len(self.tensors) > _SHOWN else "")
        hint = f"known are {known}" if known else "what is constant, or was set and not learned, is in many"
        raise UsageError(f"{self.id} has no tensor {name!r} that tells networks apart", hint)


@dataclass(frozen=True)
class Wanted:
    """Which neighbours.

    Args:
        k: how many.
        where: an SQL filter on the table's columns.
        min_score: the least cosine similarity.
        same_architecture: only those of the query's structure, the same names and shapes.
        exclude_self: neither the query's own id nor what has the same weights.
        fields: columns of the table to give.
        tensors: only those that hold exactly these tensors of the query, under any name.

    Raises:
        UsageError: if a field is no column.
    """

    k: int = 5
    where: str | None = None
    min_score: float = -1.0
    same_architecture: bool = False
    exclude_self: bool = False
    fields: Sequence[str] = ()
    tensors: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in self.fields:
            if name not in (*PLAIN_COLUMNS, *TENSOR_COLUMNS):
                raise UsageError(f"no column named {name!r}", f"columns are {', '.join(PLAIN_COLUMNS)}")


@dataclass(frozen=True)
class Neighbour:
    """A checkpoint and how near it is.

    Args:
        rank: from 1.
        id: of the checkpoint.
        score: cosine similarity, -1 to 1.
        columns: the fields that were wanted.
    """

    rank: int
    id: str
    score: float
    columns: Mapping[str, Listed] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a search answers to one query.

    Args:
        query: the question.
        neighbours: nearest first.
    """

    query: Query
    neighbours: list[Neighbour]
