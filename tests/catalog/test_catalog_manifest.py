from pathlib import Path

import pytest

from wembed.catalog import manifest
from wembed.catalog.manifest import find_manifest, load_manifest, packaged_manifests
from wembed.errors import NotFoundError, UsageError
from wembed.zoo.builder import BuildManifest

GROUP = "{dataset: digits,\n     architecture: {kind: mlp, hidden: [8]}, runs: 3}"
GOOD = f"name: a\ntraining: {{snapshots: [2, 5]}}\ngroups:\n  - {GROUP}\n"


def refusal(tmp_path: Path, text: str | bytes) -> UsageError:
    path = tmp_path / "m.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as refused:
        load_manifest(str(path), BuildManifest)
    assert refused.value.message.startswith(f"{path}")
    assert "\n" not in refused.value.message
    refused.value.message = refused.value.message.removeprefix(str(path))
    return refused.value


@pytest.mark.parametrize("name", packaged_manifests("build"))
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
    assert refused.value.hint == f"give a file, or one of {', '.join(packaged_manifests('build'))}"


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("name: a", "nam: a", " line 1: nam is no key of a manifest", "did you mean name?"),
        ("name: a\n", "", " line 1: name is missing", ""),
        ("snapshots:", "snapshot:", " line 2: training.snapshot is no key of a manifest", "did you mean snapshots?"),
        ("snapshots: [2, 5]", "", " line 2: training.snapshots is missing", ""),
        ("hidden:", "hiden:", " line 5: groups.0.architecture.hiden is no key of a manifest", "did you mean hidden?"),
        ("runs:", "x: 1, runs:", " line 5: groups.0.x is no key of a manifest", "known are dataset, architecture,"),
        (", runs: 3", "", " line 4: groups.0.runs is missing", ""),
        ("runs: 3", "runs: 0", " line 5: groups.0.runs: input should be greater than or equal to 1, found 0", ""),
        ("runs: 3", "runs: 3, children: {noize: 1}", " line 5: groups.0.children.noize is no key of a manifest",
         "did you mean noise?"),
        ("runs: 3", "runs: 3, children: {noise: -1}",
         " line 5: groups.0.children.noise: input should be greater than or equal to 0, found -1", ""),
        ("runs: 3", "runs: 3, twins: 3", " line 5: groups.0.twins: keys and values are "
         "expected, found 3", ""),
        ("kind: mlp", "kind: mpl", " line 5: groups.0.architecture.kind: expected one of mlp, cnn, ",
         "did you mean mlp?"),
        ("kind: mlp, ", "", " line 5: groups.0.architecture.kind: it is missing", ""),
        ("[8]", "[8, -4]", " line 5: groups.0.architecture.hidden.1: input should be greater than or equal to 1, "
         "found -4", ""),
        ("[8]", "eight", " line 5: groups.0.architecture.hidden: a list is expected, found 'eight'", ""),
        ("kind: mlp, hidden: [8]", "kind: cnn, hidden: [8], kernel: 4",
         " line 5: groups.0.architecture.kernel: input should be 1, 3 or 5, found 4", ""),
        ("kind: mlp, hidden: [8]", "kind: cnn, hidden: [8, 8], kernel: [3, 4]",
         " line 5: groups.0.architecture.kernel.1: input should be 1, 3 or 5, found 4", ""),
        ("dataset: digits", "dataset: digitz", " line 4: groups.0.dataset: no data set 'digitz'",
         "did you mean digits? `data:` names files of your own"),
        ("[2, 5]", "[5, 2]", " line 2: training.snapshots: snapshots are steps in ascending order, found [5, 2]", ""),
        ("[2, 5]", "[]", " line 2: training.snapshots: at least 1 are expected, found 0", ""),
        (GROUP, f"{GROUP}\n  - {GROUP}", " line 6: groups.1: the group digits-mlp-relu-8 stands there twice", ""),
        ("architecture: {kind: mlp, hidden: [8]}, ", "",
         " line 4: groups.0: either an architecture or a grid is expected", ""),
        ("runs: 3", "runs: 3, grid: {kind: mlp}", " line 4: groups.0: either an architecture or a grid is expected",
         ""),
        ("runs: 3", "runs: 3, runs: 4", " line 5: the key runs stands there twice", "leave one of them out"),
        ("name: a", "name: a\ndescription: \"a\\nb\"", " line 2: description: one line is expected, found 'a\\nb'", ""),
        ("name: a", "name: a\ndata: {x: {pth: a}}", " line 2: data.x.pth is no key of a manifest",
         "did you mean path?"),
        ("name: a", "name: a\ndata: {x: {}}", " line 2: data.x.path is missing", ""),
        ("runs: 3", "runs: 90000, children: {noise: 100, generations: 2}",
         " line 3: groups: at most 1000000 networks are expected, found 909090000", ""),
        ("name: a", "name: a\n1: 2", " line 2: 1: keys should be strings, found 1", ""),
        (f"groups:\n  - {GROUP}", "groups:", " line 3: groups: a list is expected, found None", ""),
        (GROUP, "digits", " line 4: groups.0: keys and values are expected, found 'digits'", ""),
        ("name: a", "name: a\ndata: {../x: {path: a}}", " line 2: data.../x: string should match pattern", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_says_where(tmp_path, old, new, message, hint):
    assert old in GOOD
    refused = refusal(tmp_path, GOOD.replace(old, new))
    assert refused.message.startswith(message)
    assert refused.hint.startswith(hint)


@pytest.mark.parametrize(
    ("grid", "message", "hint"),
    [
        ("{kind: mlp, hidden: [[8], [4, -4]]}", ".hidden.1.1: input should be greater than or equal to 1, found -4",
         ""),
        ("{kind: mlp, hiden: [[8]]}", ".hiden is no key of a manifest", "did you mean hidden?"),
        ("{kind: mlp}", ".hidden is missing", ""),
        ("{kind: [mlp, mpl], hidden: [[8]]}", ".kind: expected one of mlp, cnn, ", "did you mean mlp?"),
        ("{kind: mlp, hidden: []}", ".hidden: at least one option is expected, found none", ""),
        ("{}", ": 1 to 1000 architectures are expected, found 0", ""),
        ("{kind: cnn, hidden: [[8, 8]], kernel: [3, [3, 5, 3]]}", ": kernel has 3 entries for 2 layers", ""),
        (f"{{kind: mlp, hidden: [{'[8], ' * 1001}]}}", ": 1 to 1000 architectures are expected, found 1001", ""),
        ("{kind: [mlp, gru], hidden: [[8]]}", ".hidden: gru has no such setting", ""),
        ("{kind: mlp, hidden: [8, 16]}", ".hidden.0: a list is expected, found 8", ""),
        ("{kind: vit, width: [32, 33]}", ": 2 heads do not divide a width of 33", ""),
        ("{hidden: [[8]]}", ".kind: it is missing", ""),
        ("[1]", ": keys and values are expected", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_grid_is_told_at_the_option(tmp_path, grid, message, hint):
    refused = refusal(tmp_path, GOOD.replace("architecture: {kind: mlp, hidden: [8]}", f"grid: {grid}"))
    assert refused.message.startswith(f" line 5: groups.0.grid{message}")
    assert refused.hint.startswith(hint)


TOML = """name = "a"
training = {snapshots = [2, 5]}
[[groups]]
dataset = "digits"
runs = 3
architecture = {kind = "mlp", hidden = [8]}
"""


def test_toml_says_the_same(tmp_path):
    (tmp_path / "m.toml").write_text(TOML)
    (tmp_path / "m.yaml").write_text(GOOD)
    toml, yaml = (load_manifest(str(tmp_path / f"m.{ending}"), BuildManifest) for ending in ("toml", "yaml"))
    assert toml.model_dump() == yaml.model_dump()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[8]",
            "[-8]",
            " line 6: groups.0.architecture.hidden.0: input should be greater than or equal to 1, found -8",
        ),
        ("hidden", "hiden", " line 6: groups.0.architecture.hiden is no key of a manifest"),
        ('name = "a"', "", ": name is missing"),
        ("runs = 3", "runs = 3\nruns = 4", " is no TOML file: Cannot overwrite a value (at line 6, column 9)"),
        ("[[groups]]", "[groups", " is no TOML file: "),
    ],
)
def test_what_is_wrong_in_toml_is_one_line_too(tmp_path, old, new, message):
    path = tmp_path / "m.toml"
    path.write_text(TOML.replace(old, new))
    with pytest.raises(UsageError) as refused:
        load_manifest(str(path), BuildManifest)
    assert refused.value.message.startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate: [0.1, 0.01]", "learning_rate: the lower bound 0.1 is above the upper 0.01"),
        ("learning_rate: [0, 1]", "learning_rate.0: input should be greater than 0, found 0"),
        ("label_noise: [0, 1]", "label_noise.1: input should be less than 1, found 1"),
        ("train_fraction: [.nan, 1]", "train_fraction.0: input should be a finite number, found nan"),
        ("init_scale: 3", "init_scale: a list is expected, found 3"),
        ("init_scale: [1]", "init_scale.1 is missing"),
    ],
)
def test_impossible_ranges_are_refused(tmp_path, line, message):
    refused = refusal(tmp_path, f"{GOOD}hyperparameters: {{{line}}}\n")
    assert refused.message == f" line 6: hyperparameters.{message}"


def test_a_data_set_is_sealed_or_not(tmp_path):
    other = GROUP.replace("[8]", "[9]").replace("runs: 3", "runs: 3, sealed: true")
    refused = refusal(tmp_path, GOOD.replace(GROUP, f"{GROUP}\n  - {other}"))
    assert refused.message == " line 6: groups.1: digits is sealed in one group and not in another"


@pytest.mark.parametrize("text", [b"a: [", b"\xff\xfe\x00", b"a: \x00", b"{a: &x [*x]}: 1", b"!!python/object:os.x {}"])
def test_what_is_no_yaml_is_one_line(tmp_path, text):
    assert refusal(tmp_path, text).message.startswith(" is no YAML file: ")


def test_a_file_that_is_no_yaml_is_told_its_line(tmp_path):
    assert 'in "m.yaml", line 4, column 1' in refusal(tmp_path, GOOD.replace("  - ", "\t- ")).message


def test_an_alias_of_itself_is_no_manifest(tmp_path):
    assert refusal(tmp_path, f"{GOOD}x: &x [*x]\n").message == " line 6: x is no key of a manifest"


@pytest.mark.parametrize("text", ["", "[1, 2]", "digits", "3"])
def test_what_is_no_mapping_is_refused(tmp_path, text):
    expected = ": expected keys and values, such as name, training, groups"
    assert refusal(tmp_path, text).message == expected


@pytest.mark.parametrize("runs", [1, 2, 5, 17, 416, 1000])
def test_another_number_of_runs_keeps_the_proportions(runs):
    small = load_manifest("small", BuildManifest)
    scaled = small.scaled(runs)
    assert scaled.runs == runs
    counts = {group.name: group.runs for group in scaled.groups}
    for group in small.groups:
        assert abs(counts.get(group.name, 0) - group.runs * runs / small.runs) <= 1
