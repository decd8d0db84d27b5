"""What all tests share: no slow ones, steady hypothesis runs, the real checkpoints, a table of measured maxima."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=40)
hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests, unless -m says what to run."""
    if config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Recorded numbers as Python's own, which can be sent from one process to another."""
    report = yield
    report.user_properties = [
        (name, value.item() if isinstance(value, np.generic) else value) for name, value in report.user_properties
    ]
    return report


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the largest of every number that tests recorded under one name."""
    largest: dict[str, float] = {}
    for name, value in _recorded(terminalreporter):
        largest[name] = max(largest.get(name, value), value)
    if largest:
        terminalreporter.section("largest measured values")
    for name, value in sorted(largest.items()):
        terminalreporter.write_line(f"{value:9.2e}  {name}")


def _recorded(terminalreporter) -> Iterator[tuple[str, float]]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            yield from ((name, value) for name, value in report.user_properties if isinstance(value, float))


@pytest.fixture(scope="session")
def real_checkpoints() -> Path:
    """The folder of real checkpoints."""
    folder = os.environ.get("WEMBED_TEST_DATA")
    if not folder:
        pytest.skip("WEMBED_TEST_DATA is not set")
    return Path(folder).resolve() / "checkpoints"
