"""A question about this machine in; what was found, in words that can be shown to anyone, out."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wembed.errors import WembedError

Status = Literal["ok", "note", "failed"]  # a note is nothing wrong, and may explain something

_USER = re.compile(r"(?<=://)[^/@\s]*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")
_TOKEN = re.compile(r"\b(hf|sk|ghp|AKIA)_?[A-Za-z0-9]{16,}\b")


@dataclass(frozen=True)
class Check:
    """What was found.

    Args:
        area: what it belongs to.
        check: what was looked at.
        status: whether it is well.
        found: what it is.
        hint: what to try where it isn't.
    """

    area: str
    check: str
    status: Status
    found: str
    hint: str = ""


def guarded(area: str, check: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Gives what looking finds; what goes wrong meanwhile is one more finding, whatever it is."""
    try:
        for found in look():
            yield replace(found, found=shareable(found.found), hint=shareable(found.hint))
    except WembedError as error:
        yield Check(area, check, "failed", shareable(error.message), shareable(error.hint))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        yield Check(area, check, "failed", shareable(f"{where}{(error.strerror or str(error)).lower()}"))
    except Exception as error:  # the one command that must not end in a traceback, however broken what it looks at is
        said = " ".join(str(error).split())
        yield Check(area, check, "failed", shareable(f"{type(error).__name__}: {said}"))


def shareable(text: str) -> str:
    """Text without what is nobody's business: the name of the home folder, and what is secret in an address."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~")
    return _TOKEN.sub("<token>", _QUERY.sub(r"\1", _USER.sub("", text)))


def in_units(count: int) -> str:
    """A number of bytes as a person reads it."""
    if count < 1e9:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e9:.1f} GB" if count < 1e12 else f"{count / 1e12:.1f} TB"
