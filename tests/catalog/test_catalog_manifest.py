from pathlib import Path

import pytest

from wembed.catalog import manifest
from wembed.catalog.manifest import find_manifest, load_manifest, packaged_manifests
from wembed.errors import NotFoundError, UsageError
from wembed.zoo.builder import BuildManifest

GROUP = "{dataset: digits, architecture: {kind: mlp, hidden: [8]}, runs: 3}"
GOOD = f"name: a\ntraining: {{snapshots: [2, 5]}}\ngroups: [{GROUP}]\n"


def refusal(tmp_path: Path, text: str | bytes) -> UsageError:
    path = tmp_path / "m.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as refused:
        load_manifest(str(path), BuildManifest)
    assert refused.value.message.startswith(f"{path}")
    assert "\n" not in refused.value.message
    refused.value.message = refused.value.message.removeprefix(str(path))
    return refused.value


@pytest.mark.parametrize("name", ["digits", "small"])
def test_packaged_manifests_go_by_their_name(name):
    assert load_manifest(name, BuildManifest).name == name
    assert find_manifest(name) == packaged_manifests()[name]


def test_an_installed_package_brings_them_inside(tmp_path, monkeypatch):
    (tmp_path / "wembed" / "zoo_manifests").mkdir(parents=True)
    (tmp_path / "wembed" / "zoo_manifests" / "mine.yaml").write_text(GOOD)
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "wembed")
    assert list(packaged_manifests()) == ["mine"]
    assert load_manifest("mine", BuildManifest).name == "a"


def test_the_small_one_holds_what_its_study_needs():
    small = load_manifest("small", BuildManifest)
    assert {group.dataset for group in small.groups if group.sealed} == {"breast_cancer"}
    assert {group.dataset for group in small.groups if not group.sealed} == {"digits", "wine"}
    assert min(group.runs for group in small.groups) >= 24
    seen = {group.architecture.label for group in small.groups if not group.sealed}
    assert {group.architecture.label for group in small.groups if group.sealed} <= seen
    assert load_manifest("digits", BuildManifest).seed != small.seed


def test_a_file_of_the_name_comes_before_the_packaged_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small").write_text(GOOD)
    assert load_manifest("small", BuildManifest).runs == 3


@pytest.mark.parametrize(
    ("argument", "message"), [("smal", "no manifest smal"), ("a/b.yaml", "no manifest at a/b.yaml")]
)
def test_an_unknown_one_lists_the_known(argument, message):
    with pytest.raises(NotFoundError) as refused:
        load_manifest(argument, BuildManifest)
    assert refused.value.message == message
    assert refused.value.hint == "give a file, or one of digits, small"


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("name: a", "nam: a", ": nam is no key of a manifest", "did you mean name?"),
        ("snapshots:", "snapshot:", ": training.snapshot is no key of a manifest", "did you mean snapshots?"),
        ("hidden:", "hiden:", ": groups.0.architecture.hiden is no key of a manifest", "did you mean hidden?"),
        ("runs:", "x: 1, runs:", ": groups.0.x is no key of a manifest", "known are dataset, architecture,"),
        (", runs: 3", "", ": groups.0.runs is missing", ""),
        ("runs: 3", "runs: 0", ": groups.0.runs: input should be greater than or equal to 1, found 0", ""),
        ("kind: mlp", "kind: rnn", ": groups.0.architecture.kind: input should be 'mlp' or 'cnn', found 'rnn'", ""),
        ("digits", "mnist", ": groups.0.dataset: known data sets are digits, wine, breast_cancer, found 'mnist'", ""),
        ("[2, 5]", "[5, 2]", ": training.snapshots: snapshots are steps in ascending order, found [5, 2]", ""),
        ("[2, 5]", "[]", ": training.snapshots: tuple should have at least 1 item", ""),
        (GROUP, f"{GROUP}, {GROUP}", ": the group digits-mlp-relu-8 stands there 2 times", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_says_where(tmp_path, old, new, message, hint):
    assert old in GOOD
    refused = refusal(tmp_path, GOOD.replace(old, new))
    assert refused.message.startswith(message)
    assert refused.hint.startswith(hint)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate: [0.1, 0.01]", "learning_rate: the lower bound 0.1 is above the upper 0.01"),
        ("learning_rate: [0, 1]", "learning_rate.0: input should be greater than 0, found 0"),
        ("label_noise: [0, 1]", "label_noise.1: input should be less than 1, found 1"),
        ("train_fraction: [.nan, 1]", "train_fraction.0: input should be a finite number, found nan"),
        ("init_scale: 3", "init_scale: input should be a valid tuple, found 3"),
        ("init_scale: [1]", "init_scale.1 is missing"),
    ],
)
def test_impossible_ranges_are_refused(tmp_path, line, message):
    assert refusal(tmp_path, f"{GOOD}hyperparameters: {{{line}}}\n").message == f": hyperparameters.{message}"


def test_a_data_set_is_sealed_or_not(tmp_path):
    other = GROUP.replace("[8]", "[9]").replace("runs: 3", "runs: 3, sealed: true")
    refused = refusal(tmp_path, GOOD.replace(GROUP, f"{GROUP}, {other}"))
    assert refused.message == ": digits is sealed in one group and not in another"


@pytest.mark.parametrize("text", [b"a: [", b"\xff\xfe\x00", b"a: \x00", b"{a: &x [*x]}: 1", b"!!python/object:os.x {}"])
def test_what_is_no_yaml_is_one_line(tmp_path, text):
    assert refusal(tmp_path, text).message.startswith(" is no YAML file: ")


@pytest.mark.parametrize("text", ["", "[1, 2]", "digits", "3"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    assert refusal(tmp_path, text).message.startswith(": expected keys and values, such as name, seed, training")


@pytest.mark.parametrize("runs", [1, 2, 5, 17, 416, 1000])
def test_another_number_of_runs_keeps_the_proportions(runs):
    small = load_manifest("small", BuildManifest)
    scaled = small.scaled(runs)
    assert scaled.runs == runs
    counts = {group.name: group.runs for group in scaled.groups}
    for group in small.groups:
        assert abs(counts.get(group.name, 0) - group.runs * runs / small.runs) <= 1
