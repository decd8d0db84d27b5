"""Every line that depends on the device is in wembed/device.py: no other module names one or asks torch for one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import wembed

ROOT = Path(wembed.__file__).parent
NAMES = ("cuda", "cpu", "mps", "xpu", "nccl", "gloo")
ASKS = ("cuda", "mps", "xpu", "cudnn", "autocast", "accelerator", "pin_memory", "is_pinned", "is_cuda", "synchronize")
OPTIONS = ("non_blocking", "pin_memory")

EXCEPTIONS = {
    "device.py": "the one module",
    "cli/zoo_build.py": "the default of its --device, which --help shows",
    "checkpoint/pickles.py": "a pickle is read onto the CPU, wherever it was written",
    "training/distributed/ranks.py": "errors of gloo are known by their text alone",
    "models/foreign/runnable.py": "a foreign module's example inputs go where its weights are",
}


def violations(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if text.partition(":")[0] in NAMES:
                yield f"{node.lineno}: the string {text!r}"
            case ast.Attribute(attr=name) if name in ASKS:
                yield f"{node.lineno}: .{name}"
            case ast.keyword(arg=name) if name in OPTIONS:
                yield f"{node.value.lineno}: {name}="


@pytest.mark.parametrize(
    "source",
    [
        "x.cuda()",
        "x.to('cuda:1')",
        "torch.zeros(2, device='cpu')",
        "torch.autocast(kind)",
        "x.to(d, non_blocking=True)",
    ],
)
def test_a_line_that_depends_on_the_device_is_seen(source):
    assert list(violations(source))


def test_no_other_module_depends_on_the_device():
    paths = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}
    found = [
        f"wembed/{name}:{seen}"
        for name, path in paths.items()
        if name not in EXCEPTIONS
        for seen in violations(path.read_text(encoding="utf-8"))
    ]
    assert not found, "move it into wembed/device.py:\n" + "\n".join(found)


def test_every_exception_is_needed():
    assert not [name for name in EXCEPTIONS if not list(violations((ROOT / name).read_text(encoding="utf-8")))]
