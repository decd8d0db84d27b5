"""Configs, names, shapes and spec files that lie: a spec shrinks or the command refuses in one line, and never lies.

The network is a small Llama, computed here in numpy, so that what `permute` writes can be run.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.symmetry import find_spec
from wembed.symmetry.serialise import spec_to_json

LAYERS, STREAM, HEADS, KV, WIDTH, INNER, WORDS = 2, 12, 6, 2, 4, 10, 7
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": STREAM,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "head_dim": WIDTH,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "vocab_size": WORDS,
    "tie_word_embeddings": False,
}
BLOCK = {
    "self_attn.q_proj": (HEADS * WIDTH, STREAM),
    "self_attn.k_proj": (KV * WIDTH, STREAM),
    "self_attn.v_proj": (KV * WIDTH, STREAM),
    "self_attn.o_proj": (STREAM, HEADS * WIDTH),
    "mlp.gate_proj": (INNER, STREAM),
    "mlp.up_proj": (INNER, STREAM),
    "mlp.down_proj": (STREAM, INNER),
    "input_layernorm": (STREAM,),
    "post_attention_layernorm": (STREAM,),
}
ANSWERS = (0, 1, 2, 4)  # done; nothing may be permuted; the call or the checkpoint is refused


def llama() -> dict[str, np.ndarray]:
    shapes = {"model.embed_tokens": (WORDS, STREAM), "model.norm": (STREAM,), "lm_head": (WORDS, STREAM)}
    shapes |= {f"model.layers.{i}.{name}": shape for i in range(LAYERS) for name, shape in BLOCK.items()}
    generator = np.random.default_rng(0)
    return {f"{name}.weight": generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def logits(weights: dict[str, np.ndarray]) -> np.ndarray:
    """The outputs [T, WORDS] for a few words, attention causal and turned by position."""
    at = {name.removesuffix(".weight"): values.astype(np.float64) for name, values in weights.items()}
    stream = at["model.embed_tokens"][[3, 1, 4, 1, 5]]  # [T, STREAM]
    for layer in range(LAYERS):
        block = {name: at[f"model.layers.{layer}.{name}"] for name in BLOCK}
        normed = norm(stream) * block["input_layernorm"]
        q, k, v = (normed @ block[f"self_attn.{side}_proj"].T for side in "qkv")
        heads = [attend(q, k, v, head) for head in range(HEADS)]
        stream = stream + np.concatenate(heads, axis=1) @ block["self_attn.o_proj"].T
        normed = norm(stream) * block["post_attention_layernorm"]
        gate, up = normed @ block["mlp.gate_proj"].T, normed @ block["mlp.up_proj"].T
        stream = stream + (gate / (1 + np.exp(-gate)) * up) @ block["mlp.down_proj"].T
    return norm(stream) * at["model.norm"] @ at["lm_head"].T


def norm(values: np.ndarray) -> np.ndarray:
    return values / np.sqrt(np.mean(values**2, axis=1, keepdims=True) + 1e-6)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, head: int) -> np.ndarray:
    shared = head // (HEADS // KV)
    query, key = turned(q[:, head * WIDTH :][:, :WIDTH]), turned(k[:, shared * WIDTH :][:, :WIDTH])
    scores = query @ key.T / np.sqrt(WIDTH)
    scores[np.triu_indices(len(scores), 1)] = -np.inf
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ v[:, shared * WIDTH :][:, :WIDTH]


def turned(values: np.ndarray) -> np.ndarray:
    """Rotary embedding [T, WIDTH]: the two halves of a head are the parts of complex numbers."""
    half = WIDTH // 2
    speeds = 10000.0 ** -(np.arange(half) / half)
    turn = np.exp(1j * np.arange(len(values))[:, None] * speeds)
    planes = (values[:, :half] + 1j * values[:, half:]) * turn
    return np.concatenate([planes.real, planes.imag], axis=1)


@pytest.fixture
def save(folder):
    """Writes a model folder: weights, and a config that may be any text."""

    def write(arrays: dict[str, np.ndarray], config: object = CONFIG, metadata: dict[str, str] | None = None) -> Path:
        path = folder / "llama"
        path.mkdir(exist_ok=True)
        tensors = {name: ("F32", array) for name, array in arrays.items()}
        write_safetensors(path / "model.safetensors", tensors, metadata or {})
        text = config if isinstance(config, str) else json.dumps(config)
        (path / "config.json").write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def permuted(run, folder):
    """Permutes a folder: the copy's weights, None where it was refused in one line."""

    def call(path: Path, *arguments: object) -> dict[str, np.ndarray] | None:
        result = run("permute", path, "-o", folder / "out.safetensors", *arguments)
        assert result.code in ANSWERS
        assert "Traceback" not in result.err
        if result.code == 0:
            copy = open_checkpoint(folder / "out.safetensors")
            return {copy.prefix + name: copy.read(name) for name in copy.tensors}
        assert len([line for line in result.err.splitlines() if line.startswith("error: ")]) == 1
        assert not (folder / "out.safetensors").exists()
        return None

    return call


def check_same(copy: dict[str, np.ndarray] | None, arrays: dict[str, np.ndarray]) -> None:
    """A copy, if one was written, computes the same."""
    if copy is not None:
        after, before = logits(copy), logits(arrays)
        assert np.abs(after - before).max() < 1e-4 * np.abs(before).max()


def one_error(result, code: int) -> str:
    lines = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert (result.code, len(lines)) == (code, 1), result.err
    return lines[0]


def test_llama_as_it_is(save, permuted):
    """What the other tests change something of: here every tensor moves, and the outputs stay."""
    arrays = llama()
    copy = permuted(save(arrays))
    assert copy is not None
    assert not any(np.array_equal(copy[name], arrays[name]) for name in arrays)
    check_same(copy, arrays)


def test_check_sees_a_wrong_copy(save, permuted):
    """The control: one tensor left as it was."""
    arrays = llama()
    copy = permuted(save(arrays))
    with pytest.raises(AssertionError):
        check_same(
            copy | {"model.layers.1.self_attn.o_proj.weight": arrays["model.layers.1.self_attn.o_proj.weight"]}, arrays
        )


@pytest.mark.parametrize("field", ["num_attention_heads", "num_key_value_heads", "head_dim", "num_hidden_layers"])
@pytest.mark.parametrize("value", ["x", "", 0, -1, 10**9, 5, 2.5, True, None, [], {}, [2], float("nan")], ids=repr)
def test_counts_that_are_none_never_make_a_wrong_claim(save, permuted, field, value):
    arrays = llama()
    check_same(permuted(save(arrays, CONFIG | {field: value})), arrays)


@pytest.mark.parametrize("field", ["num_attention_heads", "num_key_value_heads", "head_dim"])
def test_missing_count_never_makes_a_wrong_claim(save, permuted, field):
    arrays = llama()
    check_same(permuted(save(arrays, {key: value for key, value in CONFIG.items() if key != field})), arrays)


@pytest.mark.parametrize("field", ["hidden_act", "model_type", "architectures", "rms_norm_eps", "tie_word_embeddings"])
@pytest.mark.parametrize("value", ["x", "", 0, -1, True, None, [], {}, [[]], "relu" * 1000], ids=lambda v: repr(v)[:20])
def test_odd_fields_never_make_a_wrong_claim(save, permuted, field, value):
    arrays = llama()
    check_same(permuted(save(arrays, CONFIG | {field: value})), arrays)


@pytest.mark.parametrize(
    "model_type", ["bert", "gpt2", "t5", "resnet", "mixtral", "vit", "no-such-network", "../llama"]
)
def test_type_of_another_network_never_makes_a_wrong_claim(save, permuted, model_type):
    arrays = llama()
    check_same(permuted(save(arrays, CONFIG | {"model_type": model_type})), arrays)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, "\x00", '{"a": '], ids=lambda t: t[:4])
def test_config_that_is_no_object_is_refused(run, save, text):
    path = save(llama(), text)
    for command in (["inspect", path], ["embed", path], ["permute", path, "-o", "out.safetensors"]):
        assert "config.json: corrupt" in one_error(run(*command), 4)


def test_config_that_is_no_text_is_refused(run, save):
    path = save(llama())
    (path / "config.json").write_bytes(b"\xff\xfe{}")
    assert "config.json: corrupt: not JSON" in one_error(run("inspect", path), 4)


def test_huge_config_is_refused_unread(run, save):
    path = save(llama())
    with (path / "config.json").open("wb") as file:
        file.truncate(10**10)  # a hole, which uses no disk
    assert "config.json: corrupt: 10000000000 bytes of JSON" in one_error(run("inspect", path), 4)


@pytest.mark.parametrize("command", ["inspect", "permute", "embed"])
def test_code_beside_the_weights_is_never_run(run, save, folder, command):
    path = save(
        llama(),
        CONFIG
        | {
            "model_type": "evil",
            "trust_remote_code": True,
            "auto_map": {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"},
            "architectures": ["EvilModel"],
        },
    )
    marker = folder / "executed"
    code = f"open({str(marker)!r}, 'w')\nclass EvilConfig: model_type = 'evil'\nclass EvilModel: pass\n"
    for name in ("evil.py", "__init__.py", "modeling_evil.py", "configuration_evil.py", "sitecustomize.py"):
        (path / name).write_text(code, encoding="utf-8")
    run(command, path, *(["-o", "out.safetensors"] if command != "inspect" else []))
    assert not marker.exists()


def most_slow(cases: list, fast: int) -> list:
    """The first cases as they are, the others where slow tests run: each traces a network."""
    return [*cases[:fast], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[fast:])]


@pytest.mark.parametrize("name", most_slow(sorted(llama()), 12))
def test_missing_tensor_never_makes_a_wrong_claim(save, permuted, name):
    """What is left is put back into the whole network: the tensor that was missing is the same in both."""
    arrays = llama()
    copy = permuted(save({other: array for other, array in arrays.items() if other != name}))
    if copy is not None:
        changed = {other for other in copy if not np.array_equal(copy[other], arrays[other])}
        # The missing tensor stays as it was, so a group that it is part of must not have moved.
        check_same(copy | {name: arrays[name]}, arrays)
        assert name not in changed


@pytest.mark.parametrize(
    "extra",
    [
        "extra",
        "model.layers.0.self_attn.q_proj.bias",
        "model.layers.0.self_attn.q_norm.weight",
        "model.layers.2.mlp.up_proj.weight",
        "model.layers.0.extra.weight",
        "score.weight",
    ],
)
@pytest.mark.parametrize("shape", most_slow([(STREAM,), (WORDS, STREAM), (), (WIDTH,), (3, 3, 3)], 2))
def test_extra_tensor_is_left_alone(save, permuted, extra, shape):
    arrays = llama() | {extra: np.ones(shape, np.float32) if shape else np.float32(1).reshape(())}
    copy = permuted(save(arrays))
    check_same(copy, arrays)


@pytest.mark.parametrize("name", sorted(llama()))
def test_tensor_of_another_shape_is_named_unless_it_has_more_words(run, save, permuted, name):
    arrays = llama()
    arrays[name] = np.concatenate([arrays[name], arrays[name][:1]])
    path = save(arrays)
    copy = permuted(path)
    if copy is None:
        assert f"tensor {name}" in one_error(run("permute", path, "-o", "out.safetensors"), 4)
    else:
        assert name in ("model.embed_tokens.weight", "lm_head.weight")
        check_same(copy, arrays)


def spec_file(folder: Path, path: Path, change) -> Path:
    """A spec of the checkpoint at a path, changed."""
    data = spec_to_json(find_spec(open_checkpoint(path)))
    change(data)
    file = folder / "spec.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def no_part(data: dict) -> None:
    data["layers"][0]["target_part"] = [3]


def dual_circle(data: dict) -> None:
    first, *_ = data["sites"]
    data["sites"][first]["dual"] = first


def under_itself(data: dict) -> None:
    first, *_ = data["atoms"]
    data["atoms"][first]["under"] = first


def stack_of_nothing(data: dict) -> None:
    data["stacks"] = {"ghost": ["a", "b"]}


def stack_too_short(data: dict) -> None:
    data["stacks"] = {"4.weight": ["5.weight"]}


def stack_of_strangers(data: dict) -> None:
    data["stacks"] = {"4.weight": ["a", "b", "c"]}


def huge_atom(data: dict) -> None:
    first, *_ = data["atoms"]
    data["atoms"]["huge"] = {"size": 2**62, "kind": "hidden", "frozen": "", "under": ""}
    data["tensors"]["0.weight"] = [data["tensors"]["0.weight"][0], {"product": ["huge", first]}]


def many_parts(data: dict) -> None:
    pair = {"sum": [next(iter(data["atoms"]))] * 2}
    data["tensors"]["0.weight"] = [{"product": [pair] * 80}, data["tensors"]["0.weight"][1]]


def deep_axis(data: dict) -> None:
    axis: object = next(iter(data["atoms"]))
    for _ in range(200):
        axis = {"product": [axis]}
    data["tensors"]["0.weight"][0] = axis


HOSTILE = [
    (no_part, 2, "has no part [3]"),
    (dual_circle, 2, "is no site of its own"),
    (under_itself, 2, "which is under"),
    (stack_of_nothing, 2, "stack 'ghost' is no tensor of the spec"),
    (stack_too_short, 2, "stack '4.weight' has 1 members"),
    (stack_of_strangers, 4, "the spec's tensor a is not in the file"),
    (huge_atom, (2, 4), ""),
    (many_parts, 2, "more than 4096 parts"),
    (deep_axis, 2, "nested more than 8 deep"),
]


@pytest.mark.parametrize(("change", "code", "message"), HOSTILE, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("command", ["inspect", "permute"])
def test_hostile_spec_file_is_refused_in_one_line(run, folder, write, command, change, code, message):
    path = write("net.safetensors")
    spec = spec_file(folder, path, change)
    arguments = ["-o", folder / "out.safetensors"] if command == "permute" else []
    result = run(command, path, "--spec", spec, *arguments)
    codes = code if isinstance(code, tuple) else (code,)
    assert result.code in codes
    assert message in one_error(result, result.code)
    assert not (folder / "out.safetensors").exists()
