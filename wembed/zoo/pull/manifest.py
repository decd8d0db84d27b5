"""PullManifest: what people write about a zoo to pull from the Hub: repositories, queries, limits, files."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from wembed.errors import UsageError
from wembed.hub.listing import HubQuery
from wembed.hub.names import RepositoryName, is_revision
from wembed.zoo.pull.choose import FilesWanted
from wembed.zoo.pull.sizes import Count, Size

_MOST_FOUND = 10_000  # repositories of one query


def _as_repository(given: Any) -> Any:  # Any: what pydantic hands over and takes back
    if isinstance(given, str):
        name = _name(given)
        return {"repo": name.id, "revision": name.revision}
    return given


def _name(text: str) -> RepositoryName:
    try:
        return RepositoryName.parse(text)
    except UsageError as error:
        raise ValueError("expected organisation/name or organisation/name@revision") from error


class _NameOrKeys:
    """Tells whoever reads the JSON schema that a name alone will do."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core_schema), {"type": "string"}]}


_Text = Annotated[str, Field(min_length=1)]
_Texts = tuple[_Text, ...]


class _Written(BaseModel):
    """What people write: nothing that isn't known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Files(_Written):
    """Which files of a repository are pulled.

    Args:
        include: globs of weight files; default: what its folders are for.
        exclude: globs of files that are left out.
        pickle: whether pickled weights are taken where there are no others.
    """

    include: _Texts = ()
    exclude: _Texts = ()
    pickle: bool = False

    def wanted(self) -> FilesWanted:
        """Gives the same as the choice of files takes it."""
        return FilesWanted(self.include, self.exclude, self.pickle)


class RepositoryEntry(_Written):
    """A repository by name.

    Args:
        repo: organisation/name.
        revision: a branch, a tag or a commit; default: the main branch.
        parent: the repository that it was made from, where its card doesn't say so.
        files: of it; default: the manifest's.
    """

    repo: _Text
    revision: _Text | None = None
    parent: _Text | None = None
    files: Files | None = None

    @field_validator("repo", "parent")
    @classmethod
    def _is_name(cls, text: str | None) -> str | None:
        if text is not None and _name(text).revision:
            raise ValueError("expected organisation/name, the revision has a key of its own")
        return text and _name(text).id

    @field_validator("revision")
    @classmethod
    def _is_revision(cls, text: str | None) -> str | None:
        if text is not None and not is_revision(text):
            raise ValueError("expected a branch, a tag or a commit")
        return text

    @property
    def name(self) -> RepositoryName:
        """Its name and revision."""
        return RepositoryName(self.repo, self.revision)


_Repository = Annotated[RepositoryEntry, BeforeValidator(_as_repository), _NameOrKeys()]


class Query(_Written):
    """What to look for on the Hub; a repository must be all of it.

    Args:
        author: organisation or person.
        search: part of the name.
        tags: of it.
        library: such as transformers.
        pipeline: such as fill-mask.
        base_model: that it was made from, organisation/name.
        sort: by what the first ones are chosen, the largest first.
        limit: how many.
    """

    author: _Text | None = None
    search: _Text | None = None
    tags: _Texts = ()
    library: _Text | None = None
    pipeline: _Text | None = None
    base_model: _Text | None = None
    sort: Literal["created_at", "downloads", "last_modified", "likes", "trending_score"] = "downloads"
    limit: Annotated[int, Field(ge=1, le=_MOST_FOUND)] = 100

    def hub_query(self) -> HubQuery:
        """Gives the same as the Hub is asked."""
        return HubQuery(**self.model_dump())


class Filters(_Written):
    """What may be pulled, by what is known before; nothing said is no limit.

    Args:
        max_size: of a checkpoint's files, such as 500 MB.
        max_params: parameters of a checkpoint, such as 200M.
        model_type: of its config, any of these.
        licences: of its repository, any of these.
    """

    max_size: Size | None = None
    max_params: Count | None = None
    model_type: _Texts = ()
    licences: _Texts = ()


class PullManifest(_Written):
    """A zoo to pull from the Hub.

    Args:
        name: what it is called.
        description: what it is for, in one line.
        repositories: by name: organisation/name[@revision], or keys and values.
        queries: that find others.
        filters: for all of them.
        files: which ones of every repository.
    """

    name: _Text
    description: str = ""
    repositories: tuple[_Repository, ...] = ()
    queries: tuple[Query, ...] = ()
    filters: Filters = Filters()
    files: Files = Files()

    @field_validator("repositories")
    @classmethod
    def _is_each_once(cls, entries: tuple[RepositoryEntry, ...]) -> tuple[RepositoryEntry, ...]:
        seen: set[RepositoryName] = set()
        for entry in entries:
            if entry.name in seen:
                raise ValueError(f"{entry.name} stands there twice")
            seen.add(entry.name)
        return entries

    @model_validator(mode="after")
    def _is_of_something(self) -> "PullManifest":
        if not self.repositories and not self.queries:
            raise ValueError("at least one of repositories and queries is expected")
        return self
