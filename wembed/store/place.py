"""Where a table is, on a disk or an object store; and what Lance says of it, as an error in one line."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from wembed.errors import UsageError, WembedError

INDEX_CACHE = 512 << 20  # bytes of an index that are kept in memory
_MISSING = "was not found"
_LOCAL_STORE = "http://"  # an S3 API without TLS, which Lance must be told to allow
_REMAKE = "check --store, or delete the table: `wembed embed` makes it again"
_ACCESS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your cloud's tools read"


class NoTableError(Exception):
    """There is no table at a place."""


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
        UsageError: if no such place can be.
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
        if "No object store provider" in str(error):
            hint = "a store is a folder or s3://, gs:// or az:// with a bucket and a prefix"
            raise UsageError(f"{uri!r} is no place for embeddings that wembed knows", hint) from error
        raise unreadable(uri, error) from error


def unreadable(uri: str, error: Exception) -> WembedError:
    """Gives the error that a table can't be read."""
    return _failed("read embeddings from", uri, error, _REMAKE)


def unwritable(uri: str, error: Exception) -> WembedError:
    """Gives the error that a table can't be written."""
    return _failed("write embeddings to", uri, error, "")


def refused_filter(where: str, columns: Sequence[str], error: Exception) -> UsageError:
    """Gives the error that a filter isn't understood."""
    said = _first_sentence(error).removeprefix("Invalid user input: ").split(" Valid fields are ")[0].rstrip(".")
    return UsageError(f"filter {where!r} is not understood: {said}", f"columns are {', '.join(columns)}")


def _failed(doing: str, uri: str, error: Exception, hint: str) -> WembedError:
    known = next((known for known in _KNOWN if is_remote(uri) and known.sign in str(error)), None)
    return WembedError(
        f"cannot {doing} {uri}: {known.meaning if known else _first_sentence(error)}", known.hint if known else hint
    )


def _first_sentence(error: Exception) -> str:
    """What Lance says, without the lines of its source code."""
    first = (str(error).split(", /")[0].splitlines() or [""])[0]
    return "".join(letter if letter.isprintable() else "?" for letter in first)
