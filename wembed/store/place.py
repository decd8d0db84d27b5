"""Where a table is, on a disk or an object store; and what Lance says of it, as an error in one line."""

import os
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wembed.errors import UsageError, WembedError

INDEX_CACHE = 512 << 20  # bytes of an index that are kept in memory
_MISSING = "was not found"
_SCHEMES = ("s3", "gs", "az", "abfss", "file")
_PLACES = "a store is a folder or s3://, gs:// or az:// with a bucket and a prefix"
_LOCAL_STORE = "http://"  # an S3 API without TLS, which Lance must be told to allow
_ELSEWHERE = "give a place that can be written with --store"
_REMAKE = "check --store, or delete the table: `wembed embed` makes it again"
_ACCESS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your cloud's tools read"


class NoTableError(Exception):
    """There is no table at a place."""


class UnwritableError(WembedError):
    """A table can't be written; what is in it may be read."""


class _Known(NamedTuple):
    """What an object store's error means."""

    sign: str
    meaning: str
    hint: str


_KNOWN = (
    _Known("NoSuchBucket", "there is no such bucket", "make the bucket, or check --store"),
    _Known("ContainerNotFound", "there is no such container", "make the container, or check --store"),
    _Known("SignatureDoesNotMatch", "the credentials are refused", _ACCESS),
    _Known("InvalidAccessKeyId", "the credentials are refused", _ACCESS),
    _Known("AccessDenied", "access is denied", _ACCESS),
    _Known("403 Forbidden", "access is denied", _ACCESS),
    _Known("401 Unauthorized", "access is denied", _ACCESS),
    _Known("AWS credentials", "there are no credentials", _ACCESS),
    _Known("no storage account", "the storage account is not known", "set AZURE_STORAGE_ACCOUNT_NAME"),
    _Known("error sending request", "the object store does not answer", "check AWS_ENDPOINT_URL and the network"),
)


def check_place(uri: str) -> None:
    """Checks that a URI names a place where embeddings can be kept.

    Raises:
        UsageError: if it doesn't.
    """
    if is_remote(uri):
        scheme, _, rest = uri.partition("://")
        if scheme not in _SCHEMES:
            raise UsageError(f"{uri!r} is no place for embeddings that wembed knows", _PLACES)
        if scheme != "file" and not urlsplit(f"//{rest}").netloc:
            raise UsageError(f"{uri!r} names no bucket", _PLACES)


def is_remote(uri: str) -> bool:
    """Whether a URI leads to an object store."""
    return "://" in uri


def load_lance() -> Any:  # a module without types
    """Gives Lance, loaded at its first use and told to log errors alone: it warns of what is dealt with here."""
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance


def storage_options(uri: str) -> dict[str, str]:
    """Gives what Lance doesn't take from the environment by itself."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not uri.startswith("s3://") or not endpoint:
        return {}
    return {"aws_endpoint": endpoint, "allow_http": str(endpoint.startswith(_LOCAL_STORE)).lower()}


def open_dataset(uri: str) -> Any:  # a Lance dataset, which has no types
    """Opens the newest version of a table.

    Raises:
        NoTableError: if there is none.
        WembedError: if it can't be read.
    """
    if not is_remote(uri) and not os.path.lexists(uri):
        raise NoTableError(uri)
    lance = load_lance()
    try:
        return lance.dataset(uri, storage_options=storage_options(uri), index_cache_size_bytes=INDEX_CACHE)
    except (OSError, ValueError, RuntimeError) as error:
        if _MISSING in str(error):
            raise NoTableError(uri) from error
        raise unreadable(uri, error) from error


def unreadable(uri: str, error: Exception) -> WembedError:
    """Gives the error that a table can't be read."""
    return _failed("read embeddings from", uri, error, _REMAKE)


def unwritable(uri: str, error: Exception) -> UnwritableError:
    """Gives the error that a table can't be written."""
    failed = _failed("write embeddings to", uri, error, _ELSEWHERE)
    return UnwritableError(failed.message, failed.hint)


def _failed(doing: str, uri: str, error: Exception, hint: str) -> WembedError:
    known = next((known for known in _KNOWN if is_remote(uri) and known.sign in str(error)), None)
    return WembedError(
        f"cannot {doing} {uri}: {known.meaning if known else first_sentence(error)}", known.hint if known else hint
    )


def first_sentence(error: Exception) -> str:
    """Gives what Lance says, without the lines of its source code."""
    first = (str(error).split(", /")[0].splitlines() or [""])[0]
    return "".join(letter if letter.isprintable() else "?" for letter in first)
