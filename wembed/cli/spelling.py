"""Words of a command line in, spelt as the study spells them or as we do; out as we spell them.

The study writes `--experiment_name` and `pca_mlp`; scripts written for it go on working, and no help shows it. So is
`--gpu all` spelt, which is `--gpu --devices all`.
"""

from collections.abc import Sequence

_END_OF_OPTIONS = "--"
_MODEL_TYPE = "--model-type"  # whose values are spelt with underscores, too
_GPU, _DEVICES, _ALL = "--gpu", "--devices", "all"


def spelt_as_ours(words: Sequence[str]) -> list[str]:
    """Gives the words with the underscores of long options, and of model types, turned into hyphens."""
    end = words.index(_END_OF_OPTIONS) if _END_OF_OPTIONS in words else len(words)
    ours: list[str] = []
    for word in words[:end]:
        is_model_type = bool(ours) and ours[-1] == _MODEL_TYPE
        if word == _ALL and ours[:1] == ["train"] and ours[-1] == _GPU:
            ours.append(_DEVICES)
        ours.append(word.replace("_", "-") if is_model_type else _option(word))
    return [*ours, *words[end:]]


def _option(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    name = name.replace("_", "-")
    return name + equals + (value.replace("_", "-") if name == _MODEL_TYPE else value)
