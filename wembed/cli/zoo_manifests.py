"""`wembed zoo manifests`."""

import sys
from typing import Annotated

import typer

from wembed.cli import options
from wembed.cli.output import Output
from wembed.errors import UsageError

COLUMNS = ("name", "models", "checkpoints", "description")


def manifests(
    manifest: Annotated[
        str | None, typer.Argument(metavar="[MANIFEST]", help="Show this one as it is written: a file, or by name.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema of a manifest, for editors.")] = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the packaged manifests, which `wembed zoo build` takes by name; show one; or say what one may hold.

    Example: wembed zoo manifests digits > mine.yaml
    """
    from json import dumps

    from wembed.catalog.manifest import find_manifest, load_manifest, packaged_manifests
    from wembed.zoo.builder.manifest import BuildManifest

    output = Output.choose(format, json, quiet)
    if manifest and schema:
        raise UsageError(f"{manifest} and --schema contradict each other", "give one of them")
    if schema:
        sys.stdout.write(dumps(BuildManifest.model_json_schema(), indent=2) + "\n")
    elif manifest:
        sys.stdout.write(find_manifest(manifest).read_text(encoding="utf-8"))
    else:
        loaded = {name: load_manifest(name, BuildManifest) for name in packaged_manifests()}
        rows = [
            {
                "name": name,
                "models": found.networks,
                "checkpoints": found.checkpoints,
                "description": found.description,
            }
            for name, found in loaded.items()
        ]
        output.rows(rows, COLUMNS)
        output.next_command("zoo", "manifests", "MANIFEST")
