"""A weight that is read tile by tile is the weight, whatever its layout, and no more than a tile of it is held."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from every_architecture import EVERY, described, label_of
from small_networks import NETWORKS

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint, write_safetensors
from wembed.models.modules import initial_state
from wembed.symmetry import CanonicalView, SymmetrySpec, canonical, random_action
from wembed.symmetry.action.act import apply_action
from wembed.symmetry.canonical_form import views
from wembed.symmetry.canonical_form.views import DenseView
from wembed.zoo.builder.specs import network_spec

SIZES = (1, 7, 40)  # entries of a tile


def small(name: str) -> tuple[Checkpoint, SymmetrySpec]:
    net = NETWORKS[name](3)
    return in_memory(net.arrays), net.spec


def assembled(view: DenseView) -> np.ndarray:
    """The weight that its tiles are; every entry stands in one of them."""
    weight = np.zeros((view.rows.size, view.columns.size, int(np.prod(view.taps, dtype=int))))
    seen = np.zeros(weight.shape[:2], dtype=int)
    for tile in view.tiles():
        assert tile.weight.dtype == np.float32
        weight[tile.targets, tile.sources] = tile.weight
        seen[tile.targets, tile.sources] += 1
    assert (seen == 1).all()
    return weight


def check_tiles(view: CanonicalView, record_property) -> None:
    for layer in view.flow.dense:
        weight = layer.weight()
        error = np.abs(assembled(layer) - weight).max() / np.abs(weight).max()
        record_property("tiles against the weight", float(error))
        assert error < 1e-6


def check_same(one: CanonicalView, other: CanonicalView) -> None:
    """Up to signs, which singular vectors have not."""
    for before, after in zip(one.flow.dense, other.flow.dense, strict=True):
        for first, second in ((before.weight(), after.weight()), (before.bias, after.bias)):
            np.testing.assert_allclose(np.abs(second), np.abs(first), rtol=1e-9, atol=1e-9 * np.abs(first).max())
        np.testing.assert_allclose(after.bias_size, before.bias_size, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("entries", SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_of_every_layout_are_the_weight(name, entries, monkeypatch, record_property):
    checkpoint, spec = small(name)
    before = canonical(checkpoint, spec)
    monkeypatch.setattr(views, "LARGEST", entries)
    after = canonical(checkpoint, spec)
    check_same(before, after)
    check_tiles(after, record_property)


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_tiles_of_every_architecture_are_the_weight(architecture, monkeypatch, record_property):
    description = described(architecture)
    spec, generator = network_spec(description), np.random.default_rng(5)
    stored = in_memory(initial_state(description, 5))
    acted = apply_action(random_action(spec, generator, rescale=True), spec, stored.read)
    checkpoint = in_memory({name: values.astype(np.float32) for name, values in acted})
    before = canonical(checkpoint, spec)
    check_tiles(before, record_property)
    monkeypatch.setattr(views, "LARGEST", 50)
    after = canonical(checkpoint, spec)
    check_same(before, after)
    check_tiles(after, record_property)


def test_tiles_are_no_larger_than_asked_but_for_what_is_mixed(monkeypatch):
    monkeypatch.setattr(views, "LARGEST", 12)
    for view in canonical(*small("attention")).flow.dense:
        mixed = [side.shape[side.own[-1]] for side in (view.rows, view.columns)]
        most = 12 if view.left is view.right is None else max(12, *mixed)
        assert all(tile.weight.size <= most for tile in view.tiles())


def test_heads_stay_whole(monkeypatch):
    monkeypatch.setattr(views, "LARGEST", 1)
    found = {view.name: view for view in canonical(*small("attention")).flow.dense}
    for name in "qkv":
        width = found[name].rows.shape[-1]
        assert all((tile.targets.start % width, tile.targets.stop % width) == (0, 0) for tile in found[name].tiles())


@pytest.mark.parametrize("name", ["residual", "fused", "experts", "convolutions"])
def test_only_the_tile_at_hand_is_read(name, monkeypatch):
    checkpoint, spec = small(name)
    view = canonical(checkpoint, spec)
    monkeypatch.setattr(views, "LARGEST", 6)
    monkeypatch.setattr(Checkpoint, "read", lambda self, name: pytest.fail(f"{name} was read whole"))
    sizes = []
    read = Checkpoint.read_slice
    monkeypatch.setattr(Checkpoint, "read_slice", lambda *given: sizes.append((found := read(*given)).size) or found)
    for layer in view.flow.dense:
        if layer.up.size * layer.down.size > 6:
            list(layer.tiles())
    assert max(sizes) <= 40


def test_numbers_beyond_float32_are_scaled_before_they_are_rounded():
    net = NETWORKS["residual"](4)
    arrays = {**net.arrays, "a0.weight": net.arrays["a0.weight"] * 1e60, "b0.weight": net.arrays["b0.weight"] * 1e-60}
    arrays["a0.bias"] = net.arrays["a0.bias"] * 1e60
    for layer in canonical(in_memory(arrays), net.spec).flow.dense:
        weight = layer.weight()
        np.testing.assert_allclose(assembled(layer), weight, atol=1e-6 * np.abs(weight).max())


LLAMA = """
    import json, sys
    from pathlib import Path
    from wembed.checkpoint import open_checkpoint
    from wembed.symmetry import canonical, find_spec

    def held() -> int:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) * 1024

    checkpoint = open_checkpoint(Path(sys.argv[1]))
    spec = find_spec(checkpoint)
    before = most = held()
    view = canonical(checkpoint, spec)
    entries, most = 0, max(most, held())
    for layer in view.flow.dense:
        for tile in layer.tiles():
            entries, most = entries + tile.weight.size, max(most, held())
    print(json.dumps([spec.tier, entries, most - before]))
"""
WIDTH, INNER, DEPTH, HEADS, KEY_HEADS, VOCABULARY = 1024, 2816, 18, 16, 4, 32000
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEY_HEADS,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
}


def llama_shapes() -> dict[str, tuple[int, ...]]:
    keys = WIDTH // HEADS * KEY_HEADS
    block = {
        "input_layernorm": (WIDTH,),
        "mlp.down_proj": (WIDTH, INNER),
        "mlp.gate_proj": (INNER, WIDTH),
        "mlp.up_proj": (INNER, WIDTH),
        "post_attention_layernorm": (WIDTH,),
        "self_attn.k_proj": (keys, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.v_proj": (keys, WIDTH),
    }
    shapes = {f"model.layers.{n}.{name}.weight": shape for n in range(DEPTH) for name, shape in block.items()}
    head = (VOCABULARY, WIDTH)
    return {"model.embed_tokens.weight": head, **shapes, "model.norm.weight": (WIDTH,), "lm_head.weight": head}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_decoder_is_never_in_memory(tmp_path, record_property):
    generator = np.random.default_rng(0)
    random = (generator.standard_normal(2**22, dtype=np.float32).view(np.uint32) >> 16).astype(np.uint16)
    shapes = llama_shapes()
    tensors = {name: ("BF16", np.resize(random, shape)) for name, shape in shapes.items()}
    write_safetensors(tmp_path / "model.safetensors", tensors, {})
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    del tensors
    command = [sys.executable, "-c", textwrap.dedent(LLAMA), str(tmp_path)]
    tier, entries, grown = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    record_property("anonymous memory of a 300 M decoder, in MB", grown / 1e6)
    assert tier == "family"
    assert entries >= sum(np.prod(shape) for shape in shapes.values() if len(shape) > 1) > 250e6
    assert grown < 500e6


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_a_file_of_another_width_has_the_view_of_its_float32_twin(dtype, tmp_path):
    from wembed.checkpoint.dtypes import encode

    net = NETWORKS["residual"](6)
    stored = {name: (dtype, encode(values, dtype)) for name, values in net.arrays.items()}
    write_safetensors(tmp_path / "narrow.safetensors", stored, {})
    narrow = open_checkpoint(tmp_path / "narrow.safetensors")
    twin = {name: ("F32", narrow.read(name).astype(np.float32)) for name in stored}
    write_safetensors(tmp_path / "twin.safetensors", twin, {})
    found, expected = (canonical(open_checkpoint(tmp_path / f"{n}.safetensors"), net.spec) for n in ("narrow", "twin"))
    for one, other in zip(found.flow.dense, expected.flow.dense, strict=True):
        np.testing.assert_allclose(assembled(one), assembled(other), rtol=1e-6, atol=1e-6)
