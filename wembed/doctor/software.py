"""The versions of Python, of wembed and of all that it needs or can use."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import wembed
from wembed.device import torch_build
from wembed.doctor.check import Check

AREA = "software"
DISTRIBUTION = "wembed-zoo"
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*(?:>=\s*([\d.]+))?[^;]*(?:;\s*(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_FOR_TESTS = "test"


def software() -> Iterator[Check]:
    """Python, wembed, torch's build, what must be installed, and what may be."""
    yield Check(AREA, "python", "ok", f"{platform.python_version()}, {platform.python_implementation()}")
    yield Check(AREA, "wembed", "ok", wembed.__version__)
    yield Check(AREA, "system", "ok", platform.platform())
    try:
        needed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        needed = []
        yield Check(AREA, "packages", "note", f"{DISTRIBUTION} is not installed, it runs from its source")
    for requirement in needed:
        yield from _package(requirement)
    yield _build()


def _package(requirement: str) -> Iterator[Check]:
    parsed = _REQUIREMENT.match(requirement)
    if not parsed:
        return
    name, least, condition = parsed[1], parsed[2] or "", parsed[3] or ""
    extra = _EXTRA.search(condition)
    if extra and extra[1] == _FOR_TESTS:
        return
    try:
        found = version(name)
    except PackageNotFoundError:
        yield _absent(name, extra[1] if extra else "")
        return
    if _numbers(found) < _numbers(least):
        hint = f"pip install '{name}>={least}'"
        yield Check(AREA, name, "failed", f"{found}, at least {least} is needed", hint)
    else:
        yield Check(AREA, name, "ok", found)


def _absent(name: str, extra: str) -> Check:
    if extra:
        return Check(AREA, name, "note", "not installed", f"pip install '{DISTRIBUTION}[{extra}]'")
    return Check(AREA, name, "failed", "not installed", f"pip install {name}")


def _numbers(text: str) -> tuple[int, ...]:
    """The release of a version, for comparing; a trailing zero means nothing."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[+a-z]", text, maxsplit=1)[0])]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _build() -> Check:
    import torch

    return Check(AREA, "torch build", "ok", f"{torch.__version__}, with {torch_build()}")
