"""A name or a query in; what the Hub has of it out: repositories at a commit, each file with its size and its hash.

The answers are somebody else's: a Repository is made only of what is whole, and whatever else is one line.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, cast
from urllib.parse import quote

from huggingface_hub import RepoFile
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from wembed.errors import HubError, NotFoundError, UsageError
from wembed.hub.card import read_card
from wembed.hub.failures import shown
from wembed.hub.names import RepositoryName, is_commit
from wembed.hub.pages import Parameters, read_page
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub

MAX_FILE_BYTES = 2**53  # what JSON can count to
MAX_SIZES_ASKED = 1000  # files of one repository that are listed without a size
_PAGE_NAMES = 1000  # the Hub's most on a page
_SHA256 = re.compile(r"[0-9a-f]{64}")
# As HfApi.list_models translates them.
_SORTS = {"created_at": "createdAt", "last_modified": "lastModified", "trending_score": "trendingScore"}


@dataclass(frozen=True)
class HubQuery:
    """What to look for; a repository must be all of it.

    Args:
        author: organisation or person.
        search: part of the name.
        tags: of it.
        library: such as transformers.
        pipeline: such as fill-mask.
        base_model: that it was made from, organisation/name.
        sort: created_at, downloads, last_modified, likes or trending_score, the largest first.
        limit: of names.
    """

    author: str | None = None
    search: str | None = None
    tags: tuple[str, ...] = ()
    library: str | None = None
    pipeline: str | None = None
    base_model: str | None = None
    sort: str | None = None
    limit: int = 100

    def __str__(self) -> str:
        """For messages."""
        given = {key: value for key, value in vars(self).items() if value and key not in ("sort", "limit")}
        return f"query {given}" if given else "query for everything"

    def parameters(self) -> dict[str, str | list[str]]:
        """As the Hub's API wants it."""
        filters = [*self.tags, *([self.library] if self.library else [])]
        filters += [f"base_model:{self.base_model}"] if self.base_model else []
        named = {"author": self.author, "search": self.search, "pipeline_tag": self.pipeline}
        named["sort"] = _SORTS.get(self.sort, self.sort) if self.sort else None
        given: dict[str, str | list[str]] = {key: value for key, value in named.items() if value}
        given["limit"] = str(min(self.limit, _PAGE_NAMES))
        return given | ({"filter": filters} if filters else {})


def find_names(hub: Hub, query: HubQuery) -> list[str]:
    """Gives the names that a query finds, in the Hub's order, each once; not yet checked, see `find_repository`.

    Raises:
        HubError: if the Hub refuses, can't be reached or gives something else than names.
    """
    names: dict[str, None] = {}
    path = "/api/models"
    parameters: Parameters | None = query.parameters()
    while path and len(names) < query.limit:
        page = read_page(hub, str(query), path, parameters)
        before = len(names)
        names.update(dict.fromkeys(_names(page.answer, str(query))))
        if len(names) == before:  # nor would the next page be likely to end
            break
        path, parameters = page.following, None
    return list(names)[: query.limit]


def find_repository(hub: Hub, name: str, revision: str | None = None) -> Repository:
    """Gives a repository at a revision.

    Args:
        hub: to ask.
        name: organisation/name, or an old name of one, such as gpt2; the repository has the one that it has now.
        revision: a branch, a tag or a commit; default: the main branch.

    Raises:
        NotFoundError: if it isn't there.
        HubError: if the Hub refuses, can't be reached or says what can't be.
    """
    if not _is_name(name):
        raise NotFoundError(f"{shown(name)}: not the name of a repository", "expected organisation/name")
    what = shown(f"{name}@{revision}" if revision else name)
    path = f"/api/models/{name}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
    answer = _object(read_page(hub, what, path, {"blobs": "true"}).answer, what)
    found, commit = answer.get("id", answer.get("modelId")), answer.get("sha")
    if not isinstance(found, str) or not _is_full_name(found):
        _not_understood(what, f"its name is {shown(found)}")
    if not isinstance(commit, str) or not is_commit(commit):
        _not_understood(what, f"its commit is {shown(commit)}, expected 40 hexadecimal digits")
    if revision and is_commit(revision) and commit != revision:
        _not_understood(what, f"its commit is {commit}, another one than was asked for")
    files = _files(hub, Repository(found, commit, ()), answer.get("siblings") or [], what)
    return Repository(found, commit, files, read_card(answer))


def _names(answer: object, what: str) -> list[str]:
    entries = [_object(entry, what) for entry in _list(answer, what)]
    names = [entry.get("id", entry.get("modelId")) for entry in entries]
    if not all(isinstance(name, str) for name in names):
        _not_understood(what, "a repository without a name")
    return cast("list[str]", names)


def _files(hub: Hub, repository: Repository, siblings: object, what: str) -> tuple[RemoteFile, ...]:
    entries = [_object(entry, what) for entry in _list(siblings, what)]
    unknown = [
        name for entry in entries if entry.get("size") is None and isinstance(name := entry.get("rfilename"), str)
    ]
    sizes = _sizes(hub, repository, unknown, what)
    return tuple(_file(entry, sizes, what) for entry in entries)


def _sizes(hub: Hub, repository: Repository, paths: list[str], what: str) -> dict[str, int]:
    """The sizes of files that are listed without one."""
    if not paths:
        return {}
    if len(paths) > MAX_SIZES_ASKED:
        _not_understood(what, f"{len(paths)} files are listed without their sizes")
    found = hub.ask(what, lambda api: api.get_paths_info(repository.id, paths, revision=repository.commit))
    return {entry.path: entry.size for entry in found if isinstance(entry, RepoFile)}


def _file(entry: Mapping[str, object], sizes: Mapping[str, int], what: str) -> RemoteFile:
    path = entry.get("rfilename")
    if not isinstance(path, str):
        _not_understood(what, f"a file is named {shown(path)}")
    size = entry["size"] if entry.get("size") is not None else sizes.get(path)
    if type(size) is not int or not 0 <= size <= MAX_FILE_BYTES:
        _not_understood(what, f"the size of {shown(path)} is {shown(size)}, expected a number of bytes")
    large = entry.get("lfs")
    if not large:
        oid = entry.get("blobId") or ""
        if oid and not (isinstance(oid, str) and is_commit(oid)):
            _not_understood(what, f"the hash of {shown(path)} is {shown(oid)}, expected 40 hexadecimal digits")
        return RemoteFile(path, size, oid=cast("str", oid))
    stored = _object(large, what)
    sha256 = stored.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        _not_understood(what, f"the hash of {shown(path)} is {shown(sha256)}, expected 64 hexadecimal digits")
    if stored.get("size", size) != size:
        _not_understood(what, f"two sizes of {shown(path)}: {size} and {shown(stored['size'])}")
    return RemoteFile(path, size, sha256=sha256)


def _is_name(text: str) -> bool:
    """Whether it may be asked for; the Hub still knows old names without an organisation."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return text.isascii()


def _is_full_name(text: str) -> bool:
    try:
        return RepositoryName.parse(text) == RepositoryName(text)
    except UsageError:
        return False


def _object(entry: object, what: str) -> Mapping[str, object]:
    if not isinstance(entry, dict):
        _not_understood(what, f"a JSON {type(entry).__name__}, expected an object")
    return entry


def _list(entry: object, what: str) -> Iterable[object]:
    if not isinstance(entry, list):
        _not_understood(what, f"a JSON {type(entry).__name__}, expected a list")
    return entry


def _not_understood(what: str, found: str) -> NoReturn:
    raise HubError(f"{what}: the Hub's answer is not understood: {found}")
