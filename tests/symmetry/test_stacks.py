"""Experts on disk: a spec of joined tensors acts on the single matrices of a file, and says what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError
from wembed.symmetry import Atom, Layer, Site, SymmetrySpec, apply_action, find_spec, random_action, spec_metadata
from wembed.symmetry.axes import Product, Sum
from wembed.symmetry.experts import as_stored, joined
from wembed.symmetry.fit import check_fit
from wembed.symmetry.stacks import read_tensor, stored_parts, stored_shapes

D, E, H, INPUTS, CLASSES = 4, 3, 5, 6, 2
NAMES = {  # what the projections are called in files of two kinds: gate, up, down
    "block_sparse_moe.experts": ("w1", "w3", "w2"),
    "mlp.experts": ("gate_proj", "up_proj", "down_proj"),
}
HEAD = "model.layers.0"
EXPERTS = tuple(NAMES)


def draw(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def weights(experts: str = EXPERTS[0]) -> dict[str, np.ndarray]:
    """A mixture of experts between an embedding and a head, as a file keeps it."""
    shapes = [(H, D), (H, D), (D, H)]
    block = experts.removesuffix(".experts")
    return {
        "embed.weight": draw(0, D, INPUTS),
        f"{HEAD}.{block}.gate.weight": draw(1, E, D),
        "head.weight": draw(2, CLASSES, D),
    } | {
        f"{HEAD}.{experts}.{number}.{projection}.weight": draw(10 * number + place + 3, *shape)
        for number in range(E)
        for place, (projection, shape) in enumerate(zip(NAMES[experts], shapes, strict=True))
    }


def run(weights: dict[str, np.ndarray], inputs: np.ndarray, experts: str = EXPERTS[0]) -> np.ndarray:
    """The network's output [N, CLASSES]: each input goes through the two experts that the router likes best."""
    at = {name: values.astype(np.float64) for name, values in weights.items()}
    stream = inputs @ at["embed.weight"].T  # [N, D]
    logits = stream @ at[f"{HEAD}.{experts.removesuffix('.experts')}.gate.weight"].T
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)  # [N, E]
    chances[chances < np.sort(chances, axis=1)[:, -2:-1]] = 0
    out = stream.copy()
    for number in range(E):
        gate, up, down = (at[f"{HEAD}.{experts}.{number}.{name}.weight"] for name in NAMES[experts])
        gated = stream @ gate.T
        out += chances[:, number, None] * ((gated / (1 + np.exp(-gated)) * (stream @ up.T)) @ down.T)
    return out @ at["head.weight"].T


def module_spec(experts: str = EXPERTS[0]) -> SymmetrySpec:
    """The spec of the same network with its experts in two tensors, as a module holds them."""
    head = f"{HEAD}.{experts}"
    router = f"{head.removesuffix('.experts')}.gate.weight"
    atoms = [
        Atom("input", INPUTS, "input", "model input"),
        Atom("classes", CLASSES, "output", "model output"),
        Atom("stream", D, "hidden"),
        Atom("experts", E, "hidden"),
        Atom("hidden", H, "hidden"),
    ]
    inner = Product(("experts", "hidden"))
    sites = [Site("input", "input", fixed=True), Site("classes", "classes", fixed=True)]
    sites += [Site("stream", "stream", fixed=True), Site("router", "experts", fixed=True)]
    sites += [Site("gate", inner, "silu"), Site("up", inner, fixed=True)]
    plain, stacked = ("target", "source"), ("batch", "target", "source")
    layers = (
        Layer("embed", "dense", "input", "stream", {"weight": "embed.weight"}, plain),
        Layer("router", "dense", "stream", "router", {"weight": router}, plain),
        Layer("gate", "dense", "stream", "gate", {"weight": f"{head}.gate_up_proj"}, stacked, target_part=(0,)),
        Layer("up", "dense", "stream", "up", {"weight": f"{head}.gate_up_proj"}, stacked, target_part=(1,)),
        Layer("down", "dense", "up", "stream", {"weight": f"{head}.down_proj"}, stacked),
        Layer("head", "dense", "stream", "classes", {"weight": "head.weight"}, plain),
    )
    tensors = {
        "embed.weight": ("stream", "input"),
        router: ("experts", "stream"),
        f"{head}.gate_up_proj": ("experts", Sum(("hidden", "hidden")), "stream"),
        f"{head}.down_proj": ("experts", "stream", "hidden"),
        "head.weight": ("classes", "stream"),
    }
    named = {site.name: site for site in sites}
    return SymmetrySpec("given", {atom.name: atom for atom in atoms}, tensors, named, layers)


def shapes_of(weights: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in weights.items()}


def acted(spec: SymmetrySpec, checkpoint: Checkpoint, action) -> dict[str, np.ndarray]:
    """What a copy would hold, under the file's names."""
    return dict(apply_action(action, spec, checkpoint.read))


@pytest.mark.parametrize("experts", EXPERTS)
def test_joined_shapes_are_a_modules(experts):
    spec = module_spec(experts)
    assert joined(shapes_of(weights(experts))) == stored_shapes(spec)


@pytest.mark.parametrize("experts", EXPERTS)
def test_permuted_experts_compute_the_same(experts):
    arrays = weights(experts)
    spec = as_stored(module_spec(experts), shapes_of(arrays))
    checkpoint = in_memory(arrays)
    check_fit(spec, checkpoint)
    after = acted(spec, checkpoint, random_action(spec, np.random.default_rng(2)))
    assert shapes_of(after) == shapes_of(arrays)
    assert not any(np.array_equal(after[name], arrays[name]) for name in arrays)
    inputs = draw(99, 50, INPUTS)
    np.testing.assert_allclose(run(after, inputs, experts), run(arrays, inputs, experts), atol=1e-9)


def test_experts_that_move_without_their_router_compute_something_else():
    """The control of the test above: the same check fails where a claim is wrong."""
    arrays = weights()
    spec = as_stored(module_spec(), shapes_of(arrays))
    after = acted(spec, in_memory(arrays), random_action(spec, np.random.default_rng(2)))
    router = f"{HEAD}.block_sparse_moe.gate.weight"
    after[router] = after[router][::-1]
    inputs = draw(99, 50, INPUTS)
    assert np.abs(run(after, inputs) - run(arrays, inputs)).max() > 1e-2


@pytest.mark.parametrize("experts", EXPERTS)
def test_experts_with_an_order_and_scales_of_their_own_compute_the_same(experts):
    module = module_spec(experts)
    hidden = replace(module.atoms["hidden"], under="experts")
    up = replace(module.sites["up"], activation="identity", fixed=False)
    module = replace(module, atoms={**module.atoms, "hidden": hidden}, sites={**module.sites, "up": up})
    arrays = weights(experts)
    spec = as_stored(module, shapes_of(arrays))
    action = random_action(spec, np.random.default_rng(2), rescale=True)
    assert action.permutations["hidden"].shape == (E, H)
    assert action.scales["up"].shape == (E * H,)
    after = acted(spec, in_memory(arrays), action)
    inputs = draw(99, 50, INPUTS)
    before = run(arrays, inputs, experts)
    np.testing.assert_allclose(run(after, inputs, experts), before, atol=1e-6 * np.abs(before).max())


def test_gate_and_up_become_stacks_of_their_own():
    spec = as_stored(module_spec(), shapes_of(weights()))
    stacks = {name.removeprefix(f"{HEAD}.block_sparse_moe."): members for name, members in spec.stacks.items()}
    assert list(stacks) == ["experts.*.w1.weight", "experts.*.w3.weight", "experts.*.w2.weight"]
    assert stacks["experts.*.w3.weight"][2] == f"{HEAD}.block_sparse_moe.experts.2.w3.weight"
    layers = {layer.name: layer for layer in spec.layers}
    assert layers["gate"].tensors["weight"].endswith("*.w1.weight")
    assert layers["up"].tensors["weight"].endswith("*.w3.weight")
    assert layers["gate"].target_part == layers["up"].target_part == ()


def test_rows_name_a_stack_and_not_its_members():
    spec = as_stored(module_spec(), shapes_of(weights()))
    row = next(row for row in spec.rows() if row["group"] == "hidden")
    assert row["tensors"] == [f"{HEAD}.block_sparse_moe.experts.*.{name}.weight" for name in ("w1", "w3", "w2")]


def test_a_stack_reads_as_one_tensor():
    arrays = weights()
    spec = as_stored(module_spec(), shapes_of(arrays))
    name = f"{HEAD}.block_sparse_moe.experts.*.w1.weight"
    values = read_tensor(in_memory(arrays), spec, name)
    assert values.shape == (E, H, D)
    assert all(np.array_equal(values[i], arrays[name.replace("*", str(i))]) for i in range(E))
    assert dict(stored_parts(spec, name, values)).keys() == {name.replace("*", str(i)) for i in range(E)}
    assert np.array_equal(read_tensor(in_memory(arrays), spec, "head.weight"), arrays["head.weight"])


def test_a_file_that_joins_its_experts_needs_no_stacks():
    spec = module_spec()
    assert joined(stored_shapes(spec)) == stored_shapes(spec)
    assert as_stored(spec, stored_shapes(spec)) is spec


@pytest.mark.parametrize("projection", ["w1", "w3", "w2"])
@pytest.mark.parametrize("number", range(E - 1))
def test_a_gap_in_the_numbers_joins_nothing(projection, number):
    shapes = shapes_of(weights())
    del shapes[f"{HEAD}.block_sparse_moe.experts.{number}.{projection}.weight"]
    assert joined(shapes) == shapes


@pytest.mark.parametrize("shape", [(H + 1, D), (H,), (H, D, 1)])
def test_an_expert_of_another_shape_joins_nothing(shape):
    shapes = shapes_of(weights())
    shapes[f"{HEAD}.block_sparse_moe.experts.1.w1.weight"] = shape
    assert joined(shapes) == shapes


def test_other_projections_are_not_joined():
    shapes = shapes_of(weights()) | {f"{HEAD}.block_sparse_moe.experts.0.w4.weight": (H, D)}
    assert joined(shapes) == shapes


@pytest.mark.parametrize("number", ["00", "1" * 5000, "٣", "-1", ""])
def test_odd_numbers_are_no_experts(number):
    shapes = shapes_of(weights()) | {f"{HEAD}.block_sparse_moe.experts.{number}.w1.weight": (H, D)}
    assert joined(shapes).keys() >= {f"{HEAD}.block_sparse_moe.experts.gate_up_proj"}


def test_experts_too_many_for_the_architecture_are_refused_by_name():
    arrays = weights()
    arrays |= {
        name.replace("experts.0", f"experts.{E}"): values for name, values in arrays.items() if "experts.0" in name
    }
    message = r"tensor .*experts\.0\.w1\.weight has shape \[5, 4\], one of 4; the architecture has .* of shape \[3, 10"
    with pytest.raises(CheckpointRefusedError, match=message):
        as_stored(module_spec(), shapes_of(arrays))


def test_what_is_not_known_to_be_a_concatenation_is_frozen():
    spec = module_spec()
    name = f"{HEAD}.block_sparse_moe.experts.gate_up_proj"
    whole = Atom("whole", 2 * H, "hidden")
    layers = tuple(layer for layer in spec.layers if layer.name not in ("gate", "up"))
    spec = replace(
        spec,
        atoms=spec.atoms | {"whole": whole},
        tensors=spec.tensors | {name: ("experts", "whole", "stream")},
        sites=spec.sites
        | {"whole": Site("whole", "whole", "identity"), "stream": Site("stream", "stream", "identity")},
        layers=(*layers, Layer("gate_up", "dense", "stream", "whole", {"weight": name}, ("batch", "target", "source"))),
    )
    assert spec.has_scales
    found = as_stored(spec, shapes_of(weights()))
    assert [atom.name for atom in found.atoms.values() if not atom.frozen] == ["hidden"]
    assert not found.has_scales
    assert found.notes == (f"{name}: which of its indices belong to which of the file's tensors is not known",)
    check_fit(found, in_memory(weights()))


@pytest.fixture
def stored(tmp_path):
    """Writes a file whose metadata holds a spec with stacks, and opens it."""

    def write(arrays: dict[str, np.ndarray], dtypes: dict[str, str] | None = None) -> Checkpoint:
        spec = as_stored(module_spec(), shapes_of(weights()))
        halves = {name: array.astype(np.float16) for name, array in arrays.items() if name in (dtypes or {})}
        tensors = {name: ("F16" if name in halves else "F32", halves.get(name, arrays[name])) for name in arrays}
        write_safetensors(tmp_path / "moe.safetensors", tensors, spec_metadata(spec))
        return open_checkpoint(tmp_path / "moe.safetensors")

    return write


def test_a_spec_with_stacks_travels_with_its_file(stored):
    spec = find_spec(stored(weights()))
    assert spec.hash == as_stored(module_spec(), shapes_of(weights())).hash
    assert spec.tier == "given"


def test_a_missing_member_is_named(stored):
    arrays = weights()
    del arrays[f"{HEAD}.block_sparse_moe.experts.1.w2.weight"]
    with pytest.raises(CheckpointRefusedError, match=r"the spec's tensor .*experts\.1\.w2\.weight is not in the file"):
        find_spec(stored(arrays))


def test_a_member_of_another_shape_is_named(stored):
    arrays = weights()
    arrays[f"{HEAD}.block_sparse_moe.experts.1.w2.weight"] = draw(0, D, H + 1)
    with pytest.raises(
        CheckpointRefusedError, match=r"experts\.1\.w2\.weight has shape \[4, 6\], its spec says \[4, 5\]"
    ):
        find_spec(stored(arrays))


def test_members_of_several_dtypes_are_refused(stored):
    name = f"{HEAD}.block_sparse_moe.experts.1.w2.weight"
    message = rf"tensor {name} is stored as F16, .*experts\.0\.w2\.weight as F32"
    with pytest.raises(CheckpointRefusedError, match=message):
        find_spec(stored(weights(), {name: "F16"}))
