"""`package:factory`: modules from the user's own code."""

import sys
from pathlib import Path

import pytest

from wembed.errors import NotFoundError, UsageError, WembedError
from wembed.models.foreign import factory_runnable

CODE = """
import torch
from torch import nn

def net():
    return nn.Linear(3, 2)

def pair():
    return net(), torch.ones(4, 3)

def by_name():
    return net(), {"input": torch.ones(4, 3)}

def with_inputs():
    module = net()
    module.example_inputs = lambda: (torch.ones(4, 3),)
    return module

def fails():
    raise KeyError("no weights here\\nsecond line")

def number():
    return 3

constant = 3
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(CODE)
    (tmp_path / "own_broken.py").write_text("import no_such_library\n")
    (tmp_path / "own_failing.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


@pytest.mark.parametrize("factory", ["pair", "by_name", "with_inputs"])
def test_a_factory_gives_module_and_inputs(factory):
    runnable = factory_runnable(f"own_networks:{factory}")
    assert runnable.shapes == {"weight": (2, 3), "bias": (2,)}
    assert runnable.module(*runnable.args, **runnable.kwargs).shape == (4, 2)
    assert str(Path.cwd()) not in sys.path


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("own_networks", UsageError, "names no callable"),
        ("own_networks:", UsageError, "names no callable"),
        ("no_such_package:net", NotFoundError, "no module named 'no_such_package'"),
        ("own_networks:nothing", NotFoundError, "has no attribute 'nothing'"),
        ("own_broken:net", NotFoundError, "no module named 'no_such_library'"),
        ("own_failing:net", WembedError, "ZeroDivisionError"),
        ("own_networks:fails", WembedError, "KeyError: 'no weights here"),
        ("own_networks:number", WembedError, "gives a int, expected a torch module"),
        ("own_networks:constant", WembedError, "cannot be called"),
        ("own_networks:net", WembedError, "gives no example inputs"),
    ],
)
def test_errors_of_the_users_code_are_one_line(name, kind, error):
    with pytest.raises(kind) as raised:
        factory_runnable(name)
    assert error in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.hint
