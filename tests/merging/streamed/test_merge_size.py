"""Files of 1.1 B parameters: what merging them takes, against copying them with the safetensors library."""

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from wembed.checkpoint import open_checkpoint
from wembed.merging import Recipe, RecipeModel, run
from wembed.symmetry import find_spec

HIDDEN, MLP, LAYERS, KEYS, VOCABULARY = 2048, 5632, 22, 256, 32000  # TinyLlama
POOL = 1 << 22  # random numbers, from which every tensor takes some
MOST_ANONYMOUS = 1.5e9  # bytes


def shapes() -> dict[str, tuple[int, ...]]:
    found = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        front = f"model.layers.{layer}."
        found |= {
            f"{front}input_layernorm.weight": (HIDDEN,),
            f"{front}mlp.down_proj.weight": (HIDDEN, MLP),
            f"{front}mlp.gate_proj.weight": (MLP, HIDDEN),
            f"{front}mlp.up_proj.weight": (MLP, HIDDEN),
            f"{front}post_attention_layernorm.weight": (HIDDEN,),
            f"{front}self_attn.k_proj.weight": (KEYS, HIDDEN),
            f"{front}self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{front}self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{front}self_attn.v_proj.weight": (KEYS, HIDDEN),
        }
    return found | {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}


def write_llama(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    pool = (rng.standard_normal(2 * POOL, dtype=np.float32) * np.float32(0.02)).view(np.uint32) >> 16
    pool = pool.astype(np.uint16)
    header, end = {}, 0
    for name, shape in shapes().items():
        begin, end = end, end + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for left in range(end // 2, 0, -POOL):
            begin = int(rng.integers(POOL))
            file.write(pool[begin : begin + min(POOL, left)].data)
    return path


def copy(paths: list[Path], folder: Path) -> None:
    for path in paths:
        with safe_open(path, "pt") as file:
            save_file({name: file.get_tensor(name) for name in file.keys()}, folder / "copy.safetensors")  # noqa: SIM118
    (folder / "copy.safetensors").unlink()


class AnonymousMemory:
    """The most that the process held of its own, above what it held at first."""

    def __enter__(self):
        self.start = self.most = self.now()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @staticmethod
    def now() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

    def _watch(self):
        while not self._done.wait(0.05):
            self.most = max(self.most, self.now())


def seconds_of(call) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


@pytest.fixture
def large_files(tmp_path):
    """Three networks of 2.2 GB, which are removed again: pytest keeps the folders of its last three runs."""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is measured on Linux")
    paths = [write_llama(tmp_path / f"{seed}.safetensors", seed) for seed in range(3)]
    yield paths
    for path in paths:
        path.unlink()


def merge(method: str, paths: list[Path], out: Path) -> None:
    """A whole merge, as the command line does it: files are opened, planned, hashed, merged and brought to the disk."""
    items = [(checkpoint, find_spec(checkpoint)) for checkpoint in map(open_checkpoint, paths)]
    names = [path.stem for path in paths]
    base, models = (names[0], names[1:]) if method == "ties" else (None, names)
    entries = tuple(RecipeModel(model=name) for name in models)
    run(Recipe(method=method, models=entries, base=base, align="none"), items, out)


@pytest.mark.slow
def test_merging_large_files_costs_a_few_copies_and_little_memory(large_files, tmp_path, record_property):
    out = tmp_path / "out.safetensors"
    copied = [seconds_of(lambda: copy(large_files[1:], tmp_path))]
    for method, most in (("linear", 2.5), ("ties", 6.0)):
        paths = large_files if method == "ties" else large_files[1:]
        with AnonymousMemory() as memory:
            merged = seconds_of(lambda: merge(method, paths, out))  # noqa: B023
        out.unlink()
        copied.append(seconds_of(lambda: copy(large_files[1:], tmp_path)))
        ratio = merged / (0.5 * sum(copied[-2:]))
        record_property(f"CPU time of a {method} merge of 2 x 1.1 B, copies of the two", ratio)
        record_property(f"seconds of CPU of a {method} merge of 2 x 1.1 B", merged)
        record_property(f"peak RssAnon of a {method} merge of 2 x 1.1 B, GB", memory.most / 1e9)
        record_property(f"RssAnon before a {method} merge of 2 x 1.1 B, GB", memory.start / 1e9)
        assert ratio <= most
        assert memory.most <= MOST_ANONYMOUS
