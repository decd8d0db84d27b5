"""The pages of the loopback Hub: a request in; an answer out, or the fault that was asked for."""

import io
import json
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, BinaryIO
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from hub_faults import Faults, Refusal, Request
from hub_repositories import LARGE_SUFFIXES, Claims, Snapshot

PIECE = 1 << 18  # bytes handed to the socket at once
_TICK = 0.02  # seconds between the pieces of a throttled body
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree|refs|paths-info)(?:/([^/]+))?(?:/(.*))?)?")
_RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any  # hub_server._Server, which imports this module

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self._begin()
        if self._refused():
            return
        address = urlsplit(self.path)
        path = _renamed(address.path, self.hub.aliases)
        if path != address.path:
            self._answer(307, b"", {"Location": path + (f"?{address.query}" if address.query else "")})
        elif path == "/api/models":
            self._list(dict(parse_qsl(address.query)), parse_qs(address.query).get("filter", []))
        elif found := _API.fullmatch(path):
            self._about(*(unquote(part or "") for part in found.groups()))
        elif found := _RESOLVE.fullmatch(path):
            self._resolve(*(unquote(part) for part in found.groups()))
        else:
            self._error(404, "EntryNotFound", "no such page")

    def do_POST(self) -> None:
        self._begin()
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        found = _API.fullmatch(urlsplit(self.path).path)
        if self._refused():
            return
        if not found or found[2] != "paths-info":
            self._error(404, "EntryNotFound", "no such page")
        elif snapshot := self._snapshot(unquote(found[1]), unquote(found[3])):
            paths = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
            self._json([entry for entry in snapshot.tree() if entry["path"] in paths])

    @property
    def hub(self) -> Any:
        return self.server.hub

    @property
    def faults(self) -> Faults:
        return self.server.hub.faults

    def _begin(self) -> None:
        headers = self.headers
        self.request_line = Request(
            self.command, self.path, headers.get("Range"), headers.get("Authorization"), headers.get("Host", "")
        )
        self.hub.log.append(self.request_line)

    def _refused(self) -> bool:
        refusal = self._refusal()
        if refusal:
            self._answer(refusal.status, refusal.body, refusal.headers)
        return refusal is not None

    def _refusal(self) -> Refusal | None:
        with self.hub.lock:
            for refusal in self.faults.refusals:
                if refusal.fragment in unquote(self.path) and refusal.times != 0:
                    refusal.times = None if refusal.times is None else refusal.times - 1
                    return refusal
        return None

    def _is_cut(self, size: int) -> bool:
        faults, path = self.faults, urlsplit(self.path).path
        with self.hub.lock:
            cut = faults.cut_after is not None and faults.cut_after < size and self.hub.cuts[path] != faults.cut_times
            self.hub.cuts[path] += cut
        return cut

    # Pages

    def _list(self, query: dict[str, str], tags: list[str]) -> None:
        hub, start = self.hub, int(query.get("cursor", 0))
        names = [name for name in hub.names() if _matches(name, hub.claimed(name), query, tags)]
        if query.get("sort") in ("downloads", "likes"):
            names.sort(key=lambda name: getattr(hub.claimed(name), query["sort"]), reverse=True)
        end = start + min(int(query.get("limit", self.faults.page)), self.faults.page)
        headers = {}
        if end < len(names):
            pairs = [
                *((key, value) for key, value in query.items() if key not in ("cursor", "filter")),
                ("cursor", end),
            ]
            following = urlencode([*pairs, *(("filter", tag) for tag in tags)])
            headers["Link"] = f'<{hub.url}/api/models?{following}>; rel="next"'
        self._json([hub.snapshot(name).info(name) for name in names[start:end]], headers)

    def _about(self, name: str, page: str, revision: str, below: str) -> None:
        snapshot = self._snapshot(name, revision or None)
        if snapshot is None:
            return
        if page == "tree":
            self._json([entry for entry in snapshot.tree() if not below or entry["path"].startswith(f"{below}/")])
        elif page == "refs":
            branch = {"name": "main", "ref": "refs/heads/main", "targetCommit": snapshot.commit}
            self._json({"branches": [branch], "converts": [], "tags": []})
        else:
            self._json(snapshot.info(name))

    def _snapshot(self, name: str, revision: str | None) -> Snapshot | None:
        """The snapshot, or None once an error has been sent."""
        claims = self.hub.claims.get(name, Claims())
        if not (self.hub.root / name).is_dir() or (claims.private and not self._has_token):
            # As the Hub: who is not signed in does not learn whether there is such a repository.
            self._error(404 if self.request_line.authorization else 401, "RepoNotFound", "Repository not found")
        elif claims.disabled:
            self._error(403, "", "Access to this resource is disabled.")
        elif snapshot := self.hub.snapshot(name, revision):
            return snapshot
        else:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return None

    @property
    def _has_token(self) -> bool:
        return self.request_line.authorization == f"Bearer {self.hub.token}"

    # Files

    def _resolve(self, name: str, revision: str, path: str) -> None:
        snapshot = self._snapshot(name, revision)
        if snapshot is None:
            return
        if snapshot.claims.gated and not self._has_token:
            self._error(403, "GatedRepo", "Access to this model is restricted")
            return
        content = _content(snapshot, path)
        headers = {} if self.faults.no_commit else {"X-Repo-Commit": snapshot.commit}
        if content is None:
            self._error(404, "EntryNotFound", "Entry not found", headers)
            return
        with content:
            headers |= {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
            if self.faults.redirect_to and path.endswith(LARGE_SUFFIXES):
                headers |= {"X-Linked-Etag": f'"{snapshot.etag(path)}"', "X-Linked-Size": str(_size(content))}
                target = f"{self.faults.redirect_to}/{name}/resolve/{revision}/{quote(path, safe='')}?signed=1"
                self._answer(302, b"", {**headers, "Location": target})
            else:
                self._file(content, headers | self._etag(snapshot, path))

    def _etag(self, snapshot: Snapshot, path: str) -> dict[str, str]:
        etag = self.faults.etag
        etag = snapshot.etag(path) if etag is None else etag if isinstance(etag, str) else etag()
        return {"ETag": f'"{etag}"'} if etag else {}

    def _file(self, content: BinaryIO, headers: dict[str, str]) -> None:
        size = _size(content)
        asked = _RANGE.fullmatch(self.request_line.range or "")
        if not asked or self.faults.ignore_range:
            self._send(200, content, size, headers)
            return
        first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        if first >= size:
            self._answer(416, b"", {**headers, "Content-Range": f"bytes */{size}"})
            return
        place = self.faults.content_range or f"bytes {first}-{last}/{size}"
        content.seek(first)
        self._send(206, content, last + 1 - first, {**headers, "Content-Range": place})

    # Answers

    def _json(self, answer: object, headers: dict[str, str] | None = None) -> None:
        self._answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        """X-Error-Code decides which exception huggingface_hub raises."""
        codes = {"X-Error-Code": code, "X-Error-Message": message, **(headers or {})}
        self._answer(status, json.dumps({"error": message}).encode(), codes)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._send(status, io.BytesIO(body), len(body), headers)

    def _send(self, status: int, content: BinaryIO, size: int, headers: dict[str, str]) -> None:
        faults, faulty = self.faults, self.faults.where in self.path and status in (200, 206)
        self.request_line.status = status
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if not (faulty and faults.no_length):
            self.send_header("Content-Length", str(size + (faults.length_error if faulty else 0)))
        if faulty and (faults.no_length or faults.length_error):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            if faulty:
                self._send_faulty(content, size)
            else:
                self._send_bytes(content, size)

    def _send_faulty(self, content: BinaryIO, size: int) -> None:
        faults = self.faults
        if faults.stall_after is not None and faults.stall_after < size:
            self._send_bytes(content, faults.stall_after)
            with suppress(OSError):
                self.connection.recv(1)  # comes back when the client leaves, or the server stops
            self.close_connection = True
        elif self._is_cut(size):
            self._send_bytes(content, faults.cut_after or 0)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self._send_bytes(content, size)

    def _send_bytes(self, content: BinaryIO, size: int) -> None:
        left = size
        while left > 0 and not self.hub.stopped.is_set():
            rate = self.faults.throttle if self.faults.where in self.path else None
            piece = content.read(min(left, PIECE if rate is None else max(1, int(rate * _TICK))))
            if not piece:
                break
            self.request_line.sent += len(piece)  # before the client can have them, and look here
            self._send_piece(piece)
            left -= len(piece)
            if rate is not None:
                self.hub.stopped.wait(len(piece) / rate)

    def _send_piece(self, piece: bytes) -> None:
        try:
            self.connection.sendall(piece)
        except OSError:
            self.request_line.sent -= len(piece)
            raise


def _renamed(path: str, aliases: dict[str, str]) -> str:
    for old, new in aliases.items():
        for start in ("/api/models/", "/"):
            if path == start + old or path.startswith(f"{start}{old}/"):
                return start + new + path[len(start + old) :]
    return path


def _matches(name: str, claims: Claims, query: dict[str, str], tags: Iterable[str]) -> bool:
    known = {*claims.tags, claims.library}
    return (
        query.get("search", "").lower() in name.lower()
        and name.startswith(f"{query['author']}/" if query.get("author") else "")
        and query.get("pipeline_tag") in (None, claims.pipeline)
        and all(tag in known for tag in tags)
    )


def _content(snapshot: Snapshot, path: str) -> BinaryIO | None:
    if path in snapshot.claims.contents:
        return io.BytesIO(snapshot.claims.contents[path])
    try:
        return (snapshot.folder / path).open("rb")
    except (OSError, ValueError):
        return None


def _size(content: BinaryIO) -> int:
    size = content.seek(0, io.SEEK_END)
    content.seek(0)
    return size
