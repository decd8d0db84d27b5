"""Hub: the way to the Hugging Face Hub, through huggingface_hub's own HTTP session; every request is made here.

So proxies, endpoints, certificates and tokens behave as its users know. The session follows redirects, and takes the
token off a request that goes to another host.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, get_session, hf_hub_url, hf_raise_for_status, is_offline_mode
from huggingface_hub.utils._headers import build_hf_headers

import wembed
from wembed.errors import HubError, UsageError
from wembed.hub.failures import TransientError, shortened, shown, translated
from wembed.hub.repository import Repository

FIRST_WAIT = 1.0  # seconds, doubled with every try
LONGEST_WAIT = 30.0  # seconds
LONGEST_ASKED_WAIT = 300.0  # seconds that a server may ask to wait
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)

Result = TypeVar("Result")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to reach the Hub."""
    return is_offline_mode()


class StoppedError(Exception):
    """A person has ended it; what was fetched stays."""


@dataclass(frozen=True)
class HubOptions:
    """How to reach the Hub.

    Args:
        endpoint: its address; default: HF_ENDPOINT, else that of huggingface_hub.
        token: of a person; default: what huggingface_hub takes from HF_TOKEN or its login.
        timeout: seconds without a byte after which a connection counts as broken.
        retries: how often a request is made again in a row.
        waiting: hears for what, and how many seconds, the Hub asks to wait; from several threads.
    """

    endpoint: str | None = None
    token: str | None = None
    timeout: float = 30.0
    retries: int = 5
    waiting: Callable[[str, float], None] = lambda what, seconds: None


@dataclass(frozen=True)
class Body:
    """The bytes of a file that come in.

    Args:
        start: place of the first one in the file; 0 where the server sends all of it, whatever was asked.
        total: size of the whole file, as the server says; None where it doesn't.
        etag: of the file, without quotes; "" where the server gives none.
        chunks: the bytes.
    """

    start: int
    total: int | None
    etag: str
    chunks: Iterator[bytes]


class Patience:
    """Waits between tries of one thing, and gives up after too many in a row.

    Args:
        tries: how often it may be tried again.
        stop: ends the waiting.
        waiting: hears how many seconds the Hub asks to wait.
    """

    def __init__(self, tries: int, stop: threading.Event, waiting: Callable[[float], None]) -> None:
        self._tries, self._stop, self._waiting, self._failed = tries, stop, waiting, 0

    def wait(self, error: TransientError, made_progress: bool = False) -> None:
        """Waits before the next try, as long as the server asks, else longer each time.

        Args:
            error: why the last try failed.
            made_progress: whether it got something all the same, so that counting starts again.

        Raises:
            TransientError: the same one, if it was tried often enough.
            StoppedError: if a person has ended it.
        """
        self._failed = 1 if made_progress else self._failed + 1
        asked = error.retry_after
        if self._failed > self._tries or (asked is not None and asked > LONGEST_ASKED_WAIT):
            raise error
        seconds = min(FIRST_WAIT * 2 ** (self._failed - 1), LONGEST_WAIT) if asked is None else asked
        if asked:
            self._waiting(asked)
        if self._stop.wait(seconds):
            raise StoppedError


class Hub:
    """The Hugging Face Hub, or another server that speaks as it does; may be used by several threads.

    Args:
        options: how to reach it.
        stop: set to end what is going on.
    """

    def __init__(self, options: HubOptions | None = None, stop: threading.Event | None = None) -> None:
        self.options = options or HubOptions()
        self.stop = stop or threading.Event()
        endpoint = (self.options.endpoint or os.environ.get("HF_ENDPOINT", "")).rstrip("/")
        self._endpoint, self._token = endpoint or None, self.options.token or None
        self._lock = threading.Lock()

    @cached_property
    def api(self) -> HfApi:
        """huggingface_hub's own client."""
        version = wembed.__version__
        return HfApi(endpoint=self._endpoint, token=self._token, library_name="wembed", library_version=version)

    @property
    def headers(self) -> dict[str, str]:
        """What every request has; making them may be a request of huggingface_hub's own, so that they are made late.

        Raises:
            UsageError: if the token is none.
        """
        with self._lock:
            return self._headers

    @cached_property
    def _headers(self) -> dict[str, str]:
        version = wembed.__version__
        headers = build_hf_headers(token=self._token, library_name="wembed", library_version=version)
        _check_token(headers.get("authorization", ""))
        return headers

    def patience(self, what: str) -> Patience:
        """Gives the patience for one thing that is tried again."""
        return Patience(self.options.retries, self.stop, lambda seconds: self.options.waiting(what, seconds))

    def ask(self, what: str, call: Callable[[HfApi], Result]) -> Result:
        """Calls huggingface_hub, again where that may help.

        Args:
            what: is asked for, for messages.
            call: does so; whatever it gives should be complete, not fetched later.

        Raises:
            NotFoundError: if it isn't there.
            HubError: if the Hub refuses or can't be reached.
        """
        patience = self.patience(what)
        while True:
            try:
                with translated(what):
                    get_session().timeout = httpx2.Timeout(self.options.timeout)
                    return call(self.api)
            except TransientError as error:
                patience.wait(error)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise HubError(f"{what}: the Hub's answer is not understood: {shortened(error)}") from error

    @contextmanager
    def stream(self, repository: Repository, path: str, first: int = 0, last: int | None = None) -> Iterator[Body]:
        """Opens a file of a repository; one try.

        Args:
            repository: at its commit.
            path: of the file.
            first: byte to begin with.
            last: byte to end with, inclusive; None for the end of the file.

        Raises:
            NotFoundError: if it isn't there.
            TransientError: if the connection can't be made, or breaks while the body is read.
            HubError: if the Hub refuses, or sends another part than was asked for.
        """
        what = shown(f"{repository.id}/{path}")
        url = hf_hub_url(repository.id, path, revision=repository.commit, endpoint=self.api.endpoint)
        headers = {**self.headers, "Accept-Encoding": "identity"}
        if first or last is not None:
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        timeout = httpx2.Timeout(self.options.timeout)
        with translated(what), get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
            if response.status_code >= 400:
                response.read()
            hf_raise_for_status(response)
            yield _body(what, response, first)


def _check_token(header: str) -> None:
    """What no header can hold would fail with a message that shows the token."""
    if not header.isascii() or not header.isprintable():
        raise UsageError("the token holds characters that no token has", "check --token and HF_TOKEN")


def _body(what: str, response: httpx2.Response, first: int) -> Body:
    if response.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
        raise HubError(f"{what}: the Hub answers with status {response.status_code}")
    named = next((found for found in (*response.history, response) if "x-linked-etag" in found.headers), response)
    etag = named.headers.get("x-linked-etag") or named.headers.get("etag") or ""
    start, total = 0, _length(response)
    if response.status_code == httpx2.codes.PARTIAL_CONTENT:
        given = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if not given or int(given[1]) != first:
            sent = response.headers.get("content-range")
            found = shown(sent) if sent else "a part without its place"
            raise HubError(f"{what}: asked for bytes from {first}, the Hub sends {found}")
        start, total = first, int(given[3])
    return Body(start, total, etag.removeprefix("W/").strip('"'), response.iter_raw())


def _length(response: httpx2.Response) -> int | None:
    text = response.headers.get("content-length") or ""
    return int(text) if text.isdecimal() else None
