"""What a zoo's encoders say about their training: with which split, on which runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import CatalogRow, Split, Zoo
from wembed.encoder import pretrained
from wembed.encoder.saved import CONFIG_FILE, training_of
from wembed.errors import WembedError
from wembed.evaluate.material import run_of

_HELD_OUT: tuple[Split, ...] = ("validation", "test", "zero-shot")


@dataclass(frozen=True)
class Training:
    """How an encoder was trained.

    Args:
        encoder: its name.
        split_seed: of the split into training, validation and test runs.
        runs: that it was trained on.
        hold_out: patterns of the architectures that it was not trained on, see `assign_splits`; "" for none.
    """

    encoder: str
    split_seed: int
    runs: frozenset[str]
    hold_out: str = ""


def trainings_of(zoo: Zoo, names: Iterable[str]) -> list[Training]:
    """The trainings of those encoders of a zoo that were trained.

    Args:
        zoo: whose encoders.
        names: of the encoders, or their folders; built-in ones have no training.

    Raises:
        WembedError: a config does not say how its encoder was trained.
    """
    found = (_read(zoo, name) for name in names)
    return [training for training in found if training]


def split_seed_of(trainings: Sequence[Training], otherwise: int) -> int:
    """The split seed that all trained encoders share.

    Args:
        trainings: of the encoders.
        otherwise: the seed if there are none.

    Raises:
        WembedError: they do not agree.
    """
    seeds = {training.split_seed: training.encoder for training in trainings}
    if len(seeds) > 1:
        said = " and ".join(f"{name} with {seed}" for seed, name in sorted(seeds.items()))
        hint = "train them again with one --seed, or evaluate them one at a time with --encoder"
        raise WembedError(f"encoders were trained with different splits, {said}", hint)
    return next(iter(seeds), otherwise)


def hold_out_of(trainings: Sequence[Training]) -> str:
    """The architectures that none of the trained encoders saw, as patterns; "" if runs were held out.

    Args:
        trainings: of the encoders.

    Raises:
        WembedError: they do not agree.
    """
    patterns = {training.hold_out: training.encoder for training in trainings}
    if len(patterns) > 1:
        said = " and ".join(f"{name} without {held or 'single runs'}" for held, name in sorted(patterns.items()))
        hint = "train them again with one --hold-out, or evaluate them one at a time with --encoder"
        raise WembedError(f"encoders were trained with different splits, {said}", hint)
    return next(iter(patterns), "")


def check_overlap(rows: Sequence[CatalogRow], splits: Mapping[str, Split], trainings: Sequence[Training]) -> None:
    """Checks that no encoder was trained on a run that it is measured on.

    Args:
        rows: of a zoo.
        splits: id -> side.
        trainings: of the encoders.

    Raises:
        WembedError: one was.
    """
    held_out = {run_of(row): splits[row.id] for row in rows}
    for training in trainings:
        for run in sorted(training.runs & held_out.keys()):
            if held_out[run] in _HELD_OUT:
                message = f"encoder {training.encoder} was trained on run {run}, which is a {held_out[run]} run here"
                raise WembedError(message, "train it again on this zoo with `wembed train`")


def check_packaged(names: Iterable[str], rows: Sequence[CatalogRow]) -> None:
    """Checks that the packaged encoder, where it is among some, was trained on nothing of a zoo.

    Raises:
        WembedError: it was.
    """
    if pretrained.PRETRAINED not in names:
        return
    found = pretrained.overlap(training_of(pretrained.FOLDER), rows)
    if found:
        message = f"the packaged encoder was trained on {len(found)} of {len(rows)} checkpoints here, first {found[0]}"
        raise WembedError(message, "build the zoo with another seed, or name other encoders with --encoder")


def _read(zoo: Zoo, name: str) -> Training | None:
    folders = [folder for folder in (zoo.root / "encoders" / name, Path(name)) if (folder / CONFIG_FILE).is_file()]
    if not folders or not (training := training_of(folders[0])):
        return None
    seed, runs = training.get("split_seed"), training.get("runs")
    if not isinstance(seed, int) or not isinstance(runs, list):
        message = f"{folders[0] / CONFIG_FILE}: does not say with which split and on which runs it was trained"
        raise WembedError(message, "train the encoder again with `wembed train`")
    return Training(name, seed, frozenset(map(str, runs)), str(training.get("hold_out") or ""))
