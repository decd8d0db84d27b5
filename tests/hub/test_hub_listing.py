"""What the Hub lists, from a server on loopback; and what becomes of answers that nobody should trust."""

import pytest
from hub_server import Claims, Refusal

from wembed.errors import HubError, NotFoundError
from wembed.hub.listing import MAX_SIZES_ASKED, HubQuery, find_names, find_repository
from wembed.hub.session import Hub, HubOptions

NAME = "org/bert"


@pytest.fixture
def server(hub_root, hub_server):
    folder = hub_root / NAME
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "unet").mkdir()
    (folder / "unet" / "model.safetensors").write_bytes(b"weights")
    return hub_server()


@pytest.fixture
def hub(server):
    return Hub(HubOptions(endpoint=server.url, retries=0, timeout=5))


def sibling(name="model.safetensors", **claimed):
    return {"rfilename": name, "size": 7, "blobId": "0" * 40} | claimed


def message_of(call):
    with pytest.raises(HubError) as caught:
        call()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 700
    return caught.value.message


def test_a_repository_is_found_with_one_request(server, hub):
    repository = find_repository(hub, NAME)
    assert (repository.id, repository.commit) == (NAME, server.commit(NAME))
    assert [(file.path, file.size) for file in repository.files] == [
        ("config.json", 22),
        ("unet/model.safetensors", 7),
    ]
    assert [request.path for request in server.log] == [f"/api/models/{NAME}?blobs=true"]


def test_large_files_have_a_sha256_and_others_the_hash_of_git(server, hub):
    config, weights = find_repository(hub, NAME).files
    assert (config.sha256, config.oid) == ("", server.snapshot(NAME).etag("config.json"))
    assert (weights.sha256, weights.oid) == (server.snapshot(NAME).etag("unet/model.safetensors"), "")


def test_a_revision_is_a_branch_with_slashes_or_a_commit(server, hub, tmp_path):
    (tmp_path / "other").mkdir()
    server.claimed(NAME).revisions["refs/pr/1"] = tmp_path / "other"
    branch = find_repository(hub, NAME, "refs/pr/1")
    assert branch.files == ()
    assert branch.commit == server.commit(NAME, "refs/pr/1") != server.commit(NAME)
    assert find_repository(hub, NAME, branch.commit) == branch


def test_an_old_name_finds_the_repository_under_the_name_that_it_has_now(server, hub):
    server.aliases["bert"] = NAME
    assert find_repository(hub, "bert").id == NAME


@pytest.mark.parametrize("name", ["", "../etc", "a/b/c", "a/..", "a b/c", "a/b\x1b[31m", "a//b", "caf\xe9/b", "a/b?x"])
def test_what_is_no_name_is_not_asked_for(server, hub, name):
    with pytest.raises(NotFoundError, match="not the name of a repository") as caught:
        find_repository(hub, name)
    assert caught.value.message.isprintable()
    assert server.log == []


@pytest.mark.parametrize("found", [None, 7, [], "gpt2", "../../etc", "a/b@c", "a/\x1b[31m", "NUL.x/b", "a/b\n"])
def test_an_answer_with_a_bad_name_is_refused(server, hub, found):
    server.claimed(NAME).answer = {"id": found, "modelId": None}
    message = message_of(lambda: find_repository(hub, NAME))
    assert message.startswith("org/bert: the Hub's answer is not understood: its name is ")


@pytest.mark.parametrize("commit", [None, 7, "main", "A" * 40, "0" * 39, "0" * 40 + "\n", "\x1b" * 40])
def test_an_answer_without_a_commit_is_refused(server, hub, commit):
    server.claimed(NAME).answer = {"sha": commit}
    assert "expected 40 hexadecimal digits" in message_of(lambda: find_repository(hub, NAME))


def test_another_commit_than_the_one_that_was_asked_for_is_refused(server, hub):
    commit = server.commit(NAME)
    server.claimed(NAME).answer = {"sha": "1" * 40}
    assert message_of(lambda: find_repository(hub, NAME, commit)) == (
        f"org/bert@{commit}: the Hub's answer is not understood: "
        f"its commit is {'1' * 40}, another one than was asked for"
    )


def test_a_file_without_a_size_is_asked_for(server, hub):
    server.claimed(NAME).listing = [sibling(size=None), sibling("b.json", size=9)]
    entries = b'[{"type": "file", "path": "model.safetensors", "size": 70, "oid": "0"}]'
    server.faults.refusals = [Refusal("paths-info", 200, body=entries)]
    assert [file.size for file in find_repository(hub, NAME).files] == [70, 9]


def test_a_file_whose_size_nobody_knows_is_refused(server, hub):
    server.claimed(NAME).listing = [sibling("a.bin", size=None)]
    assert message_of(lambda: find_repository(hub, NAME)) == (
        "org/bert: the Hub's answer is not understood: the size of a.bin is None, expected a number of bytes"
    )


def test_thousands_of_files_without_sizes_are_not_asked_for(server, hub):
    server.claimed(NAME).listing = [sibling(f"{number}.bin", size=None) for number in range(MAX_SIZES_ASKED + 1)]
    assert message_of(lambda: find_repository(hub, NAME)).endswith("1001 files are listed without their sizes")
    assert len(server.log) == 1


@pytest.mark.parametrize("size", [-1, 1.5, "7", True, 2**60, float("nan"), [7], {}])
def test_a_size_that_is_none_is_refused(server, hub, size):
    server.claimed(NAME).listing = [sibling("a\x1b.bin", size=size)]
    assert "the size of 'a\\x1b.bin' is " in message_of(lambda: find_repository(hub, NAME))


@pytest.mark.parametrize(
    "claimed",
    [
        {"blobId": "short"},
        {"blobId": 7},
        {"lfs": {"sha256": "0" * 63, "size": 7}},
        {"lfs": {"sha256": None, "size": 7}},
        {"lfs": {"size": 7}},
    ],
)
def test_a_hash_that_is_none_is_refused(server, hub, claimed):
    server.claimed(NAME).listing = [sibling(**claimed)]
    assert "the hash of model.safetensors is " in message_of(lambda: find_repository(hub, NAME))


def test_two_sizes_of_one_file_are_refused(server, hub):
    server.claimed(NAME).listing = [sibling(lfs={"sha256": "0" * 64, "size": 8})]
    assert message_of(lambda: find_repository(hub, NAME)).endswith("two sizes of model.safetensors: 7 and 8")


@pytest.mark.parametrize(
    "listing", ["files", {"a": 1}, 7, ["a"], [None], [[]], [{"size": 7}], [{"rfilename": 7}], [{}]]
)
def test_a_listing_of_something_else_is_refused(server, hub, listing):
    server.claimed(NAME).answer = {"siblings": listing}
    assert "org/bert: the Hub's answer is not understood: " in message_of(lambda: find_repository(hub, NAME))


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b"9" * 5000])
def test_an_answer_of_something_else_is_refused(server, hub, body):
    server.faults.refusals = [Refusal("/api/models", 200, body=body)]
    assert "org/bert: the Hub's answer is not understood: " in message_of(lambda: find_repository(hub, NAME))


def test_an_answer_without_an_end_is_refused(server, hub, monkeypatch):
    monkeypatch.setattr("wembed.hub.pages.MAX_PAGE_BYTES", 100)
    assert message_of(lambda: find_repository(hub, NAME)) == "org/bert: the Hub's answer is longer than 100 bytes"


def test_fifty_thousand_files_are_listed(server, hub):
    server.claimed(NAME).listing = [sibling(f"{number}.bin") for number in range(50_000)]
    assert len(find_repository(hub, NAME).files) == 50_000


@pytest.mark.parametrize(
    "card",
    [
        "a text",
        ["a", "list"],
        7,
        {"license": {"a": 1}, "base_model": [[]]},
        {"self": 1, "ignore_metadata_errors": 2},
        {"model-index": [{"name": "x", "results": [{"source": "x", "task": [], "dataset": 1, "metrics": {}}]}]},
    ],
)
def test_a_card_of_any_kind_does_not_hide_the_files(server, hub, card):
    server.claimed(NAME).card = card
    assert len(find_repository(hub, NAME).files) == 2


def test_ten_megabytes_of_tags_are_survived(server, hub):
    server.claimed(NAME).tags = [f"tag {number:06d} " + "x" * 80 for number in range(100_000)]
    assert len(find_repository(hub, NAME).card.tags) == 1000


def test_not_a_number_in_an_answer_is_survived(server, hub):
    server.claimed(NAME).answer = {"downloads": float("nan"), "likes": float("inf"), "safetensors": float("nan")}
    assert find_repository(hub, NAME).card.downloads is None


# Queries


@pytest.fixture
def many(hub_root, server):
    for name in ("org/gpt", "org/vit", "lab/bert-small"):
        (hub_root / name).mkdir(parents=True)
    server.claims |= {
        "org/gpt": Claims(tags=["text", "base_model:org/bert"], library="transformers", downloads=5),
        "org/vit": Claims(tags=["image"], library="timm", pipeline="image-classification", downloads=9),
        "lab/bert-small": Claims(tags=["text", "small"], library="transformers", likes=3, downloads=7),
    }
    return server


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (HubQuery(), ["lab/bert-small", "org/bert", "org/gpt", "org/vit"]),
        (HubQuery(author="lab"), ["lab/bert-small"]),
        (HubQuery(search="bert"), ["lab/bert-small", "org/bert"]),
        (HubQuery(tags=("text", "small")), ["lab/bert-small"]),
        (HubQuery(library="timm"), ["org/vit"]),
        (HubQuery(pipeline="image-classification"), ["org/vit"]),
        (HubQuery(base_model="org/bert"), ["org/gpt"]),
        (HubQuery(library="transformers", tags=("text",), sort="downloads"), ["lab/bert-small", "org/gpt"]),
        (HubQuery(sort="downloads", limit=2), ["org/vit", "lab/bert-small"]),
        (HubQuery(author="nobody"), []),
    ],
)
def test_a_query_finds_what_is_all_of_it(many, hub, query, names):
    assert find_names(hub, query) == names


def test_a_listing_goes_on_over_its_pages(many, hub):
    many.faults.page = 1
    assert len(find_names(hub, HubQuery(tags=("text",)))) == 2
    assert [request.path for request in many.log] == [
        "/api/models?limit=100&filter=text",
        "/api/models?limit=100&cursor=1&filter=text",
    ]


def test_a_listing_is_asked_for_no_further_than_the_limit(many, hub):
    many.faults.page = 2
    assert len(find_names(hub, HubQuery(limit=2))) == 2
    assert len(many.log) == 1


def test_sorting_by_time_uses_the_words_of_the_api(server, hub):
    find_names(hub, HubQuery(sort="last_modified"))
    assert "sort=lastModified" in server.log[0].path


def test_a_listing_that_goes_round_in_circles_ends(server, hub):
    link = {"Link": f'<{server.url}/api/models?limit=100>; rel="next"'}
    server.faults.refusals = [Refusal("/api/models", 200, headers=link, body=b'[{"id": "org/bert"}]')]
    assert find_names(hub, HubQuery()) == ["org/bert"]
    assert len(server.log) == 2


def test_a_listing_that_goes_on_at_another_host_is_refused(server, hub):
    link = {"Link": f'<{server.other_url}/api/models>; rel="next"'}
    server.faults.refusals = [Refusal("/api/models", 200, headers=link, body=b'[{"id": "org/bert"}]')]
    assert message_of(lambda: find_names(hub, HubQuery(author="org"))) == (
        "query {'author': 'org'}: the listing goes on at another host, which is not asked"
    )
    assert [request.host for request in server.log] == [server.url.removeprefix("http://")]


@pytest.mark.parametrize("start", ["https://huggingface.co", ""])
def test_a_mirror_may_hand_on_the_address_of_the_hub_itself(many, hub, start):
    link = {"Link": f'<{start}/api/models?limit=100&cursor=1>; rel="next"'}
    many.faults.refusals = [Refusal("/api/models", 200, times=1, headers=link, body=b'[{"id": "org/first"}]')]
    assert find_names(hub, HubQuery()) == ["org/first", "org/bert", "org/gpt", "org/vit"]


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"id": 7}]', b"[{}]", b"[[]]", b"null"])
def test_a_listing_without_names_is_refused(server, hub, body):
    server.faults.refusals = [Refusal("/api/models", 200, body=body)]
    assert message_of(lambda: find_names(hub, HubQuery())).startswith(
        "query for everything: the Hub's answer is not understood: "
    )


def test_a_listing_that_falls_silent_ends_with_the_timeout(server):
    server.faults.where, server.faults.stall_after = "/api/models", 3
    hub = Hub(HubOptions(endpoint=server.url, retries=0, timeout=0.1))
    assert message_of(lambda: find_names(hub, HubQuery())) == "query for everything: the Hub does not answer"
