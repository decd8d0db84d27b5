"""What intervals promise and hold, beside what chance alone allows."""

from wembed.evaluate.results import Calibration, Evaluation
from wembed.report.calibration import band, independent_cases
from wembed.report.lookup import POOLED, main_encoder

_PLACES = {"test": "held-out runs", "zero-shot": "the data set never seen"}


def calibration_sentences(evaluation: Evaluation) -> list[str]:
    """One for each split that the main encoder's intervals were measured on."""
    main = main_encoder(evaluation)
    found = [_sentence(evaluation, one) for one in evaluation.calibration if one.encoder == main and one.levels]
    return [sentence for sentence in found if sentence]


def _sentence(evaluation: Evaluation, found: Calibration) -> str:
    place = _PLACES.get(found.split, f"split {found.split}")
    place += ", first seed" if POOLED in evaluation.facts else ""
    pairs = list(zip(found.levels, found.coverages, strict=True))
    level, coverage = max(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    worst = f"the largest gap is at {100 * level:.0f} %, where {100 * coverage:.1f} % are held"
    count = independent_cases(evaluation, found.split)
    if not count:
        return f"On {place}, the intervals of {found.encoder} were measured at {len(pairs)} levels: {worst}."
    within = sum(band(stated, count).holds(measured) for stated, measured in pairs)
    return (
        f"On {place}, the intervals of {found.encoder} hold what they state at {within} of {len(pairs)} levels, as far "
        f"as chance lets {count} runs tell; {worst}."
    )
