"""Pages of made-up evaluations, and a browser without a network to open them in."""

import shutil
from dataclasses import dataclass, field

import pytest
from page_evaluation import make_evaluation, make_points

from wembed.report.page import write_page

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
OFFLINE = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking")


@dataclass
class Opened:
    """A page in the browser, with what it asked for and what it complained of."""

    page: object
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not program:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUMS)} is installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=list(OFFLINE))
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Opens a file; keywords are those of the browser's new_context."""
    contexts = []

    def open_file(path, **options) -> Opened:
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
        contexts.append(context)
        context.set_offline(True)
        context.set_default_timeout(5_000)
        opened = Opened(context.new_page())
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("console", lambda message: opened.complaints.append(message.text))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.goto(path.as_uri())
        return opened

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def zoo_file(tmp_path_factory):
    """The page of 320 models."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(make_evaluation(make_points(320, layers=6)), path, "a small zoo")
    return path


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    """The page of 2,000 models of 10 neighbours and 20 layers each."""
    path = tmp_path_factory.mktemp("large") / "report.html"
    write_page(make_evaluation(make_points(2000)), path, "a large zoo")
    return path
