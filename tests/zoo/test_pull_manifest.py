import json
from pathlib import Path

import pytest

from wembed.catalog.manifest import load_manifest, packaged_manifests
from wembed.errors import NotFoundError, UsageError
from wembed.hub.listing import HubQuery
from wembed.hub.names import RepositoryName
from wembed.zoo.builder.manifest import BuildManifest
from wembed.zoo.pull.choose import FilesWanted
from wembed.zoo.pull.manifest import PullManifest, RepositoryEntry
from wembed.zoo.pull.sizes import parse_size

TEXT = """\
name: own
repositories:
  - google-bert/bert-base-uncased@main
  - repo: a/b
    parent: google-bert/bert-base-uncased
    files: {include: ["*.fp16.safetensors"], pickle: true}
queries:
  - {author: timm, tags: [vision], base_model: c/d, limit: 5}
filters: {max_size: 500 MB, max_params: 1.5B, model_type: [bert], licences: [mit]}
files: {exclude: ["onnx/*"]}
"""
BUILT = "name: a\ntraining: {snapshots: [1]}\ngroups: []\n"
SIZE = "expected a size, such as 500 MB or 1.5 GB"
COUNT = "expected a number of parameters, such as 200M or 1.5B"
NAME = "expected organisation/name or organisation/name@revision"


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> PullManifest:
        Path("own.yaml").write_text(text)
        return load_manifest("own.yaml", PullManifest)

    return write


def test_everything_that_can_be_said_is_read(written):
    loaded = written(TEXT)
    first, second = loaded.repositories
    assert first == RepositoryEntry(repo="google-bert/bert-base-uncased", revision="main")
    assert first.name == RepositoryName("google-bert/bert-base-uncased", "main")
    assert (second.repo, second.revision, second.parent) == ("a/b", None, "google-bert/bert-base-uncased")
    assert second.files and second.files.wanted() == FilesWanted(include=("*.fp16.safetensors",), pickle=True)
    assert loaded.files.wanted() == FilesWanted(exclude=("onnx/*",))
    assert [query.hub_query() for query in loaded.queries] == [
        HubQuery(author="timm", tags=("vision",), base_model="c/d", sort="downloads", limit=5)
    ]
    assert (loaded.filters.max_size, loaded.filters.max_params) == (500_000_000, 1_500_000_000)
    assert (loaded.filters.model_type, loaded.filters.licences) == (("bert",), ("mit",))


def test_toml_is_read_as_well(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nrepositories = ["a/b"]\n[filters]\nmax_size = "2 GiB"\n')
    assert load_manifest(str(path), PullManifest).filters.max_size == 2 * 1024**3


@pytest.mark.parametrize(
    ("old", "new", "error", "hint"),
    [
        ("author", "autor", "line 8: queries.0.autor is no key of a manifest", "did you mean author?"),
        ("parent", "child", "line 5: repositories.1.child is no key of a manifest",
         "known are repo, revision, parent, files"),
        ("licences", "license", "line 9: filters.license is no key of a manifest", "did you mean licences?"),
        ("name: own\n", "", "line 1: name is missing", ""),
        ("repo: a/b", "revision: main", "line 4: repositories.1.repo is missing", ""),
        ("repo: a/b", "repo: b", f"line 4: repositories.1.repo: {NAME}, found 'b'", ""),
        ("bert-base-uncased@main", "bert/uncased",
         f"line 3: repositories.0: {NAME}, found 'google-bert/bert/uncased'", ""),
        ("repo: a/b", "repo: a/b@v1",
         "line 4: repositories.1.repo: expected organisation/name, the revision has a key of its own, "
         "found 'a/b@v1'", ""),
        ("repo: a/b", "repo: google-bert/bert-base-uncased\n    revision: main",
         "line 2: repositories: google-bert/bert-base-uncased@main stands there twice", ""),
        ("repo: a/b", "repo: a/b\n    revision: ../x",
         "line 5: repositories.1.revision: expected a branch, a tag or a commit, found '../x'", ""),
        ("500 MB", "huge", f"line 9: filters.max_size: {SIZE}, found 'huge'", ""),
        ("500 MB", "-1", f"line 9: filters.max_size: {SIZE}, found -1", ""),
        ("500 MB", "true", f"line 9: filters.max_size: {SIZE}, found True", ""),
        ("500 MB", ".inf", f"line 9: filters.max_size: {SIZE}, found inf", ""),
        ("1.5B", "many", f"line 9: filters.max_params: {COUNT}, found 'many'", ""),
        ("limit: 5", "limit: 0", "line 8: queries.0.limit: input should be greater than or equal to 1, found 0", ""),
        ("limit: 5", "sort: size",
         "line 8: queries.0.sort: input should be 'created_at', 'downloads', 'last_modified', 'likes' or "
         "'trending_score', found 'size'", ""),
        ("tags: [vision]", "tags: vision", "line 8: queries.0.tags: a list is expected, found 'vision'", ""),
        (TEXT, "name: own\n", "line 1: at least one of repositories and queries is expected", ""),
        (TEXT, BUILT, "is a manifest of `wembed zoo build`", "run `wembed zoo build own.yaml`"),
        (TEXT, "- a/b", "expected keys and values, such as name", ""),
    ],
)  # fmt: skip
def test_a_wrong_one_is_one_line_that_names_its_place(written, old, new, error, hint):
    assert old in TEXT
    with pytest.raises(UsageError) as refused:
        written(TEXT.replace(old, new))
    message = refused.value.message.removeprefix("own.yaml")
    assert message.lstrip(" :") == error
    assert refused.value.hint == hint
    assert message.isprintable()


def test_a_repository_may_stand_there_at_two_revisions(written):
    loaded = written(TEXT.replace("repo: a/b", "repo: google-bert/bert-base-uncased"))
    assert len({entry.repo for entry in loaded.repositories}) == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("200000000", 200_000_000), ("200_000_000", 200_000_000), ("500MB", 500_000_000),
        ("500 mb", 500_000_000), ("1.5 GB", 1_500_000_000), ("1.5G", 1_500_000_000),
        ("2GiB", 2 * 1024**3), ("0.5 kB", 500), (" 3 TB ", 3 * 10**12),
        ("7 KiB", 7 * 1024), ("10 B", 10),
    ],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "MB", "0", "-1", "1e9", "1,5 GB", "5 M B", "5 QB", "nan", "\u0663", "9" * 30, "1\n2", "5 MB\x1b[31m"],
)
def test_what_is_no_size_is_one_line(text):
    with pytest.raises(UsageError) as refused:
        parse_size(text)
    assert refused.value.message == f"{text!r} is no size"
    assert refused.value.hint == "such as 500MB, 1.5GB or 200000000"


@pytest.mark.parametrize("name", packaged_manifests("pull"))
def test_every_packaged_one_is_read(name):
    loaded = load_manifest(name, PullManifest)
    assert loaded.name == name
    assert loaded.description
    parents = {entry.parent for entry in loaded.repositories if entry.parent}
    assert parents & {entry.repo for entry in loaded.repositories}
    assert "Not yet tried against the real Hub" in packaged_manifests()[name].read_text()


def test_the_packaged_ones_are_of_one_kind_each():
    built, pulled = packaged_manifests("build"), packaged_manifests("pull")
    assert set(pulled) == {"hub-tiny", "hub-bert-family", "hub-vision"}
    assert packaged_manifests() == dict(sorted((built | pulled).items(), key=lambda item: item[1]))


def test_the_default_one_is_under_two_gigabytes():
    lines = packaged_manifests()["hub-tiny"].read_text().splitlines()
    sizes = [parse_size(line.partition("# ")[2].partition(",")[0]) for line in lines if " MB" in line and "/" in line]
    assert len(sizes) == len(load_manifest("hub-tiny", PullManifest).repositories) == 10
    assert sum(sizes) < 2_000_000_000


def test_a_manifest_to_build_is_not_pulled():
    with pytest.raises(UsageError) as refused:
        load_manifest("digits", PullManifest)
    path = packaged_manifests()["digits"]
    assert refused.value.message == f"{path}: is a manifest of `wembed zoo build`"
    assert refused.value.hint == "run `wembed zoo build digits`"


@pytest.mark.parametrize(("kind", "command"), [(PullManifest, "pull"), (BuildManifest, "build")])
def test_only_manifests_of_the_kind_are_suggested(kind, command):
    with pytest.raises(NotFoundError) as refused:
        load_manifest("hub-tin", kind)
    assert refused.value.hint == f"give a file, or one of {', '.join(packaged_manifests(command))}"


def test_the_schema_takes_a_name_in_the_place_of_keys():
    schema = PullManifest.model_json_schema()
    json.dumps(schema)
    items = schema["properties"]["repositories"]["items"]["anyOf"]
    assert items[0]["$ref"].endswith("RepositoryEntry")
    assert items[1] == {"type": "string"}
