"""`wembed zoo manifests`."""

import sys
from typing import Annotated, Any

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("name", "command", "models", "checkpoints", "description")


def manifests(
    manifest: Annotated[
        str | None, typer.Argument(metavar="[MANIFEST]", help="Show this one as it is written: a file, or by name.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema of a manifest, for editors.")] = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the packaged manifests, which `zoo build` and `zoo pull` take by name; show one; or say what one may hold.

    Example: wembed zoo manifests digits > mine.yaml
    """
    from json import dumps

    from wembed.catalog.manifest import find_manifest

    output = Output.choose(format, json, quiet)
    if manifest and schema:
        raise UsageError(f"{manifest} and --schema contradict each other", "give one of them")
    if schema:
        sys.stdout.write(dumps(_schema(), indent=2) + "\n")
    elif manifest:
        sys.stdout.write(find_manifest(manifest).read_text(encoding="utf-8"))
    else:
        output.rows([*_built(), *_pulled()], COLUMNS)
        output.next_command("zoo", "manifests", "MANIFEST")


def _schema() -> dict[str, Any]:  # Any: a JSON schema
    from pydantic import TypeAdapter

    from wembed.zoo.builder.manifest import BuildManifest
    from wembed.zoo.pull.manifest import PullManifest

    either: TypeAdapter[BuildManifest | PullManifest] = TypeAdapter(BuildManifest | PullManifest)
    return either.json_schema()


def _built() -> list[dict[str, object]]:
    from wembed.catalog.manifest import load_manifest, packaged_manifests
    from wembed.zoo.builder.manifest import BuildManifest

    loaded = {name: load_manifest(name, BuildManifest) for name in packaged_manifests("build")}
    return [
        {
            "name": name,
            "command": "build",
            "models": found.networks,
            "checkpoints": found.checkpoints,
            "description": found.description,
        }
        for name, found in loaded.items()
    ]


def _pulled() -> list[dict[str, object]]:
    """What a query finds, and how many checkpoints a repository has, the Hub alone knows."""
    from wembed.catalog.manifest import load_manifest, packaged_manifests
    from wembed.zoo.pull.manifest import PullManifest

    loaded = {name: load_manifest(name, PullManifest) for name in packaged_manifests("pull")}
    return [
        {
            "name": name,
            "command": "pull",
            "models": len(found.repositories),
            "checkpoints": None,
            "description": found.description,
        }
        for name, found in loaded.items()
    ]
