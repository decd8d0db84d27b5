"""A Hugging Face Hub on loopback, for huggingface_hub and for our own downloads, with every fault that a network has.

`with HubServer(root) as hub` serves ROOT/<organisation>/<name>/<files> at hub.url. `hub.claimed("org/name")` holds what
it says beside (see hub_repositories), `hub.faults` what goes wrong (see hub_faults); both may be changed while it runs.
`hub.log` lists the requests.
"""

import socket
import sys
import threading
from collections import Counter
from contextlib import suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hub_faults import Faults, Refusal, Request
from hub_pages import Handler
from hub_repositories import Claims, Snapshot

__all__ = ["Claims", "Faults", "HubServer", "Refusal", "Request"]


class HubServer:
    """The server; a context manager.

    Args:
        root: ROOT/<organisation>/<name>/<files>.
        claims: what it says of repositories.
        aliases: old names, each with the name that it has now.
        token: that opens private and gated repositories.
        faults: as Faults.
    """

    def __init__(
        self,
        root: Path,
        claims: dict[str, Claims] | None = None,
        aliases: dict[str, str] | None = None,
        token: str = "hf_right",
        **faults: Any,
    ) -> None:
        self.root, self.claims, self.aliases, self.token = root, claims or {}, aliases or {}, token
        self.faults, self.stopped = Faults(**faults), threading.Event()
        self.log: list[Request] = []
        self.cuts: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), Handler)
        self._http.hub = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.other_url = f"http://localhost:{self._http.server_port}"  # another host, to a client

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.end_connections()
        self._http.server_close()
        self._thread.join()

    def names(self) -> list[str]:
        """All repositories."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.glob("*/*") if path.is_dir())

    def claimed(self, name: str) -> Claims:
        """What is said of a repository; made on first use, so that a test can set it."""
        return self.claims.setdefault(name, Claims())

    def snapshot(self, name: str, revision: str | None = None) -> Snapshot | None:
        """A repository at a branch, a tag or a commit."""
        claims = self.claimed(name)
        main = Snapshot(self.root / name, claims)
        if revision in (None, "main"):
            return main
        others = {other: Snapshot(folder, claims) for other, folder in claims.revisions.items()}
        if revision in others:
            return others[revision]
        return next((each for each in (main, *others.values()) if each.commit == revision), None)

    def commit(self, name: str, revision: str | None = None) -> str:
        """The sha of a repository's commit."""
        snapshot = self.snapshot(name, revision)
        assert snapshot is not None
        return snapshot.commit

    def requests(self, fragment: str = "") -> list[Request]:
        """The requests so far whose paths have a fragment."""
        return [request for request in self.log if fragment in request.path]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64
    hub: HubServer

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client may leave when it likes
            super().handle_error(request, client_address)
