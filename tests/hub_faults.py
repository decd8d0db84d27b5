"""What goes wrong on the loopback Hub, and what it has been asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Request:
    """A request that came in; sent grows while its body goes out."""

    method: str
    path: str
    range: str | None
    authorization: str | None
    host: str
    status: int = 0
    sent: int = 0


@dataclass
class Refusal:
    """An answer with an error in the place of the right one.

    Args:
        fragment: of the paths that are refused.
        status: to answer.
        times: how often; None for ever.
        headers: such as Retry-After or X-Error-Code.
        body: of the answer.
    """

    fragment: str
    status: int
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": "injected"}'


@dataclass
class Faults:
    """What goes wrong.

    Args:
        where: fragment of the paths whose bodies have faults.
        throttle: bytes in a second, for each body.
        stall_after: bytes of a body after which nothing comes until the client leaves.
        cut_after: bytes of a body after which the connection breaks.
        cut_times: how often, for each file; None for ever.
        refusals: see Refusal.
        length_error: bytes to add to Content-Length.
        no_length: leave Content-Length out.
        ignore_range: answer with the whole file.
        content_range: to say instead of the right one.
        etag: to say instead of the right one, "" for none; one that is called gives a new one each time.
        no_commit: leave X-Repo-Commit out.
        redirect_to: address of another server to which large files are redirected.
        page: names on a page of a listing.
    """

    where: str = "/resolve/"
    throttle: int | None = None
    stall_after: int | None = None
    cut_after: int | None = None
    cut_times: int | None = 1
    refusals: list[Refusal] = field(default_factory=list)
    length_error: int = 0
    no_length: bool = False
    ignore_range: bool = False
    content_range: str | None = None
    etag: str | Callable[[], str] | None = None
    no_commit: bool = False
    redirect_to: str | None = None
    page: int = 1000
