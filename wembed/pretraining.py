"""A zoo of many kinds with twins and children in; the packaged encoder and its card out.

    python -m wembed.pretraining ZOO [--hold-out PATTERN | --card FILE...]

It learns kinship alone, of a zoo that the manifest `pretrain` makes and of wide surrogates. Each kind is also left out
once: what the encoder then makes of it, beside the fingerprint, decides which of them is the default.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import Encoder, Fingerprint, load_encoder, training_of
from wembed.encoder.pretrained import FOLDER
from wembed.encoder.pretrained.packaged import CARD, HASH_LENGTH
from wembed.evaluate.retrieval.queries import disguised
from wembed.training import Epoch, TrainOptions, select_data
from wembed.training.examples import examples_of
from wembed.training.surrogates import draw_surrogates
from wembed.training.train import Sides, Watch, train_examples
from wembed.zoo import open_items

OPTIONS = TrainOptions(
    message_passing_steps=1, probes=0, num_epochs=12, patience=6, views=2, objective="kinship", seed=1001
)
_SURROGATES = (10, 2, 1001)  # families, children of each, seed


@dataclass(frozen=True)
class LeftOut:
    """Recall@1 of children's parents, of kinds that were not trained on.

    Args:
        kinds: patterns of their architectures.
        queries: number of children.
        learned: of the encoder that was not trained on them.
        fingerprint: of the fingerprint.
    """

    kinds: str
    queries: int
    learned: float
    fingerprint: float


def pretrain(zoo: Zoo, folder: Path, hold_out: str = "") -> Encoder:
    """Trains the encoder on a zoo but for some architectures, and writes it into a folder.

    Raises:
        WembedError: no epoch was any good, or a checkpoint can't be read.
    """
    options = TrainOptions(**{**asdict(OPTIONS), "hold_out": hold_out})
    data = select_data(zoo.rows(), options)
    sides = [examples_of(rows, lambda rows: open_items(zoo, rows)) for rows in (data.train, data.validation)]
    surrogates = list(draw_surrogates(*_SURROGATES))
    told = {
        "options": options.told,
        "split_seed": options.seed,
        "hold_out": hold_out,
        "data": data.hash,
        "surrogates": _SURROGATES,
        "content": sorted({row.content[:HASH_LENGTH] for row in data.rows}),
        "init_seeds": sorted({row.init_id for row in data.rows if row.init_id}),
    }
    return train_examples(Sides([*sides[0], *surrogates], sides[1]), options, folder, told, Watch(report=_say)).encoder


def left_out(zoo: Zoo, encoder: Encoder, kinds: str) -> LeftOut:
    """How often the parent of a child, shuffled and rescaled, is found among all networks that are no children."""
    rows = zoo.rows()
    gallery = [row for row in rows if not row.parent]
    matching = select_data(rows, TrainOptions(hold_out=kinds, seed=OPTIONS.seed)).rows
    known = {row.id for row in matching}
    children = [row for row in rows if row.parent and row.id not in known]
    generator = np.random.default_rng(OPTIONS.seed)
    queries = [disguised(item, generator) for item in open_items(zoo, children)]
    items = open_items(zoo, gallery)
    shares = [
        _recall(known_as.embed(queries) @ known_as.embed(items).T, children, gallery)
        for known_as in (encoder, Fingerprint())
    ]
    return LeftOut(kinds, len(children), *shares)


def _recall(scores: NDArray[np.float32], children: Sequence[CatalogRow], gallery: Sequence[CatalogRow]) -> float:
    runs = {row.id: row.run for row in gallery}
    hits = 0
    for place, child in zip(scores.argmax(1), children, strict=True):
        hits += gallery[place].run in (runs.get(child.parent or ""), runs.get(child.other_parent or ""))
    return hits / len(children)


def write_card(results: Sequence[LeftOut]) -> None:
    """Writes the model card of the packaged encoder."""
    encoder, training = load_encoder("gnn", FOLDER), training_of(FOLDER)
    lines = [f"| {r.kinds} | {r.queries} | {r.learned:.3f} | {r.fingerprint:.3f} |" for r in results]
    content, inits = (training[name] for name in ("content", "init_seeds"))
    assert isinstance(content, list) and isinstance(inits, list)
    CARD.write_text(_CARD.format(
        id=encoder.id, dimension=encoder.dimension, data=training["data"], content=len(content), inits=len(inits),
        table="\n".join(lines), size=(FOLDER / "model.safetensors").stat().st_size // 1000,
    ), encoding="utf-8")  # fmt: skip


def _say(epoch: Epoch) -> None:
    _write(asdict(epoch))


def _write(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


_CARD = """# The packaged encoder

`{id}`: a gnn without probes, {dimension} numbers a network, {size} kB. For lineage, duplicates and neighbours. It
says nothing about accuracy: what `wembed predict` withholds, it cannot tell.

## Trained on

The zoo that `wembed zoo build pretrain` makes (seed 1001; its data hash is {data}): {content} checkpoints of MLPs,
CNNs, residual and mobile nets, ViTs, recurrent nets and small transformers, with twins (same start, other data or
order) and children (fine-tuned, pruned, quantised, noised, merged, other heads), and wide random surrogates.
`config.json` holds the hashes of all of them and {inits} ids of initial weights; `wembed evaluate` refuses zoos that
share any. Children and their parents, and snapshots of a run, are brought together; twins and strangers apart. The
epoch was chosen on validation runs. No network from outside was used.

    wembed zoo build pretrain --zoo ZOO
    python -m wembed.pretraining ZOO

## Kinds that it never saw

Recall@1 of a snapshot of its parent's run, for children that were shuffled and rescaled, among all networks of the zoo
that are no children, by an encoder trained without the kinds of the row:

| left out | children | encoder | fingerprint |
| --- | --- | --- | --- |
{table}

It is the default only where it is below the fingerprint in no row; else the fingerprint is, which it holds.

## Limits

What the two parts of the fingerprint do not show, it must have learned from networks of at most some hundred thousand
weights. Networks whose symmetries are not known are compared as they lie in their files.
"""


def main() -> None:
    """Trains, tries one left-out kind, or writes the card from such tries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--hold-out", default="", help="try without these architectures, in a folder of its own")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--card", nargs="*", type=Path, default=None, help="JSON lines of tries")
    given = parser.parse_args()
    zoo = Zoo.open(given.zoo)
    if given.card is not None:
        tries = [json.loads(line) for file in given.card for line in file.read_text().splitlines() if "kinds" in line]
        write_card([LeftOut(**one) for one in tries])
        return
    if given.hold_out and given.folder == FOLDER:
        parser.error("--hold-out needs a --folder: a try is not what is packaged")
    encoder = pretrain(zoo, given.folder, given.hold_out)
    if given.hold_out:
        _write(asdict(left_out(zoo, encoder, given.hold_out)))


if __name__ == "__main__":
    main()
