"""A recipe and what it was run on in; a model card, as the Hub reads it, and a file's metadata out.

Both hold the recipe itself, with which the merge can be made again, and the hashes of what went into it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from wembed.checkpoint import Checkpoint
from wembed.merging.recipe.check import method_of
from wembed.merging.recipe.document import Recipe

RECIPE_KEY = "wembed.recipe"  # in the metadata of safetensors files
HASHES_KEY = "wembed.merged"
DERIVATION_KEY = "derivation"  # a column of catalogs

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_CACHED = re.compile(r"models--([\w.-]+?)--([\w.-]+)", re.ASCII)  # a folder of the Hugging Face cache
_PAIR = 2
_SHOWN = 12  # hexadecimal digits of a hash in a table


@dataclass(frozen=True)
class Input:
    """One of the networks of a merge.

    Args:
        name: as the recipe calls it.
        sha256: of its files, see `Checkpoint.file_hash`.
        hub: its repository on the Hub, "" if that is not known.
    """

    name: str
    sha256: str
    hub: str = ""


@dataclass(frozen=True)
class Made:
    """A merge that was made, for its card.

    Args:
        recipe: as it was run.
        inputs: in the order of the recipe's names.
        weights: how much each model counts, () where the method decides that tensor by tensor.
        library: that loads the result, "" if that is not known.
        outcome: what else is to be said, a sentence each.
    """

    recipe: Recipe
    inputs: tuple[Input, ...]
    weights: tuple[float, ...] = ()
    library: str = ""
    outcome: tuple[str, ...] = ()


def input_of(name: str, checkpoint: Checkpoint, hub: str = "") -> Input:
    """A network as a card names it.

    Args:
        name: as the recipe calls it.
        checkpoint: its files.
        hub: its repository on the Hub; "" to look for it in the path, which tells it in the Hugging Face cache.
    """
    return Input(name, checkpoint.file_hash(), hub if _HUB_NAME.fullmatch(hub) else _cached(checkpoint.path))


def library_of(config: Mapping[str, object]) -> str:
    """The library that a config.json is written for, "" if that can't be told."""
    if "model_type" in config:
        return "transformers"
    return "timm" if "pretrained_cfg" in config else ""


def metadata_of(made: Made) -> dict[str, str]:
    """What a safetensors file says of the merge that it holds."""
    hashes = {each.name: each.sha256 for each in made.inputs}
    return {RECIPE_KEY: made.recipe.text(), HASHES_KEY: json.dumps(hashes), DERIVATION_KEY: _derivation(made)}


def _derivation(made: Made) -> str:
    """One line for a catalog."""
    recipe = made.recipe
    told: list[str] = [recipe.method, recipe.alignment]
    if not recipe.base and len(made.weights) == _PAIR:
        told.append(f"t={made.weights[1] / sum(made.weights):g}")
    return f"merge of {', '.join(recipe.names)} ({', '.join(told)})"


def card_of(made: Made, name: str) -> str:
    """The text of a model card.

    Args:
        made: what it is about.
        name: its headline.
    """
    return "\n".join([_front_matter(made), f"# {_line(name)}", "", *_body(made)]) + "\n"


def _front_matter(made: Made) -> str:
    hubs = list(dict.fromkeys(each.hub for each in made.inputs if each.hub))
    told: dict[str, object] = {"base_model": hubs, "base_model_relation": "merge"} if hubs else {}
    told |= {"library_name": made.library} if made.library else {}
    told |= {"tags": ["merge", "wembed"]}
    return f"---\n{yaml.safe_dump(told, sort_keys=False)}---\n"


def _body(made: Made) -> Iterator[str]:
    method = method_of(made.recipe.method)
    source = f" ({method.paper})" if method.paper else ""
    networks = f"{len(made.inputs)} networks of one architecture"
    yield f"A merge of {networks}, made with [wembed](https://pypi.org/project/wembed-zoo) by {method.title}{source}."
    yield ""
    yield "| network | part | weight | sha256 |"
    yield "| --- | --- | --- | --- |"
    yield from _rows(made)
    yield ""
    yield from (f"- {_line(sentence)}" for sentence in made.outcome)
    yield from ([""] if made.outcome else [])
    yield "## Recipe"
    yield ""
    yield "Written to a file, this makes it again: `wembed merge --recipe FILE -o OUT`."
    yield ""
    yield from _fenced("yaml", made.recipe.text())


def _rows(made: Made) -> Iterator[str]:
    bases = len(made.inputs) - len(made.recipe.models)
    weights = [""] * bases + [f"{weight:.6g}" for weight in made.weights]
    weights += [""] * (len(made.inputs) - len(weights))
    for number, (each, weight) in enumerate(zip(made.inputs, weights, strict=True)):
        part = "base" if number < bases else "model"
        yield f"| {_line(each.name)} | {part} | {weight} | `{each.sha256[:_SHOWN]}` |"


def _fenced(language: str, text: str) -> Sequence[str]:
    """A block of code, fenced by more marks than the text holds in a row."""
    marks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [f"{marks}{language}", text.rstrip("\n"), marks]


def _line(text: str) -> str:
    """Text of others on one line that says nothing to Markdown."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", plain)


def _cached(path: Path) -> str:
    """The repository whose snapshot in the Hugging Face cache a path lies in, or ""."""
    found = next((match for part in path.parts if (match := _CACHED.fullmatch(part))), None)
    return f"{found[1]}/{found[2]}" if found else ""
