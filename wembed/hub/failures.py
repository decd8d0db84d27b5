"""What huggingface_hub and its HTTP library raise in; our errors out, with the exit code that the contract gives.

This module and `session` are where those libraries' exceptions are known.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from huggingface_hub import errors as hub_errors

from wembed.errors import HubError, NotFoundError, WembedError

TRANSIENT_STATUS = (408, 429, 500, 502, 503, 504)
_LONGEST_TEXT = 200  # characters of a server's own words


class TransientError(HubError):
    """What may go away when it is tried again.

    Args:
        message: what failed.
        hint: what to try.
        retry_after: seconds that the server asks to wait, if it does.
    """

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translates what is raised inside.

    Args:
        what: is asked for, such as a repository's name.

    Raises:
        NotFoundError: if the repository, the revision or the file isn't there.
        TransientError: if it may go away.
        HubError: if the Hub refuses, or can't be reached.
    """
    try:
        yield
    except httpx2.TimeoutException as error:
        raise TransientError(f"{what}: the Hub does not answer", "see --timeout") from error
    except hub_errors.HfHubHTTPError as error:
        raise _of_status(what, error) from error
    except hub_errors.HFValidationError as error:
        raise NotFoundError(f"{what}: not the name of a repository", "expected organisation/name") from error
    except hub_errors.OfflineModeIsEnabled as error:
        raise HubError(f"{what}: HF_HUB_OFFLINE forbids to reach the Hub", "unset it, or give --offline") from error
    except (httpx2.TransportError, httpx2.TooManyRedirects, httpx2.InvalidURL, httpx2.DecodingError) as error:
        raise _of_transport(what, error) from error


def _of_status(what: str, error: hub_errors.HfHubHTTPError) -> WembedError:
    response = error.response
    status = response.status_code
    signed_in = "authorization" in response.request.headers
    token = "check the token" if signed_in else "give --token, or set HF_TOKEN"
    if isinstance(error, hub_errors.GatedRepoError):
        return HubError(f"{what}: gated, access must be asked for on its page", token)
    if isinstance(error, hub_errors.DisabledRepoError):
        return HubError(f"{what}: disabled by the Hub")
    if isinstance(error, hub_errors.RevisionNotFoundError):
        return NotFoundError(f"{what}: no such revision", "see the branches and tags on its page")
    if isinstance(error, hub_errors.RemoteEntryNotFoundError):
        return NotFoundError(f"{what}: no such file")
    if isinstance(error, hub_errors.RepositoryNotFoundError):
        return NotFoundError(f"{what}: no such repository, or a private one", f"check the name; {token}")
    if status in TRANSIENT_STATUS:
        reason = "asks for fewer requests" if status == 429 else "has trouble"
        hint = "wait, or give fewer --jobs" if status == 429 else "try again later"
        return TransientError(f"{what}: the Hub {reason} (status {status})", hint, _retry_after(response))
    if status in (401, 403):
        return HubError(f"{what}: the Hub refuses access (status {status})", token)
    if status == 404:
        return NotFoundError(f"{what}: not on the Hub")
    return HubError(f"{what}: the Hub answers with status {status}")


def _of_transport(what: str, error: Exception) -> HubError:
    if isinstance(error, httpx2.ProxyError | httpx2.UnsupportedProtocol | httpx2.InvalidURL | httpx2.TooManyRedirects):
        return HubError(f"{what}: cannot reach the Hub: {shortened(error)}", "check HF_ENDPOINT and the proxy")
    if isinstance(error, httpx2.ConnectError):
        return TransientError(f"{what}: cannot reach the Hub: {shortened(error)}", "check the network and HF_ENDPOINT")
    return TransientError(f"{what}: the connection broke: {shortened(error)}", "the same command goes on where it was")


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that a server asks to wait, which it may give as a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo else None


def shortened(error: BaseException) -> str:
    """What an exception says, in one line of a bearable length."""
    text = " ".join(str(error).split()).rstrip(".")
    return shown(text) if text else type(error).__name__


def shown(value: object) -> str:
    """Something of somebody else's in one line of a bearable length, without control characters."""
    if isinstance(value, list | dict):
        return f"a JSON {type(value).__name__}"
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed for want of room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
