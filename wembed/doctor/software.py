"""The versions of Python, of wembed and of all that it needs or can use."""

import importlib
import platform
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version

import wembed
from wembed.device import torch_build
from wembed.doctor.check import Check, guarded
from wembed.errors import WembedError

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
    modules = _modules()
    for requirement in needed:
        yield from _package(requirement, modules)
    yield _build()


def _modules() -> Mapping[str, Sequence[str]]:
    """What each distribution that is installed is imported by."""
    modules: dict[str, list[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(_canonical(distribution), []).append(module)
    return modules


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(requirement: str, modules: Mapping[str, Sequence[str]]) -> Iterator[Check]:
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
    elif extra:
        yield Check(AREA, name, "ok", found)
    else:
        yield from guarded(AREA, name, lambda: [_imported(name, found, modules.get(_canonical(name), ()))])


def _imported(name: str, found: str, modules: Sequence[str]) -> Check:
    """Whether a package that is installed is whole."""
    own = name.replace("-", "_")
    for module in [own] if own in modules else [each for each in modules if not each.startswith("_")]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a matter of its authors
                importlib.import_module(module)
        except ImportError as error:
            said = " ".join(str(error).split())
            hint = f"pip install --force-reinstall {name}"
            raise WembedError(f"{found}, which can't be imported: {said}", hint) from error
    return Check(AREA, name, "ok", found)


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
