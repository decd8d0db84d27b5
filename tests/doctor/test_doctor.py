"""What the doctor finds, in healthy zoos and in broken ones; it never ends in a traceback."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hub_server import HubServer

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.cli.app import app
from wembed.device import Memory
from wembed.doctor import Asked, Check, examine
from wembed.doctor.check import guarded, in_units, shareable
from wembed.doctor.software import software
from wembed.encoder import load_encoder, save_encoder
from wembed.errors import CheckpointRefusedError


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    made = Zoo.create(tmp_path / "zoo")
    for name in ("a", "b"):
        path = made.root / "checkpoints" / f"{name}.safetensors"
        values = np.full((3, 2), 0.5, dtype=np.float32)
        write_safetensors(path, {"0.weight": ("F32", values)}, {})
        sha256 = open_checkpoint(path).file_hash()
        made.append([CatalogRow(name, f"checkpoints/{name}.safetensors", sha256=sha256, run=name)])
    return made


@pytest.fixture
def run(capsys) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            app(["doctor", *map(str, arguments)], prog_name="wembed")
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return call


def found(zoo: Zoo, check: str, **asked) -> Check:
    """What is found of one thing, where that alone fails if anything does."""
    checks = list(examine(Asked(zoo.root, **asked)))
    (own,) = [each for each in checks if each.check == check]
    assert all(each.status != "failed" for each in checks if each is not own)
    return own


def test_a_healthy_zoo_is_well(zoo, run):
    code, out, err = run("--zoo", zoo.root)
    assert code == 0
    assert out.splitlines()[0] == "check\tarea\tstatus\tfound\thint"
    assert err.startswith("note: all is well, by ")


def test_json_has_every_column_of_every_check(zoo, run):
    _, out, _ = run("--zoo", zoo.root, "--json")
    checks = json.loads(out)
    assert {tuple(check) for check in checks} == {("check", "area", "status", "found", "hint")}
    assert {"python", "torch", "devices", "memory", "threads", "catalog", "files"} <= {each["check"] for each in checks}


def test_what_fails_is_named_and_ends_with_1(zoo, run):
    (zoo.root / "checkpoints/a.safetensors").unlink()
    code, out, _ = run("--zoo", zoo.root, "-q")
    assert (code, out) == (1, "files\n")


def test_what_fails_is_counted(zoo, run):
    (zoo.root / "checkpoints/a.safetensors").unlink()
    _, _, err = run("--zoo", zoo.root)
    assert err.startswith("note: 1 of ")


def test_missing_files_are_counted_and_the_first_is_named(zoo):
    (zoo.root / "checkpoints/b.safetensors").unlink()
    check = found(zoo, "files")
    assert check.status == "failed"
    assert check.found.startswith("1 of 2 are missing, first 'b' at ")


def test_a_truncated_file_is_found_by_its_header(zoo):
    (zoo.root / "checkpoints/a.safetensors").write_bytes(b"short")
    check = found(zoo, "headers")
    assert check.status == "failed"
    assert check.found.startswith("2 of 2 read, 1 are broken, first ")


def test_a_changed_file_is_found_by_its_hash(zoo):
    path = zoo.root / "checkpoints/a.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    check = found(zoo, "hashes", is_deep=True)
    assert check.found.startswith("1 files are not what they were, first 'a': sha256 is ")


def test_whole_files_have_the_right_hashes(zoo):
    assert found(zoo, "hashes", is_deep=True).found == "every file is what it was"


def test_a_broken_catalog_is_a_finding(zoo):
    (zoo.root / "catalog.jsonl").write_bytes(b"\xff\x00{\nnothing\n")
    check = found(zoo, "catalog")
    assert check.status == "failed"
    assert "catalog.jsonl" in check.found


def test_no_zoo_is_no_failure(tmp_path):
    check = found(Zoo(tmp_path / "nowhere"), "catalog")
    assert (check.status, check.hint) == ("note", "name one with --zoo")


def test_a_lock_that_is_held_is_said_to_be(zoo):
    with FileLock(zoo.root / "build.lock"):
        check = found(zoo, "locks")
    assert (check.status, check.found) == ("note", "held are build.lock")


def test_a_table_that_can_not_be_read_is_a_finding(zoo):
    (zoo.root / "embeddings/broken.lance").mkdir()
    check = found(zoo, "broken")
    assert check.status == "failed"


def test_nothing_embedded_is_no_failure(zoo):
    assert found(zoo, "tables").status == "note"


def test_a_remote_store_that_does_not_answer_is_a_finding(zoo, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("wembed.doctor.store.open_table", lambda *_: (_ for _ in ()).throw(OSError("no answer")))
    assert found(zoo, "fingerprint", store="s3://bucket/zoo").found == "no answer"


def test_an_encoder_is_loaded(zoo):
    save_encoder(load_encoder("fingerprint"), zoo.root / "encoders/own")
    assert found(zoo, "encoder own").status == "ok"


def test_a_broken_encoder_is_a_finding(zoo):
    folder = zoo.root / "encoders/own"
    folder.mkdir()
    (folder / "config.json").write_text("{")
    check = found(zoo, "encoder own")
    assert check.status == "failed"
    assert check.found.endswith("is no encoder's config")


def test_a_training_that_was_stopped_is_no_failure(zoo):
    (zoo.root / "encoders/own").mkdir()
    assert found(zoo, "encoder own").found == "its training has not come to its end"


def test_a_full_disk_fails(zoo, monkeypatch):
    monkeypatch.setattr("wembed.doctor.machine._LEAST_ROOM", 1 << 62)
    checks = {check.check: check for check in examine(Asked(zoo.root))}
    assert checks["disk of the zoo"].status == "failed"
    assert checks["disk of the zoo"].hint == "free some room"


def test_too_little_memory_fails(zoo, monkeypatch):
    monkeypatch.setattr("wembed.doctor.machine._LEAST_MEMORY", 1 << 62)
    assert found(zoo, "memory").status == "failed"


def test_devices_are_listed_with_their_memory(zoo, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("wembed.doctor.machine.describe", lambda name: "a fast one")
    monkeypatch.setattr("wembed.doctor.machine.memory", lambda name: Memory(80_000_000_000, 70_000_000_000, 0))
    assert found(zoo, "cuda:0").found == "a fast one, 70.0 GB of 80.0 GB free"


def test_a_device_that_does_not_answer_is_a_finding(zoo, monkeypatch):
    def refuse(name):
        raise RuntimeError("driver too old")

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("wembed.doctor.machine._device", refuse)
    assert found(zoo, "cuda:0").found == "RuntimeError: driver too old"


@pytest.mark.parametrize(
    ("requirement", "status", "said", "hint"),
    [
        ("numpy>=99.1", "failed", "at least 99.1 is needed", "pip install 'numpy>=99.1'"),
        ("no-such-package-at-all>=1", "failed", "not installed", "pip install no-such-package-at-all"),
        ("no-such-package-at-all>=1; extra == 'ray'", "note", "not installed", "pip install 'wembed-zoo[ray]'"),
    ],
)
def test_packages_are_compared_with_what_is_needed(monkeypatch, requirement, status, said, hint):
    monkeypatch.setattr("wembed.doctor.software.requires", lambda name: [requirement])
    (check,) = [each for each in software() if each.check == requirement.partition(">")[0]]
    assert (check.status, check.hint) == (status, hint)
    assert check.found.endswith(said)


def test_a_package_that_can_not_be_imported_is_a_finding(zoo, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    check = found(zoo, "threadpoolctl")
    assert check.status == "failed"
    assert "which can't be imported: " in check.found
    assert check.hint == "pip install --force-reinstall threadpoolctl"


def test_whatever_a_package_raises_when_it_is_imported_is_a_finding(monkeypatch):
    def broken(name):
        raise RuntimeError("built for another numpy")

    monkeypatch.setattr("wembed.doctor.software.requires", lambda name: ["numpy>=1"])
    monkeypatch.setattr("importlib.import_module", broken)
    (check,) = [each for each in software() if each.check == "numpy"]
    assert (check.status, check.found) == ("failed", "RuntimeError: built for another numpy")


def test_packages_for_tests_are_not_asked_for(monkeypatch):
    monkeypatch.setattr("wembed.doctor.software.requires", lambda name: ["ruff==0; extra == 'test'"])
    assert "ruff" not in {check.check for check in software()}


@pytest.mark.parametrize("error", [ZeroDivisionError("no"), OSError(13, "denied"), CheckpointRefusedError("a: torn")])
def test_whatever_goes_wrong_is_a_finding(error):
    def look():
        yield Check("a", "first", "ok", "")
        raise error

    first, second = guarded("a", "b", look)
    assert (first.status, second.status, second.check) == ("ok", "failed", "b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{Path.home()}/zoo", "~/zoo" if str(Path.home()) != "/" else f"{Path.home()}/zoo"),
        ("s3://me:secret@host/zoo", "s3://host/zoo"),
        ("https://host/zoo?signature=abc", "https://host/zoo"),
        ("bearer hf_abcdefghijklmnopqrstuv", "bearer <token>"),
    ],
)
def test_what_is_nobodys_business_is_left_out(text, shown):
    assert shareable(text) == shown


@pytest.mark.parametrize(("count", "shown"), [(5_000_000, "5 MB"), (2_500_000_000, "2.5 GB"), (3e12, "3.0 TB")])
def test_bytes_are_shown_in_units(count, shown):
    assert in_units(count) == shown


def test_the_hub_is_asked_only_when_it_is_asked_for(zoo, tmp_path, monkeypatch):
    with HubServer(tmp_path) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        list(examine(Asked(zoo.root)))
        assert not hub.log
        check = found(zoo, "reached", with_hub=True)
    assert (check.status, check.found) == ("ok", f"{hub.url} answers")


def test_a_hub_that_does_not_answer_is_a_finding(zoo, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    check = found(zoo, "reached", with_hub=True)
    assert check.status == "failed"
    assert check.found.startswith("the Hub: cannot reach the Hub: ")


def test_a_token_is_never_shown(zoo, tmp_path, monkeypatch, run):
    with HubServer(tmp_path) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_TOKEN", "hf_ownsecrettoken123456")
        _, out, err = run("--zoo", zoo.root, "--hub")
    assert "ownsecret" not in out + err
    assert "set in the environment" in out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_zoo_that_may_not_be_written_to_is_no_failure(zoo):
    zoo.root.chmod(0o500)
    try:
        assert all(check.status != "failed" for check in examine(Asked(zoo.root)))
    finally:
        zoo.root.chmod(0o700)
