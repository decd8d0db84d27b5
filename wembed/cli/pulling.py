"""What `zoo pull` is asked for in, the order for it out; what came of it in, rows and a sentence out."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from wembed.catalog import CatalogRow
from wembed.catalog.manifest import load_manifest, packaged_manifests
from wembed.errors import NotFoundError, UsageError
from wembed.hub.names import RepositoryName, is_revision
from wembed.zoo.pull import Candidate, FilesWanted, Pulled, PullManifest, PullOrder, Wish, order_of_manifest
from wembed.zoo.pull.lock import LockedRepository, read_lock

DEFAULT = "hub-tiny"
COLUMNS = ("id", "status", "files", "megabytes", "params", "model_type", "tier", "licence", "commit")
PLAN_COLUMNS = (
    "id", "status", "files", "megabytes", "params", "dtype", "model_type", "library", "pipeline", "licence",
    "downloads", "parent", "commit",
)  # fmt: skip
_LOCK_SUFFIX = ".lock.jsonl"
_MANIFEST_SUFFIXES = (".yaml", ".yml", ".toml")
_BYTES = 1e6  # of a megabyte


def order_of(names: Sequence[str], revision: str | None, files: FilesWanted) -> PullOrder:
    """Gives what some arguments ask for: a manifest, a lock file, or repositories.

    Args:
        names: a file or a packaged manifest's name, or repositories; none for the default manifest.
        revision: of the repositories that name none.
        files: which of their files; of a manifest, whatever isn't the default takes the place of what it says.

    Raises:
        UsageError: if they are neither.
        NotFoundError: if there is no such file or manifest.
    """
    name = names[0] if names else DEFAULT
    if len(names) > 1 or not _is_document(name):
        return PullOrder(tuple(_wish(name, revision, files) for name in names))
    if revision:
        raise UsageError(f"--revision {revision} is about repositories, {name} names its own", "name repositories")
    if name.endswith(_LOCK_SUFFIX):
        return PullOrder(locked=tuple(_locked(Path(name))))
    if not Path(name).is_file() and not name.endswith(_MANIFEST_SUFFIXES) and name not in packaged_manifests():
        known = ", ".join(packaged_manifests("pull"))
        hint = f"give a file, one of {known}, or a repository, organisation/name"
        raise NotFoundError(f"no manifest {name}", hint)
    return order_of_manifest(load_manifest(name, PullManifest)).with_files(files)


def planned_row(candidate: Candidate) -> dict[str, object]:
    """Gives the row of what would be pulled."""
    return {
        **candidate.facts(),
        "status": "unchanged" if candidate.row else "planned",
        "megabytes": candidate.bytes / _BYTES,
    }


def pulled_row(pulled: Pulled, row: CatalogRow) -> dict[str, object]:
    """Gives the row of what is in the zoo now."""
    return {
        **planned_row(pulled.candidate),
        "id": row.id,
        "status": pulled.status,
        "params": row.params,
        "model_type": row.architecture,
        "tier": row.tier,
    }


def amount(candidates: Iterable[Candidate]) -> str:
    """Gives how much some candidates are."""
    found = list(candidates)
    count = "1 checkpoint" if len(found) == 1 else f"{len(found)} checkpoints"
    return f"{count}, {sum(one.bytes for one in found) / _BYTES:,.1f} MB"


def _is_document(name: str) -> bool:
    is_named = name in packaged_manifests() or "/" not in name
    return is_named or Path(name).is_file() or name.endswith((*_MANIFEST_SUFFIXES, _LOCK_SUFFIX))


def _wish(name: str, revision: str | None, files: FilesWanted) -> Wish:
    repository = RepositoryName.parse(name)
    if revision and not is_revision(revision):
        raise UsageError(f"--revision {revision!r} is not the name of a revision", "expected a branch, tag or commit")
    return Wish(repository.id, repository.revision or revision or "", files)


def _locked(path: Path) -> list[LockedRepository]:
    """What a lock says that was pulled; what it only knows of is left out."""
    if not path.is_file():
        raise NotFoundError(f"no lock file at {path}", "`wembed zoo pull` leaves one beside the catalog")
    entries = [
        dataclasses.replace(entry, checkpoints=tuple(one for one in entry.checkpoints if one.is_pulled))
        for entry in read_lock(path)
    ]
    found = [entry for entry in entries if entry.checkpoints]
    if not found:
        raise NotFoundError(f"{path} names nothing that was pulled", "give the lock of another zoo")
    return found
