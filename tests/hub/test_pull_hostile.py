"""Repositories that somebody made to do harm, or that are broken: a line each, and nothing lands beside the zoo."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from wembed.catalog import Zoo
from wembed.cli.app import app

INDEX = "model.safetensors.index.json"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def weights(*names, seed=0) -> bytes:
    random = np.random.default_rng(seed)
    return save({f"{name}.weight": random.standard_normal((6, 6), dtype=np.float32) for name in names or ("0", "2")})


def index(**shards) -> bytes:
    return json.dumps({"weight_map": {f"{name}.weight": shard for name, shard in shards.items()}}).encode()


@dataclass(frozen=True)
class Hostile:
    """What a repository holds, and what its line must say."""

    says: str
    contents: dict[str, bytes] = field(default_factory=dict)


def sharded(says, text, **shards) -> Hostile:
    return Hostile(says, {INDEX: text, **{f"{name}.safetensors": content for name, content in shards.items()}})


UNSAFE_PATHS = {
    "up": "../../../../../escaped.safetensors",
    "up-inside": "a/../../../../../../escaped.safetensors",
    "absolute": "/tmp/escaped-by-a-pull.safetensors",
    "double-slash": "//host/escaped.safetensors",
    "drive": "C:/escaped.safetensors",
    "backslash": "..\\..\\escaped.safetensors",
    "stream": "model.safetensors:hidden.safetensors",
    "newline": "a\nerror: b.safetensors",
    "escape": "\x1b[2J\x1b[31m.safetensors",
    "bidi": "a\u202esrotsnetefas.safetensors",
    "device": "NUL.safetensors",
    "device-folder": "aux/model.safetensors",
    "trailing-dot": "a./model.safetensors",
    "trailing-space": "a /model.safetensors",
    "empty-part": "a//model.safetensors",
    "long-part": "a" * 250 + ".safetensors",
    "dots": ".../model.safetensors",
}
HOSTILE = {
    **{f"path-{name}": Hostile("unsafe file name ", {path: weights()}) for name, path in UNSAFE_PATHS.items()},
    "path-beside": Hostile("unsafe file name ", {"model.safetensors": weights(), "a|b.json": b"{}"}),
    "hidden": Hostile("holds no weight file", {".cache/model.safetensors": weights()}),
    "case": Hostile("the same where case does not count", {"a.safetensors": weights(), "A.safetensors": weights()}),
    "unicode": Hostile(
        "the same where case does not count", {"\u00e9.safetensors": weights(), "e\u0301.safetensors": weights()}
    ),
    "folder-and-file": Hostile(
        "both a file and a folder",
        {INDEX: index(a="a.safetensors", b="a.safetensors/b.safetensors"), "a.safetensors": weights("a"),
         "a.safetensors/b.safetensors": weights("b")},
    ),
    "empty": Hostile("an empty repository"),
    "zero-bytes": Hostile("an empty file, expected weights", {"model.safetensors": b""}),
    "few-bytes": Hostile("3 bytes, fewer than a header", {"model.safetensors": b"abc"}),
    "huge-header": Hostile("header of 2147483648 bytes",
                           {"model.safetensors": (2**31).to_bytes(8, "little") + b"{" * 99}),
    "lfs-pointer": Hostile("a git-lfs pointer", {"model.safetensors": LFS_POINTER}),
    "not-json": Hostile("the header is not JSON", {"model.safetensors": (9).to_bytes(8, "little") + b"not JSON "}),
    "pickled": Hostile("its weights are pickled", {"pytorch_model.bin": b"\x80\x02."}),
    "config-list": Hostile("config.json: corrupt", {"model.safetensors": weights(), "config.json": b"[]"}),
    "index-up": sharded("is not a plain path inside the folder", index(a="../../one.safetensors"), one=weights("a")),
    "index-absolute": sharded("is not a plain path inside the folder", index(a="/etc/passwd"), one=weights("a")),
    "index-other-kind": sharded("unsafe: shard 'config.json'", index(a="config.json"), one=weights("a")),
    "index-not-json": sharded("corrupt: not JSON", b"{", one=weights("a")),
    "index-empty": sharded("no weight_map", b"{}", one=weights("a")),
    "shard-missing": sharded("shard 'two.safetensors' is missing", index(a="one.safetensors", b="two.safetensors"),
                             one=weights("a")),
    "shard-doubled": sharded("stands in two shards", index(a="one.safetensors", b="two.safetensors"),
                             one=weights("a"), two=weights("a", "b")),
    "shards-alone": Hostile("shards without an index", {"model-00001-of-00002.safetensors": weights()}),
}  # fmt: skip


@pytest.fixture
def hub(hub_root, hub_server, monkeypatch, tmp_path):
    server = hub_server()
    for name, hostile in HOSTILE.items():
        (hub_root / "bad" / name).mkdir(parents=True)
        server.claimed(f"bad/{name}").contents = hostile.contents
    (hub_root / "good" / "one").mkdir(parents=True)
    server.claimed("good/one").contents = {"model.safetensors": weights(), "config.json": b"{}"}
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr("wembed.hub.session.FIRST_WAIT", 0.01)
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "deeper")
    monkeypatch.delenv("WEMBED_ZOO", raising=False)
    return server


@pytest.fixture
def pull(hub, capsys):
    def call(*names):
        with pytest.raises(SystemExit) as left:
            app(["zoo", "pull", "--retries", "1", "--timeout", "5", *names], prog_name="wembed")
        err = capsys.readouterr().err
        lines = err.split("\n")
        assert all(line.isprintable() for line in lines)
        return left.value.code, [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]

    return call


def everything(folder) -> set:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_hostile_repositories_are_a_line_each_and_write_nothing(pull, hub, tmp_path):
    before = everything(tmp_path)
    code, errors = pull("good/one", *(f"bad/{name}" for name in HOSTILE))
    assert code == 6
    told = {name: [line for line in errors if re.search(rf"bad(/|--){name}[/:]", line)] for name in HOSTILE}
    assert {name: len(lines) for name, lines in told.items()} == dict.fromkeys(HOSTILE, 1)
    assert [(name, told[name]) for name, hostile in HOSTILE.items() if hostile.says not in told[name][0]] == []
    zoo = Zoo.open(tmp_path / "deep" / "deeper" / "zoo")
    assert [row.id for row in zoo.rows()] == ["good/one"]
    new = everything(tmp_path) - before
    assert all(path.startswith("deep/deeper/zoo") for path in new)
    assert {path for path in new if path.endswith((".safetensors", ".json"))} == {
        f"deep/deeper/zoo/{zoo.rows()[0].path}/{name}" for name in ("model.safetensors", "config.json")
    }
    assert not Path(UNSAFE_PATHS["absolute"]).exists()
    assert not [path for path in new if path.endswith((".part", ".tmp"))]


def test_a_refusal_alone_has_its_own_exit_code(pull):
    assert pull("bad/path-up")[0] == 4


def test_fifty_thousand_files_and_a_card_that_makes_no_sense_are_no_obstacle(pull, hub, tmp_path):
    claims = hub.claimed("good/one")
    claims.contents |= {f"data/{number}.txt": b"" for number in range(50_000)}
    claims.card = "- not\n: a [card"
    assert pull("good/one") == (0, [])
    assert [row.id for row in Zoo.open(tmp_path / "deep" / "deeper" / "zoo").rows()] == ["good/one"]
    assert len(hub.requests("/resolve/")) == 3
