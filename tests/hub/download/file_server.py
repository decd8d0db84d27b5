"""A server of one file on loopback that can be told, request by request, how to get it wrong."""

import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType, TracebackType

_PIECE = 1 << 18  # bytes sent at once


@dataclass(frozen=True)
class Answer:
    """How to answer one request; without arguments, as it should be.

    Args:
        status: instead of 200 or 206; without the file, if it's an error's.
        headers: instead of the proper ones; one that is "" is left out.
        ends_after: bytes of the body after which the connection is closed.
        stalls: whether it isn't closed then, but left open without a byte.
        content: instead of the file.
        heeds_range: whether a part is sent when a part is asked for.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ends_after: int | None = None
    stalls: bool = False
    content: Path | None = None
    heeds_range: bool = True


class FileServer:
    """Serves a file, whatever path is asked for, while it is entered.

    Args:
        content: the file.
        answers: to the first requests; those that follow are answered properly.
        etag: of the file.
        rate: bytes a second of every connection; default: no limit.
    """

    def __init__(
        self, content: Path, answers: Sequence[Answer] = (), etag: str = "first", rate: float | None = None
    ) -> None:
        self.content, self.etag, self.rate = content, etag, rate
        self.starts: list[int] = []  # of the parts asked for, 0 where all is
        self._sent = threading.Condition()
        self.sent_bytes = 0  # in all
        self._answers: Iterator[Answer] = iter(answers)
        self._closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FileServer":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, sent_bytes: int) -> None:
        """Waits until so many bytes have been sent in all."""
        with self._sent:
            assert self._sent.wait_for(lambda: self.sent_bytes >= sent_bytes, timeout=60)

    def next_answer(self, start: int) -> Answer:
        """How a request for a part is to be answered."""
        self.starts.append(start)
        return next(self._answers, Answer())

    def hold(self, seconds: float | None = None) -> None:
        """Lets time pass, until the server ends."""
        self._closing.wait(seconds)

    def count(self, sent_bytes: int) -> None:
        """Counts what has been sent."""
        with self._sent:
            self.sent_bytes += sent_bytes
            self._sent.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        first = int(asked[1]) if asked else None
        answer = self.server.files.next_answer(first or 0)
        path = answer.content or self.server.files.content
        if (answer.status or 200) >= 400:
            self._send_head(answer, {"Content-Length": "0"})
        else:
            first = first if answer.heeds_range else None
            self._send_head(answer, self._proper_headers(path.stat().st_size, first))
            self._send_body(answer, path, first or 0)

    def _proper_headers(self, size, first):
        headers = {"ETag": f'"{self.server.files.etag}"', "Content-Length": str(size - (first or 0))}
        if first is not None:
            headers["Content-Range"] = f"bytes {first}-{size - 1}/{size}"
        return headers

    def _send_head(self, answer, proper_headers):
        self.send_response(answer.status or (206 if "Content-Range" in proper_headers else 200))
        for name, value in (proper_headers | dict(answer.headers)).items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _send_body(self, answer, path, start):
        self.close_connection = answer.ends_after is not None or "Content-Length" in answer.headers
        end = path.stat().st_size if answer.ends_after is None else start + answer.ends_after
        try:
            with path.open("rb") as content:
                self._send_part(content, start, end)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if answer.stalls:
            self.server.files.hold()

    def _send_part(self, content, start, end):
        rate = self.server.files.rate
        while start < end:
            sent = os.sendfile(self.connection.fileno(), content.fileno(), start, min(_PIECE, end - start))
            start += sent
            self.server.files.count(sent)
            if rate:
                self.server.files.hold(sent / rate)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files):
        self.files = files
        super().__init__(("127.0.0.1", 0), _Handler)
