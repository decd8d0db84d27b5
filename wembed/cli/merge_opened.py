"""A recipe in; its networks, opened, and what it names beside them, out."""

from pathlib import Path
from typing import TYPE_CHECKING

from wembed.cli.network import Sources
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.encoder import Encoder, Item
    from wembed.merging.recipe.document import Recipe

_HUB = "hf://"


def open_items(output: Output, recipe: "Recipe", zoo: Path, spec: Path | None) -> "list[Item]":
    """Opens the networks of a recipe, the base first; each once, however often it is named."""
    from wembed.cli.opened import open_one

    opened = {name: open_one(output, name, zoo, Sources(spec)) for name in dict.fromkeys(recipe.names)}
    return [(opened[name].checkpoint, opened[name].spec) for name in recipe.names]


def hub_names(recipe: "Recipe", zoo: Path) -> dict[str, str]:
    """Gives the repositories on the Hub that a zoo's checkpoints were pulled from, by name in the recipe."""
    from wembed.catalog import Zoo
    from wembed.catalog.locate import Locator

    if not Zoo.is_zoo(zoo):
        return {}
    locator = Locator(Zoo.open(zoo))
    rows = {name: locator.locate(name).row for name in recipe.names}
    sources = {name: row.source for name, row in rows.items() if row and row.source}
    return {name: source.removeprefix(_HUB).partition("@")[0] for name, source in sources.items() if _HUB in source}


def open_encoder(recipe: "Recipe", zoo: Path, device: str) -> "Encoder | None":
    """Gives the encoder through which networks are seen: one that lets gradients through, if it's not named."""
    from wembed.catalog import Zoo
    from wembed.zoo import find_encoder

    if recipe.method != "embedding" and recipe.alignment != "embedding":
        return None
    return find_encoder(recipe.encoder or "gnn", Zoo.open(zoo) if Zoo.is_zoo(zoo) else None, device)
