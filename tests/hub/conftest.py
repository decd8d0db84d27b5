"""A loopback Hub for each test that asks for one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer


@pytest.fixture(autouse=True)
def _neither_token_nor_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of whoever runs the tests must not be sent."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))  # of processes that a test starts
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub_root(tmp_path: Path) -> Path:
    """Where the repositories of the loopback Hub lie: <organisation>/<name>/<files>."""
    root = tmp_path / "hub"
    root.mkdir()
    return root


@pytest.fixture
def hub_server(hub_root: Path) -> Iterator[Callable[..., HubServer]]:
    """Starts loopback Hubs that end with the test; each serves hub_root with the faults that it is called with."""
    with ExitStack() as servers:

        def start(root: Path = hub_root, **options: Any) -> HubServer:
            return servers.enter_context(HubServer(root, **options))

        yield start
