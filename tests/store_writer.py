"""A process that writes batches to a table until it is killed, and says which it has been told are kept.

    python store_writer.py URI NAME FIRST

Half of a batch is its own, the other half every writer writes. Small fragments are put together all the time.
"""

import sys

import numpy as np

from wembed.store import EmbeddingTable, Key, Row, tidy

DIMENSION, SIZE = 16, 8


def vector(id: str) -> np.ndarray:
    """What is stored for an id; it follows from the id, so that a torn row shows."""
    return np.random.default_rng(list(id.encode())).normal(size=DIMENSION).astype(np.float32)


def batch(name: str, number: int) -> dict[Row, np.ndarray]:
    """The rows of one upsert."""
    prefixes = [f"{name}-{number}"] * (SIZE // 2) + [f"shared-{number}"] * (SIZE // 2)
    ids = [f"{prefix}-{place}" for place, prefix in enumerate(prefixes)]
    return {Row(id, Key(f"content of {id}", "s"), {"run": id.rpartition("-")[0]}): vector(id) for id in ids}


def say(what: object) -> None:
    """Tells the test."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def write(uri: str, name: str, number: int) -> None:
    """Writes batches from some number on, for as long as it lives."""
    tidy.MANY = 6
    table = EmbeddingTable(uri, "e", DIMENSION)
    table.upsert(batch(f"{name}-first", number))  # loads what it needs
    say("ready")
    while True:
        table.upsert(batch(name, number))
        say(number)
        number += 1


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]))
