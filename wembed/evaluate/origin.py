"""Results in; the same out, each with what it depends on: seed, encoder and data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wembed.encoder import Encoder, Stats
from wembed.evaluate.merging import EMBEDDING
from wembed.evaluate.prediction.accuracy import SHUFFLED, pair_name
from wembed.evaluate.prediction.parts import HEAD_ONLY
from wembed.evaluate.results import Result


def with_origins(results: Sequence[Result], encoders: Mapping[str, Encoder], seed: int, data: str) -> list[Result]:
    """Results that say where they come from.

    Args:
        results: of one evaluation.
        encoders: those that were evaluated by name, the main one first.
        seed: of the evaluation.
        data: hash of the checkpoints.
    """
    main = next(iter(encoders))
    ids = {Stats.name: Stats().id} | {name: encoder.id for name, encoder in encoders.items()}
    known = (
        {EMBEDDING: ids[main]}
        | ids
        | {f"{name} {mark}": own for name, own in ids.items() for mark in (SHUFFLED, HEAD_ONLY)}
    )
    others = {result.encoder for result in results} - known.keys()
    known |= {pair_name(main, name): f"{ids[main]} {ids.get(name, name)}" for name in (*ids, *others)}
    return [replace(row, seed=seed, encoder_id=known.get(row.encoder, ""), data=data) for row in results]
