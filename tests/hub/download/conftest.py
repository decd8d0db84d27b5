"""A file on a server, and a zoo that it is downloaded into."""

from collections.abc import Callable
from pathlib import Path

import pytest
from remote import CONTENT, LARGE, REPOSITORY

from wembed.hub.download import download
from wembed.hub.session import Hub, HubOptions


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wembed.hub.session.FIRST_WAIT", 0.001)


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The file that a server has."""
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the file goes."""
    return tmp_path / "zoo" / "checkpoints" / "model.safetensors"


@pytest.fixture
def partials(tmp_path: Path) -> Path:
    """Folder of partial files."""
    return tmp_path / "zoo" / "downloads"


@pytest.fixture
def fetch(target: Path, partials: Path) -> Callable[..., str]:
    """Downloads from a server to the target."""

    def fetch(server, file=LARGE, stop=None, **options):
        hub = Hub(HubOptions(endpoint=server.url, **{"timeout": 5, "retries": 3} | options), stop)
        return download(hub, REPOSITORY, file, target, partials)

    return fetch
