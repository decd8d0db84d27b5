import dataclasses
import json
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from wembed.catalog import CatalogRow, Zoo, assign_splits
from wembed.checkpoint import open_checkpoint
from wembed.errors import UsageError, WembedError
from wembed.models import describe, load_dataset, load_module, score
from wembed.symmetry import find_spec
from wembed.zoo import open_items, remove, verify
from wembed.zoo.builder import BuildManifest, BuildOptions, BuiltStack, build, files, plan, resumable, stacks, work
from wembed.zoo.builder.manifest import Ranges

GROUPS = [
    {"dataset": "digits", "architecture": {"kind": "mlp", "hidden": [6, 5]}, "runs": 5},
    {"dataset": "digits", "architecture": {"kind": "cnn", "hidden": [3, 4], "batch_norm": True}, "runs": 2},
    {"dataset": "wine", "architecture": {"kind": "mlp", "hidden": [6]}, "runs": 2, "sealed": True},
]
TINY = {
    "name": "tiny",
    "seed": 3,
    "training": {"snapshots": [4, 12]},
    "hyperparameters": {"learning_rate": [1e-3, 3e-2]},
    "groups": GROUPS,
}
RUNS = ["digits-mlp-relu-6x5"] * 5 + ["digits-cnn-relu-bn-3x4"] * 2 + ["wine-mlp-relu-6"] * 2
NAMES = [f"{name}-{RUNS[:at].count(name):03d}" for at, name in enumerate(RUNS)]


def tiny(**changes) -> BuildManifest:
    return BuildManifest.model_validate(TINY | changes)


def build_tiny(zoo: Zoo, seed: int = 3, **changes) -> list[BuiltStack]:
    return build(zoo, BuildOptions(tiny(**changes), seed))


def facts(zoo: Zoo) -> list[CatalogRow]:
    """All that the catalog says but when."""
    return [dataclasses.replace(row, added="") for row in zoo.rows()]


@pytest.fixture(autouse=True)
def small_stacks(monkeypatch):
    monkeypatch.setitem(stacks.MOST_TOGETHER, "mlp", 3)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Zoo:
    """A tiny zoo that nobody may change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(stacks.MOST_TOGETHER, "mlp", 3)
        zoo = Zoo(tmp_path_factory.mktemp("built") / "zoo")
        build_tiny(zoo)
    return zoo


def test_every_run_leaves_its_snapshots_with_all_that_is_known(built):
    rows = built.rows()
    assert [row.id for row in rows] == [f"{name}-step{step}" for name in NAMES for step in (4, 12)]
    row = rows[1]
    assert (row.path, row.run, row.step, row.seed) == (f"checkpoints/{row.id}.safetensors", NAMES[0], 12, 3)
    assert (row.architecture, row.dataset, row.task, row.tier) == ("mlp-relu-6x5", "digits", "classification", "given")
    assert (row.status, row.split, row.source) == (None, None, "wembed zoo build")
    assert list(row.hyperparameters) == list(Ranges().model_dump())
    assert row.added.endswith("+00:00")
    assert all(other.init_id and other.data_order_id for other in rows)
    assert len({other.init_id for other in rows}) == len(NAMES)
    assert not verify(built)


def test_the_last_snapshot_is_another_and_mostly_better_one(built):
    by_run = {name: [row for row in built.rows() if row.run == name] for name in NAMES}
    assert all(first.content != last.content for first, last in by_run.values())
    assert sum(last.loss < first.loss for first, last in by_run.values()) > len(NAMES) / 2


def test_recorded_numbers_are_what_the_file_reaches_on_inputs_that_no_training_saw(built):
    for row, (checkpoint, _) in zip(built.rows(), open_items(built, built.rows()), strict=True):
        data = load_dataset(row.dataset)
        found = score(load_module(checkpoint), data.test_inputs, data.test_labels)
        assert (found.accuracy, found.loss) == (row.accuracy, row.loss)
        chosen = score(load_module(checkpoint), data.validation_inputs, data.validation_labels)
        assert (chosen.accuracy, chosen.loss) == (row.validation_accuracy, row.validation_loss)
        assert row.gap == row.train_accuracy - row.accuracy
        assert describe(checkpoint).architecture.label == row.architecture


def test_files_bring_their_symmetries(built):
    for row in built.rows():
        spec = find_spec(open_checkpoint(built.path_of(row)))
        assert (spec.hash, spec.tier) == (row.spec, "given")
        assert sum(not atom.frozen for atom in spec.atoms.values()) == len(describe_hidden(row))


def describe_hidden(row: CatalogRow) -> list[str]:
    return row.architecture.rpartition("-")[2].split("x")


def test_a_sealed_data_set_is_zero_shot(built):
    splits = assign_splits(built.rows(), 0)
    assert {row.dataset for row in built.rows() if splits[row.id] == "zero-shot"} == {"wine"}
    assert {splits[row.id] for row in built.rows() if row.dataset == "wine"} == {"zero-shot"}


def test_stacks_are_cut_evenly(built):
    found = [(stack.name, len(stack.members)) for stack in plan(Zoo(Path("nowhere")), tiny(), 3)]
    assert found[:2] == [("digits-mlp-relu-6x5-000-002", 3), ("digits-mlp-relu-6x5-003-004", 2)]
    for runs in range(1, 30):
        sizes = [len(part) for part in stacks._cut_evenly(tuple(range(runs)), 7)]
        assert sum(sizes) == runs
        assert max(sizes) <= 7
        assert max(sizes) - min(sizes) <= 1


def test_nothing_that_is_finished_is_trained_again(built, monkeypatch):
    before = (built.root / "catalog.jsonl").read_bytes()
    monkeypatch.setattr(work, "train", None)
    again = build_tiny(built)
    assert all(stack.skipped for stack in again)
    assert [row.id for stack in again for row in stack.rows] == [row.id for row in built.rows()]
    assert (built.root / "catalog.jsonl").read_bytes() == before


def test_the_same_seed_gives_the_same_zoo_and_another_one_another(built, zoo, tmp_path):
    build_tiny(zoo)
    assert facts(zoo) == facts(built)
    other = Zoo(tmp_path / "other")
    build_tiny(other, seed=4)
    assert not {row.content for row in other.rows()} & {row.content for row in built.rows()}


@pytest.mark.parametrize("writes", [0, 1, 5, 6, 7, 11, 17])
def test_a_build_that_fails_goes_on_to_the_same_end(built, zoo, monkeypatch, writes):
    whole, done = files.write_safetensors, []

    def fail_at_last(path, tensors, metadata):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(path)
        whole(path, tensors, metadata)

    monkeypatch.setattr(files, "write_safetensors", fail_at_last)
    with pytest.raises(KeyboardInterrupt):
        build_tiny(zoo)
    listed = [row.id for row in zoo.rows()]
    assert len(listed) == max(whole_stacks for whole_stacks in (0, 4, 10, 14) if whole_stacks <= writes)
    assert not verify(zoo)
    trained = Counter()

    def counting(path, tensors, metadata):
        trained[path.stem] += 1
        whole(path, tensors, metadata)

    monkeypatch.setattr(files, "write_safetensors", counting)
    build_tiny(zoo)
    assert facts(zoo) == facts(built)
    assert not set(trained) & set(listed)
    assert not verify(zoo)


def test_rows_lost_after_the_journal_come_back_without_training(built, zoo, monkeypatch):
    monkeypatch.setattr(resumable, "append_missing", lambda zoo, rows: None)
    build_tiny(zoo)
    assert zoo.rows() == []
    monkeypatch.undo()
    monkeypatch.setitem(stacks.MOST_TOGETHER, "mlp", 3)
    monkeypatch.setattr(work, "train", None)
    build_tiny(zoo)
    assert facts(zoo) == facts(built)


def test_what_a_kill_left_half_written_is_removed(zoo):
    torn = zoo.root / "checkpoints" / f".{NAMES[1]}-step4.safetensors.0a1b2c3d.tmp"
    foreign = zoo.root / "checkpoints" / ".other-step4.safetensors.0a1b2c3d.tmp"
    torn.write_bytes(b"half")
    foreign.write_bytes(b"half")
    build_tiny(zoo)
    assert not torn.exists()
    assert foreign.exists()


def test_a_stack_with_a_missing_file_is_trained_again(zoo):
    build_tiny(zoo)
    before, gone = facts(zoo), zoo.path_of(zoo.rows()[0])
    gone.unlink()
    assert [stack.skipped for stack in build_tiny(zoo)] == [False, True, True, True]
    assert facts(zoo) == before
    assert not verify(zoo)


def test_a_zoo_grows_without_training_what_it_has(built, zoo):
    build(zoo, BuildOptions(tiny().scaled(4), 3))
    few = facts(zoo)
    assert [row.run for row in few[::2]] == [NAMES[0], NAMES[1], NAMES[5], NAMES[7]]
    assert [stack.skipped for stack in build_tiny(zoo)] == [True, False, False, True, False, True, False]
    assert [row for row in facts(zoo) if row in few] == few
    assert [row.id for row in zoo.rows()] == [row.id for row in built.rows()]
    assert not verify(zoo)


def test_fewer_runs_than_the_zoo_has_are_all_skipped(built):
    found = build(built, BuildOptions(tiny().scaled(2), 3))
    assert [stack.skipped for stack in found] == [True, True]
    assert [len(stack.rows) for stack in found] == [2, 2]


@pytest.mark.parametrize(
    "changes",
    [{"seed": 4}, {"training": {"snapshots": [4, 13]}}, {"hyperparameters": {}}],
    ids=lambda found: next(iter(found)),
)
def test_runs_of_another_recipe_are_never_mixed_in(built, changes):
    manifest = tiny(**changes)
    with pytest.raises(WembedError) as refused:
        build(built, BuildOptions(manifest, manifest.seed))
    message = f"the zoo holds {NAMES[0]} and others, built with other settings: {next(iter(changes))}"
    assert refused.value.message == message
    assert refused.value.hint == "build into another zoo with --zoo, or with what that one was built with"


def test_an_id_that_is_taken_is_said_before_any_training(zoo, write, tmp_path, monkeypatch):
    row_id = f"{NAMES[0]}-step4"
    zoo.append([CatalogRow(id=row_id, path="/elsewhere/a.safetensors")])
    monkeypatch.setattr(work, "train", None)
    with pytest.raises(WembedError) as refused:
        build_tiny(zoo)
    assert refused.value.message == f"the id {row_id} is taken in {zoo.root} by /elsewhere/a.safetensors"


def test_other_rows_of_the_zoo_stay(built, zoo):
    other = CatalogRow(id="mine", path="/elsewhere/a.safetensors")
    zoo.append([other])
    build_tiny(zoo)
    assert facts(zoo) == [other, *facts(built)]


def test_a_broken_journal_is_one_line(zoo):
    path = zoo.root / "runs" / "build" / "a.jsonl"
    path.parent.mkdir()
    for text in (
        "",
        "{}",
        "[1]\n",
        '{"stack": "a", "runs": 3, "recipe": ""}',
        '{"stack": "a", "runs": [], "recipe": ""}\n{}',
    ):
        path.write_text(text)
        with pytest.raises(WembedError) as refused:
            build_tiny(zoo)
        assert refused.value.message.startswith(f"{path} is no journal of a build: ")
        assert refused.value.hint == "delete it, and its networks are trained again"


def test_a_cnn_on_what_is_no_image_leaves_no_zoo_behind(tmp_path):
    groups = [GROUPS[0], {"dataset": "wine", "architecture": {"kind": "cnn", "hidden": [4]}, "runs": 1}]
    with pytest.raises(UsageError) as refused:
        build_tiny(Zoo(tmp_path / "none"), groups=groups)
    assert refused.value.message == "group wine-cnn-relu-4: cnn takes images, wine holds table"
    assert not (tmp_path / "none").exists()


def test_a_diverged_run_keeps_a_finite_snapshot_and_is_marked(zoo):
    ranges = {"learning_rate": [1e6, 1e6]}
    rows = [row for stack in build_tiny(zoo, groups=GROUPS[:2], hyperparameters=ranges) for row in stack.rows]
    assert [row.run for row in rows] == NAMES[:7]
    assert all(re.fullmatch(r"diverged at step [12]", row.status) for row in rows)
    assert {row.step for row in rows} <= {0, 1}  # before any snapshot was due
    for checkpoint, _ in open_items(zoo, rows):
        assert all(np.isfinite(checkpoint.read(name)).all() for name in checkpoint.tensors)
    assert not verify(zoo)
    assert zoo.rows() == rows


def test_progress_counts_updates_of_single_networks(zoo):
    told = []
    build(zoo, BuildOptions(tiny(), 3, progress=lambda done, total: told.append((done, total))))
    assert told == sorted(told)
    assert told[-1] == (9 * 12, 9 * 12)
    assert {total for _, total in told} == {9 * 12}
    assert len({done for done, _ in told}) > 40


def test_a_second_build_waits_for_the_first_and_finds_its_work(built, zoo):
    told, results = [], {}
    first_may_go_on = threading.Event()

    def first_progress(done, total):
        if not first_may_go_on.is_set():
            second.start()
            first_may_go_on.wait(30)

    def second_build():
        waiting = lambda: (told.append("waiting"), first_may_go_on.set())  # noqa: E731
        results["second"] = build(Zoo(zoo.root), BuildOptions(tiny(), 3, waiting=waiting))

    second = threading.Thread(target=second_build)
    results["first"] = build(zoo, BuildOptions(tiny(), 3, progress=first_progress))
    second.join(60)
    assert told == ["waiting"]
    assert not any(stack.skipped for stack in results["first"])
    assert all(stack.skipped for stack in results["second"])
    assert facts(zoo) == facts(built)


def test_the_lock_is_free_after_a_failure(zoo, monkeypatch):
    monkeypatch.setattr(work, "train", None)
    with pytest.raises(TypeError):
        build_tiny(zoo)
    FileLock(zoo.root / "build.lock").acquire(timeout=0).lock.release()


def test_the_number_of_threads_is_what_it_was(built):
    before = torch.get_num_threads()
    build(built, BuildOptions(tiny(), 3))
    assert torch.get_num_threads() == before


def test_a_file_that_is_not_what_was_written_is_made_again(zoo):
    build_tiny(zoo)
    before, broken = facts(zoo), zoo.path_of(zoo.rows()[0])
    broken.write_bytes(broken.read_bytes()[:-100])
    assert [stack.skipped for stack in build_tiny(zoo)] == [False, True, True, True]
    assert facts(zoo) == before
    assert not verify(zoo)


def test_journals_whose_files_were_made_again_are_forgotten(zoo):
    """Grown, thinned and grown again: no journal brings back what is no longer so."""
    build(zoo, BuildOptions(tiny().scaled(7), 3))
    remove(zoo, [row for row in zoo.rows() if row.run == NAMES[1]])
    for runs in (8, 9, 9):
        build(zoo, BuildOptions(tiny().scaled(runs), 3))
        assert not verify(zoo)
    assert [row.id for row in zoo.rows()] == [f"{name}-step{step}" for name in NAMES for step in (4, 12)]
    journals = list((zoo.root / "runs" / "build").glob("*.jsonl"))
    assert sum(len(json.loads(path.read_text().splitlines()[0])["runs"]) for path in journals) == len(NAMES)


def test_a_file_from_elsewhere_is_not_overwritten(zoo):
    foreign = zoo.root / "checkpoints" / f"{NAMES[0]}-step4.safetensors"
    foreign.write_bytes(b"mine")
    with pytest.raises(WembedError) as refused:
        build_tiny(zoo)
    assert refused.value.message == f"{foreign} is in the way, which no build has made"
    assert foreign.read_bytes() == b"mine"


def test_more_runs_are_never_fewer_of_any_group():
    manifest, before = tiny(), {}
    for runs in range(1, 10):
        counts = {group.name: group.runs for group in manifest.scaled(runs).groups}
        assert sum(counts.values()) == runs
        assert all(counts[name] >= count for name, count in before.items())
        before = counts
    assert manifest.scaled(9) == manifest


def test_a_script_that_builds_on_import_is_told_so(zoo, tmp_path):
    script = tmp_path / "build_it.py"
    lines = [
        "from pathlib import Path",
        "from wembed.catalog import Zoo",
        "from wembed.zoo.builder import BuildManifest, BuildOptions, build",
        f"manifest = BuildManifest.model_validate({TINY!r})",
        f"build(Zoo(Path({str(tmp_path / 'of_script')!r})), BuildOptions(manifest, 3, 2))",
    ]
    script.write_text("\n".join(lines))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "a script builds a zoo whenever it is imported, and so do its workers" in done.stderr
