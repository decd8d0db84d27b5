"""What happens at the edges of a pull: rows that are replaced, locks that are torn, wishes that overlap."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hub_server import Claims, Refusal
from safetensors.numpy import save_file

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import UsageError
from wembed.hub.listing import HubQuery
from wembed.hub.session import HubOptions
from wembed.zoo import plan_removal, remove, verify
from wembed.zoo.pull import FilesWanted, Limits, PullOrder, Reach, Wish, plan_pull, pull
from wembed.zoo.pull.lock import lock_of, read_lock
from wembed.zoo.pull.workers import in_parallel

NAME = "lab/one"


def save(folder, seed=0, name="model.safetensors", width=8):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    weights = {f"{layer}.weight": random.standard_normal((width, width), dtype=np.float32) for layer in (0, 2)}
    save_file(weights, folder / name)
    (folder / "config.json").write_text('{"model_type": "mine"}')


@pytest.fixture
def hub(hub_root, hub_server, monkeypatch):
    monkeypatch.setattr("wembed.hub.session.FIRST_WAIT", 0.01)
    save(hub_root / NAME)
    return hub_server()


@pytest.fixture
def zoo(tmp_path):
    return Zoo(tmp_path / "zoo")


@pytest.fixture
def run(hub, zoo):
    def call(*wishes, **order):
        reach = Reach.online(HubOptions(hub.url, timeout=5, retries=0))
        plan = plan_pull(zoo, PullOrder(tuple(wishes), **order), reach)
        return list(pull(zoo, plan.candidates, reach, lambda name, here, size: None))

    return call


def files(zoo, pattern="*"):
    return sorted(path.name for path in (zoo.root / "checkpoints/hub").rglob(pattern) if path.is_file())


def test_a_row_of_a_persons_own_is_never_replaced(run, zoo, hub_root, tmp_path):
    own = tmp_path / "own"
    save(own)
    (own / "notes.txt").write_text("keep")
    zoo.create(zoo.root).append([CatalogRow(NAME, str(own), source=f"hf://{NAME}", content="?")])
    run(Wish(NAME))
    rows = {row.id: row for row in zoo.rows()}
    assert rows[NAME].path == str(own)
    assert len(rows) == 2
    assert (own / "notes.txt").exists()


def test_a_file_beside_what_was_pulled_stays_when_a_commit_replaces_it(run, zoo, hub_root):
    run(Wish(NAME))
    notes = zoo.path_of(zoo.rows()[0]) / "notes.txt"
    notes.write_text("keep")
    (hub_root / NAME / "extra.json").write_text("{}")
    run(Wish(NAME))
    assert notes.exists()
    assert files(zoo, "model.safetensors") == ["model.safetensors"]


def test_a_torn_lock_is_mended_by_the_next_pull(run, zoo, hub_root):
    run(Wish(NAME))
    lock = zoo.root / "hub.lock.jsonl"
    lock.write_bytes(lock.read_bytes()[:-40])
    save(hub_root / "lab/two", 2)
    run(Wish(NAME), Wish("lab/two"))
    assert {entry.repository.id for entry in lock_of(zoo)} == {NAME, "lab/two"}
    assert verify(zoo) == []


def test_two_pins_with_the_same_weights_both_stay(run, zoo, hub, hub_root):
    run(Wish(NAME))
    first = hub.commit(NAME)
    old = hub_root.parent / "old"
    save(old)
    hub.claimed(NAME).revisions["c1"] = old
    (hub_root / NAME / "extra.json").write_text("{}")
    both = (Wish(NAME), Wish(NAME, "c1"))
    assert hub.commit(NAME, "c1") == first
    run(*both)
    again = run(*both)
    assert {one.status for one in again} == {"unchanged"}
    assert len(zoo.rows()) == 2
    assert verify(zoo) == []


def test_the_same_checkpoint_in_several_spellings_is_one(run, hub):
    pulled = run(Wish(NAME), Wish(NAME, "main"), Wish(NAME, hub.commit(NAME)))
    assert [one.candidate.id for one in pulled] == [NAME]


def sharded(folder, stem, seed):
    names = {}
    for number in (1, 2):
        shard = f"{stem}-{number:05d}-of-00002.safetensors"
        weights = np.random.default_rng(seed + number).standard_normal((8, 8), dtype=np.float32)
        save_file({f"{number}.weight": weights}, folder / shard)
        names[f"{number}.weight"] = shard
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def test_removing_one_of_two_sharded_networks_takes_its_shards_and_leaves_the_other(run, zoo, hub_root):
    folder = hub_root / "lab/pair"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    sharded(folder, "alpha", 1)
    sharded(folder, "beta", 5)
    run(Wish("lab/pair", files=FilesWanted(include=("*-of-*",))))
    rows = zoo.rows()
    assert len(rows) == 2
    assert [removal.file for removal in plan_removal(zoo, rows[:1])] == ["deleted"]
    remove(zoo, rows[:1])
    left = files(zoo)
    assert [name for name in left if "-of-" in name] == [f"beta-{n:05d}-of-00002.safetensors" for n in (1, 2)]
    assert "config.json" in left
    assert verify(zoo) == []
    remove(zoo, zoo.rows())
    assert files(zoo) == []


def test_what_was_removed_is_pulled_again(run, zoo):
    run(Wish(NAME))
    remove(zoo, zoo.rows())
    assert [one.status for one in run(Wish(NAME))] == ["pulled"]


def test_a_pinned_pull_that_is_there_asks_for_nothing_at_all(run, zoo, hub, tmp_path):
    pinned = f"{NAME}@{hub.commit(NAME)}"
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "WEMBED_ZOO": str(zoo.root),
        "HF_HOME": str(tmp_path / "fresh"),
    }
    command = [sys.executable, "-c", "from wembed.cli.app import app; app()", "zoo", "pull", "-q", pinned]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    hub.log.clear()
    environment["HF_HOME"] = str(tmp_path / "fresher")
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert (done.stdout.count("\n"), hub.log) == (1, [])


def test_a_query_that_fails_leaves_the_rest(hub, zoo):
    hub.faults.refusals = [Refusal("/api/models?", 400)]
    reach = Reach.online(HubOptions(hub.url, timeout=5, retries=0))
    plan = plan_pull(zoo, PullOrder((Wish(NAME),), (HubQuery(author="lab"),)), reach)
    assert [candidate.id for candidate in plan.candidates] == [NAME]
    assert "400" in plan.failures[0].error.message


def test_offline_queries_are_passed_over(run, zoo):
    run(Wish(NAME))
    plan = plan_pull(zoo, PullOrder((Wish(NAME),), (HubQuery(author="lab"),)), Reach.offline())
    assert ([candidate.id for candidate in plan.candidates], plan.unasked, plan.failures) == ([NAME], 1, [])


def changed(entry, *path, value):
    """A lock's line with another value somewhere in it."""
    here = entry
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return json.dumps(entry).encode() + b"\n\n"


REMOTE = ("checkpoints", 0, "remote")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*REMOTE, "weights"), []),
        ((*REMOTE, "weights", 0, "path"), "../../evil"),
        ((*REMOTE, "weights", 0, "path"), "/etc/passwd"),
        ((*REMOTE, "weights", 0, "size"), -5),
        ((*REMOTE, "weights", 0, "size"), 2**80),
        ((*REMOTE, "weights", 0, "sha256"), "zz"),
        ((*REMOTE, "name"), "\x1b[31m"),
        ((*REMOTE, "name"), "a/../.."),
        (("checkpoints", 0, "params"), 10**400),
        (("revision",), "v\x1b"),
        (("asked",), "x"),
        (("parent",), "../x"),
        (("repository", "id"), "lab/../x"),
        (("repository", "commit"), "main"),
        (("repository", "card", "licence"), "\x1b[31m"),
        (("repository", "card", "metrics"), [{"kind": "accuracy", "value": 1e999}]),
        (("checkpoints",), "none"),
    ],
)
def test_a_hostile_lock_is_one_line(run, zoo, tmp_path, path, value):
    run(Wish(NAME))
    line = json.loads((zoo.root / "hub.lock.jsonl").read_text())
    line["repository"].setdefault("card", {})
    lock = tmp_path / "other.lock.jsonl"
    lock.write_bytes(changed(line, *path, value=value))
    with pytest.raises(UsageError) as raised:
        read_lock(lock)
    assert f"{lock} line 1 is no line of a lock" in raised.value.message
    assert raised.value.message.isprintable()


def test_nothing_is_its_own_parent(run, zoo, hub):
    hub.claims[NAME] = Claims(card={"base_model": [NAME, NAME.upper()]})
    run(Wish(NAME))
    (row,) = zoo.rows()
    assert (row.parent, row.other_parent) == (None, None)


def test_a_parent_that_a_manifest_names_later_is_taken(run, zoo):
    run(Wish(NAME))
    run(Wish(NAME, parent="lab/base"))
    assert zoo.rows()[0].parent == "lab/base"


def test_a_zoo_that_can_only_be_read_is_enough_where_all_is_there(run, zoo, monkeypatch):
    run(Wish(NAME))
    before = {path: path.stat().st_mtime_ns for path in zoo.root.rglob("*")}
    assert [one.status for one in run(Wish(NAME))] == ["unchanged"]
    assert {path: path.stat().st_mtime_ns for path in zoo.root.rglob("*")} == before


def test_a_name_that_is_not_there_makes_no_zoo(run, zoo):
    assert run(Wish("lab/nobody")) == []
    assert not zoo.root.exists()


def test_what_is_left_over_of_a_file_that_came_from_elsewhere_is_removed(run, zoo):
    downloads = zoo.create(zoo.root).root / "downloads"
    downloads.mkdir()
    known = {
        "repository": NAME,
        "path": "model.safetensors",
        "commit": "c" * 40,
        "size": 9,
        "identity": "x",
        "etag": "",
    }
    (downloads / f"{'0' * 64}.json").write_text(json.dumps(known))
    (downloads / f"{'0' * 64}.part").write_bytes(b"abc")
    run(Wish(NAME))
    assert list(downloads.iterdir()) == []


def test_a_refused_checkpoint_tells_its_hint_again(run, zoo, hub_root):
    (hub_root / "lab/flat").mkdir()
    save_file({"0.bias": np.zeros(8, np.float32)}, hub_root / "lab/flat/model.safetensors")
    first, second = run(Wish("lab/flat")), run(Wish("lab/flat"))
    assert (first[0].error.hint, first[0].status) == (second[0].error.hint, second[0].status)
    assert str(zoo.root) not in second[0].error.message
    assert files(zoo) == []


def test_an_expression_is_checked_before_anything_is_asked(hub, zoo):
    reach = Reach.online(HubOptions(hub.url))
    with pytest.raises(UsageError, match="colour"):
        plan_pull(zoo, PullOrder((Wish(NAME),), limits=Limits(where="colour = 1")), reach)
    assert not hub.log


def test_many_shards_are_looked_at_with_less(run, zoo, hub, hub_root):
    folder = hub_root / "lab/many"
    folder.mkdir()
    names = {}
    for number in range(40):
        shard = f"model-{number + 1:05d}-of-00040.safetensors"
        save_file({f"{number}.weight": np.zeros((100, 200), np.float32)}, folder / shard)
        names[f"{number}.weight"] = shard
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    plan_pull(zoo, PullOrder((Wish("lab/many"),)), Reach.online(HubOptions(hub.url)))
    assert sum(request.sent for request in hub.log) < 400_000


def test_work_that_was_ended_before_it_began_ends():
    stop = threading.Event()
    stop.set()
    assert list(in_parallel([lambda: 1, lambda: 2], 2, stop)) == []


@pytest.mark.slow
def test_a_thousand_checkpoints_of_one_repository_are_entered_in_linear_time(run, zoo, hub_root, record_property):
    seconds = {}
    for count in (250, 1000):
        for number in range(count):
            save(hub_root / f"lab/zoo{count}", number, f"run-{number:04d}.safetensors", width=4)
        began = time.thread_time()  # of this thread, which enters what others fetch
        run(Wish(f"lab/zoo{count}"))
        seconds[count] = time.thread_time() - began
    record_property("pull: CPU seconds to enter a checkpoint, of 1000 small ones", seconds[1000] / 1000)
    assert seconds[1000] < 6 * seconds[250]
