import json
import re
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from wembed.catalog.manifest import load_manifest, packaged_manifests
from wembed.models import DATASETS
from wembed.zoo.builder.manifest import BuildManifest, Children, Group, Training

# Kind, shape of an input and number of classes, as the data sets have them.
DATA = {
    "digits": ("images", (1, 8, 8), 10),
    "wine": ("table", (13,), 3),
    "iris": ("table", (4,), 3),
    "diabetes": ("table", (10,), 3),
    "breast_cancer": ("table", (30,), 2),
    "fashion": ("images", (1, 28, 28), 10),
    "fashion-14": ("images", (1, 14, 14), 10),
    "mnist": ("images", (1, 28, 28), 10),
    "mnist-14": ("images", (1, 14, 14), 10),
    "documentation": ("text", (32,), 98),
    "documentation-masked": ("text", (32,), 98),
}
MLP = {"kind": "mlp", "hidden": [8]}


def manifest(**changes) -> BuildManifest:
    contents = {
        "name": "m",
        "training": {"batch_size": 16, "snapshots": [2, 5]},
        "groups": [{"dataset": "digits", "architecture": MLP, "runs": 3}],
    }
    return BuildManifest.model_validate(contents | changes)


def group(**changes) -> Group:
    (resolved,) = manifest(groups=[{"dataset": "digits", "architecture": MLP, "runs": 3} | changes]).groups
    return resolved


@pytest.mark.parametrize("name", packaged_manifests("build"))
def test_every_packaged_group_can_be_built(name):
    loaded = load_manifest(name, BuildManifest)
    assert loaded.name == name
    for one in loaded.groups:
        assert one.dataset in DATASETS
        kind, shape, classes = DATA[one.dataset]
        assert kind in one.architecture.takes
        with torch.device("meta"):
            one.architecture.build(shape, classes)


def test_what_the_packaged_ones_promise():
    loaded = {name: load_manifest(name, BuildManifest) for name in packaged_manifests("build")}
    assert set(loaded) == {"small", "digits", "digits-wide", "mixed", "families", "fashion", "mnist", "pretrain"}
    assert len({one.seed for one in loaded.values()}) == len(loaded)
    assert {one.architecture.kind for one in loaded["mixed"].groups} == {
        "mlp", "cnn", "resnet", "mobile", "vit", "gru", "lstm", "bert", "gpt2", "llama", "t5",
    }  # fmt: skip
    assert {one.architecture.kind for one in loaded["pretrain"].groups} == {
        one.architecture.kind for one in loaded["mixed"].groups
    }
    assert loaded["mixed"].checkpoints >= 1000
    widths = {width for one in loaded["digits-wide"].groups for width in one.architecture.hidden}
    assert (min(widths), max(widths)) == (4, 128)


def test_a_child_of_families_has_strangers_of_its_own_configuration():
    families = load_manifest("families", BuildManifest)
    for one in families.groups:
        assert one.runs >= 24
        assert all(low == high for low, high in one.hyperparameters.model_dump().values())
        assert set(one.children.counts) == set(Children.model_fields) - {"change", "steps", "generations"}
        assert one.children.generations == 2
        assert min(one.twins.init, one.twins.data, one.twins.order) >= 1


def test_a_group_changes_what_it_says_and_nothing_else():
    defaults = {"hyperparameters": {"weight_decay": [0.1, 0.2]}, "children": {"noise": 2, "steps": 9}}
    changes = {
        "training": {"batch_size": 8},
        "hyperparameters": {"label_noise": [0.0, 0.1]},
        "children": {"noise": 0, "int8": 1},
        "twins": {"order": 2},
    }
    changed, same = manifest(
        **defaults,
        groups=[
            {"dataset": "digits", "architecture": MLP, "runs": 3} | changes,
            {"dataset": "wine", "architecture": MLP, "runs": 3},
        ],
    ).groups
    assert changed.training == Training(batch_size=8, snapshots=(2, 5))
    assert changed.hyperparameters.weight_decay == same.hyperparameters.weight_decay == (0.1, 0.2)
    assert (changed.hyperparameters.label_noise, same.hyperparameters.label_noise) == ((0.0, 0.1), (0.0, 0.5))
    assert (changed.children.counts, changed.children.steps) == ({"int8": 1}, 9)
    assert (same.children.counts, same.twins.total, changed.twins.total) == ({"noise": 2}, 0, 2)


def test_a_grid_is_every_combination():
    grid = {"kind": "mlp", "hidden": [[4], [8, 8]], "activation": ["relu", "tanh"]}
    groups = manifest(groups=[{"dataset": "digits", "grid": grid, "runs": 2}]).groups
    assert [one.name for one in groups] == [
        "digits-mlp-relu-4", "digits-mlp-tanh-4", "digits-mlp-relu-8x8", "digits-mlp-tanh-8x8",
    ]  # fmt: skip
    assert {one.runs for one in groups} == {2}


def test_a_grid_may_not_meet_another_group():
    grid = {"kind": "mlp", "hidden": [[4], [8]]}
    groups = [{"dataset": "digits", "architecture": MLP, "runs": 2}, {"dataset": "digits", "grid": grid, "runs": 2}]
    with pytest.raises(ValidationError, match="the group digits-mlp-relu-8 stands there twice"):
        manifest(groups=groups)


def test_old_words_for_a_norm_are_read():
    assert group(architecture=MLP | {"batch_norm": True}) == group(architecture=MLP | {"norm": "batch"})


@pytest.mark.parametrize(
    ("children", "generations", "total"),
    [({"noise": 2, "int8": 1}, 1, 3), ({"noise": 2, "int8": 1}, 2, 3 + 2 * 3), ({"noise": 2}, 3, 2 + 4 + 8)],
)
def test_networks_and_checkpoints_are_counted(children, generations, total):
    one = group(children=children | {"generations": generations}, twins={"init": 1, "data": 2})
    assert one.children.total == total
    assert one.networks == 3 * (1 + 3 + total)
    assert one.checkpoints == 3 * ((1 + 3) * 2 + total)


def test_scaling_keeps_twins_and_children():
    scaled = manifest(twins={"init": 1}, children={"noise": 2}).scaled(1)
    assert (scaled.runs, scaled.networks) == (1, 1 + 1 + 2)


@pytest.mark.parametrize(
    "name", ["digits-parity", "fashion-14", "documentation-masked", "own", "own-parity", "own-masked"]
)
def test_data_sets_have_variants(name):
    groups = [{"dataset": name, "architecture": MLP, "runs": 1}]
    loaded = manifest(data={"own": {"path": "a.csv", "target": "y"}}, groups=groups)
    assert (loaded.file_of(name) is not None) == name.startswith("own")


def test_a_file_is_looked_for_beside_its_manifest(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text(
        "name: a\ndata: {near: {path: a.csv}, far: {path: /b.csv}, mnist: {path: idx}}\ntraining: {snapshots: [1]}\n"
        "groups: [{dataset: near, architecture: {kind: mlp, hidden: [8]}, runs: 1}]\n"
    )
    loaded = load_manifest(str(path), BuildManifest)
    assert loaded.file_of("near").path == tmp_path / "a.csv"
    assert loaded.file_of("far").path == Path("/b.csv")
    assert loaded.file_of("mnist-14-parity").path == tmp_path / "idx"
    assert loaded.file_of("digits") is None


def test_the_schema_is_that_of_what_people_write():
    schema = json.loads(json.dumps(BuildManifest.model_json_schema()))
    assert {"name", "data", "training", "twins", "children", "groups"} <= set(schema["properties"])
    inside = schema["$defs"]["WrittenGroup"]["properties"]
    assert {"kind", "hidden", "kv_heads"} <= set(inside["grid"]["anyOf"][0]["properties"])


def test_every_reference_of_the_schema_leads_somewhere():
    schema = BuildManifest.model_json_schema()
    referred = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert referred == set(schema["$defs"])
