"""A zoo of families in which lineage is known: configurations with twins, and children of every kind.

It is trained in minutes, of the packaged manifest with fewer runs, or found again where WEMBED_TEST_FAMILIES says. Its
seed is not the manifest's, with which `zoo lineage` was tuned.
"""

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.catalog.manifest import load_manifest
from wembed.zoo.builder import BuildManifest, BuildOptions, build

SEED = 7
RUNS = 6  # of each configuration; with their twins 23 strangers for every one


def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the zoo is: in this run's folder, or where the environment says and the next run finds it again."""
    kept = os.environ.get("WEMBED_TEST_FAMILIES")
    return Path(kept) if kept else tmp_path_factory.getbasetemp() / "families"


@functools.cache
def families(folder: Path) -> Zoo:
    """Builds the zoo, or goes on with one that is there."""
    packaged = load_manifest("families", BuildManifest)
    manifest = packaged.scaled(RUNS * len(packaged.groups))
    zoo = Zoo.create(folder)
    build(zoo, BuildOptions(manifest, SEED))
    return zoo


def runs_of(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    """The last checkpoint of every run, twins included."""
    last: dict[str, CatalogRow] = {}
    for row in rows:
        if row.derivation is None and row.run and (row.step or 0) >= (last.get(row.run, row).step or 0):
            last[row.run] = row
    return list(last.values())


def family_of(row: CatalogRow) -> str:
    """The initial weights that a row goes back to, of which a run's twins may have others."""
    found = re.match(r"(.*?-\d{3})(-twin-init-\d+)?(?=-|$)", str(row.run))
    assert found
    return found.group(0)


def without_parents(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    """Rows that don't say what they were made of."""
    return [replace(row, parent=None, other_parent=None, derivation=None, change=None) for row in rows]


def without_facts(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    """Rows that don't say when or in which run they were made either."""
    return [replace(row, run=None, step=None, init_id=None, added="") for row in without_parents(rows)]
