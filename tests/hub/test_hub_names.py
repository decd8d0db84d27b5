import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wembed.errors import CheckpointRefusedError, UsageError
from wembed.hub.names import MAX_PATH_BYTES, RepositoryName, check_clashes, check_path, is_commit

HOSTILE = {
    "": "empty",
    "/etc/passwd": "absolute",
    "//server/share": "absolute",
    "../config.json": "leads out of its folder",
    "a/../../b.json": "leads out of its folder",
    "a/..": "leads out of its folder",
    "a//b": "has an empty part",
    "a/": "has an empty part",
    ".": "a part begins with a dot",
    "./a": "a part begins with a dot",
    "a/./b": "a part begins with a dot",
    ".gitattributes": "a part begins with a dot",
    "a/.git/hooks/post-checkout": "a part begins with a dot",
    ".model.safetensors.part": "a part begins with a dot",
    "...": "a part begins with a dot",
    "C:/Windows/a": "holds :",
    "c:a": "holds :",
    "model.safetensors:stream": "holds :",
    "..\\a": "holds \\",
    "\\\\server\\share": "holds \\",
    "a|b": "holds |",
    "a*b": "holds *",
    "a?b": "holds ?",
    'a"b': 'holds "',
    "<a": "holds <",
    "a>": "holds >",
    "a\0b": "holds characters that do not show",
    "a\nb": "holds characters that do not show",
    "a\rb": "holds characters that do not show",
    "a\tb": "holds characters that do not show",
    "\x1b[31ma": "holds characters that do not show",
    "a\x7f": "holds characters that do not show",
    "a\x9b31m": "holds characters that do not show",
    "a\u202egnp.exe": "holds characters that do not show",
    "a\u2066b": "holds characters that do not show",
    "a\u200bb": "holds characters that do not show",
    "a\u2028b": "holds characters that do not show",
    "a\ufeffb": "holds characters that do not show",
    "a\xa0b": "holds characters that do not show",
    "a\udc80b": "holds characters that do not show",
    "CON": "CON is a device on Windows",
    "nul.safetensors": "nul is a device on Windows",
    "a/AUX.tar.gz": "AUX is a device on Windows",
    "NUL .txt": "NUL  is a device on Windows",
    "com1": "com1 is a device on Windows",
    "COM\xb9.json": "COM\xb9 is a device on Windows",
    "lpt0/a": "lpt0 is a device on Windows",
    "CONIN$": "CONIN$ is a device on Windows",
    "prn/a": "prn is a device on Windows",
    "a.": "a part ends with a dot",
    "a./b": "a part ends with a dot",
    "a ": "a part ends with a space",
    "a /b": "a part ends with a space",
    "a" * 256: "a part is 256 bytes long, expected at most 255",
    "\u00e9" * 128: "a part is 256 bytes long, expected at most 255",
    "a/" * 512 + "a": "1025 bytes long, expected at most 1024",
}
PLAIN = [
    "model.safetensors",
    "1_Pooling/config.json",
    "a b/c d.json",
    "model-00001-of-00002.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "console.json",
    "COM.json",
    "com10",
    "a..b",
    "~a",
    "a" * 255,
    "\u00e9t\u00e9/\u6a21\u578b.safetensors",
    "a/" * 511 + "aa",
]


@pytest.mark.parametrize("path", HOSTILE, ids=ascii)
def test_a_hostile_path_is_refused_in_one_line_that_says_why(path):
    with pytest.raises(CheckpointRefusedError) as refused:
        check_path(path)
    message = str(refused.value)
    assert message.startswith("unsafe file name ")
    assert message.endswith(f": {HOSTILE[path]}")
    assert message.isprintable()
    assert len(message) < 250


@pytest.mark.parametrize("path", PLAIN, ids=ascii)
def test_a_plain_path_passes(path):
    check_path(path)


PIECES = st.one_of(
    st.sampled_from(
        [".", "..", "", "/", "\\", ":", "C:", "~", "a", "NUL", "con.txt", " ", "\0", "\u202e", "\uff0e\uff0e"]
    ),
    st.text(max_size=5),
    st.characters(),
)


@given(st.lists(PIECES, max_size=8).map("".join) | st.lists(PIECES, max_size=8).map("/".join))
@example("a" * 255)
def test_whatever_passes_stays_inside_its_folder(path):
    try:
        check_path(path)
    except CheckpointRefusedError as refused:
        assert str(refused).isprintable()
        return
    root = Path("/zoo/checkpoints")
    joined = Path(os.path.normpath(root / path))
    assert joined != root
    assert joined.is_relative_to(root)
    assert joined.relative_to(root).as_posix() == path
    assert path.isprintable()
    assert len(path.encode()) <= MAX_PATH_BYTES


@pytest.mark.skipif(sys.platform == "win32", reason="a name that passes is written here for real")
@pytest.mark.parametrize("path", PLAIN, ids=ascii)
def test_a_path_that_passes_can_be_written_where_it_says(path, tmp_path):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")
    assert file.resolve().is_relative_to(tmp_path.resolve())


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a.json", "A.json"], "unsafe file names 'a.json' and 'A.json': the same where case does not count"),
        (["x/\u00e9", "x/e\u0301"], "the same where case does not count"),
        (["stra\u00dfe", "STRASSE"], "the same where case does not count"),
        (["\u212a", "k"], "the same where case does not count"),
        (["Unet/a", "unet/b"], "unsafe file names 'Unet' and 'unet': the same where case does not count"),
        (["a", "A/b"], "unsafe file names 'a' and 'A': the same where case does not count"),
        (["a", "a/b"], "unsafe file name 'a': both a file and a folder"),
        (["a/b/c", "a/b"], "unsafe file name 'a/b': both a file and a folder"),
        (["a", "a"], "unsafe file name 'a': listed twice"),
    ],
)
def test_names_that_a_disk_may_take_for_one_are_refused(paths, message):
    with pytest.raises(CheckpointRefusedError) as refused:
        check_clashes(paths)
    assert str(refused.value).endswith(message)


def test_names_that_differ_do_not_clash_and_many_are_checked_fast():
    check_clashes(PLAIN)
    many = [f"experts/{number // 100}/weight-{number}.safetensors" for number in range(50_000)]
    began = time.process_time()
    check_clashes(iter(many))
    for path in many:
        check_path(path)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("google-bert/bert-base-uncased", RepositoryName("google-bert/bert-base-uncased")),
        ("hf://google/mobilenet_v2_1.0_224", RepositoryName("google/mobilenet_v2_1.0_224")),
        ("a/b@main", RepositoryName("a/b", "main")),
        ("hf://a/b@refs/pr/1", RepositoryName("a/b", "refs/pr/1")),
        ("a/b@v1.0@2", RepositoryName("a/b", "v1.0@2")),
        ("a/b@" + "0" * 40, RepositoryName("a/b", "0" * 40)),
    ],
)
def test_a_repository_is_named_by_organisation_name_and_revision(text, expected):
    assert RepositoryName.parse(text) == expected
    assert RepositoryName.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "gpt2", "a/b/c", "/b", "a/", "a//b", "../b", "a/..", "a/b ", " a/b", "a b/c", "a/b\n", "-a/b", "a/b.",
        "a/b.git", "a/b--c", "a\\b/c", "https://huggingface.co/a/b", "hf://datasets/a/b", "hf://gpt2",
        "\u0430/b", "a/\u202eb", "a/" + "b" * 97, "a/b?c", "a/b#c", "a/%2e%2e", "NUL.x/b", "@main",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_repository_is_refused_in_one_line_with_an_example(text):
    with pytest.raises(UsageError, match=r"is not the name of a repository$") as refused:
        RepositoryName.parse(text)
    assert str(refused.value).isprintable()
    assert refused.value.hint.endswith("such as google-bert/bert-base-uncased")


@pytest.mark.parametrize(
    "revision", ["", "a b", "../a", "a..b", "-a", "/a", "a\n", "a?b", "a\\b", "\u202ea", "a" * 256]
)
def test_what_is_no_revision_is_refused_in_one_line(revision):
    with pytest.raises(UsageError, match=r"is not the name of a revision$") as refused:
        RepositoryName.parse(f"a/b@{revision}")
    assert str(refused.value).isprintable()


def test_only_a_full_sha_is_a_commit():
    assert is_commit("0123456789abcdef" * 2 + "01234567")
    assert not any(map(is_commit, ["main", "0123456", "G" * 40, "A" * 40, "0" * 41, "0" * 40 + "\n"]))
