"""The way to the Hub when something is wrong with it: which error, in which words, after how many tries and when."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from hub_server import Refusal
from huggingface_hub import constants

from wembed.errors import HubError, NotFoundError, UsageError
from wembed.hub.failures import TransientError, translated
from wembed.hub.headers import small_file
from wembed.hub.listing import find_repository
from wembed.hub.repository import Repository
from wembed.hub.session import Hub, HubOptions, Patience, StoppedError

NAME = "org/bert"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


@pytest.fixture
def server(hub_root, hub_server):
    folder = hub_root / NAME
    folder.mkdir(parents=True)
    (folder / CONFIG).write_bytes(b"{}")
    (folder / WEIGHTS).write_bytes(b"0123456789")
    return hub_server()


def hub_at(server, **options):
    return Hub(HubOptions(**{"endpoint": server.url, "retries": 0, "timeout": 2} | options))


def failure(call, kind):
    with pytest.raises(Exception) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    assert error.message.isprintable()
    assert error.hint.isprintable()
    assert not error.message.removesuffix("...").endswith(".")
    return error


def read_weights(hub, server):
    """Reads the weights without asking for the listing first."""
    with hub.stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS) as body:
        return b"".join(body.chunks)


# Which error


@pytest.mark.parametrize(
    ("status", "headers", "kind", "message"),
    [
        (403, {"X-Error-Code": "GatedRepo"}, HubError, "gated, access must be asked for on its page"),
        (401, {"X-Error-Code": "GatedRepo"}, HubError, "gated, access must be asked for on its page"),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, HubError, "disabled by the Hub"),
        (404, {"X-Error-Code": "RevisionNotFound"}, NotFoundError, "no such revision"),
        (404, {"X-Error-Code": "EntryNotFound"}, NotFoundError, "no such file"),
        (404, {"X-Error-Code": "RepoNotFound"}, NotFoundError, "no such repository, or a private one"),
        (401, {"X-Error-Code": "RepoNotFound"}, NotFoundError, "no such repository, or a private one"),
        (401, {}, HubError, "the Hub refuses access (status 401)"),
        (403, {}, HubError, "the Hub refuses access (status 403)"),
        (404, {}, NotFoundError, "not on the Hub"),
        (204, {}, HubError, "the Hub answers with status 204"),
        (304, {}, HubError, "the Hub answers with status 304"),
        (400, {}, HubError, "the Hub answers with status 400"),
        (416, {}, HubError, "the Hub answers with status 416"),
        (451, {}, HubError, "the Hub answers with status 451"),
        (429, {}, TransientError, "the Hub asks for fewer requests (status 429)"),
        (408, {}, TransientError, "the Hub has trouble (status 408)"),
        (500, {}, TransientError, "the Hub has trouble (status 500)"),
        (502, {}, TransientError, "the Hub has trouble (status 502)"),
        (503, {}, TransientError, "the Hub has trouble (status 503)"),
        (504, {}, TransientError, "the Hub has trouble (status 504)"),
    ],
)
@pytest.mark.parametrize("asked", ["listing", "file"])
def test_each_status_has_its_error(server, asked, status, headers, kind, message):
    hostile = {"X-Error-Message": "\x9b31m"} | headers
    server.faults.refusals = [Refusal("/", status, headers=hostile, body=b"\x1b[31m not JSON \n\n")]
    hub = hub_at(server)
    if asked == "listing":
        assert failure(lambda: find_repository(hub, NAME), kind).message == f"{NAME}: {message}"
    else:
        assert failure(lambda: read_weights(hub, server), kind).message == f"{NAME}/{WEIGHTS}: {message}"


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (httpx2.ConnectTimeout(""), TransientError, "the Hub does not answer"),
        (httpx2.PoolTimeout(""), TransientError, "the Hub does not answer"),
        (
            httpx2.ProxyError("407 from\n the \x1b[31mproxy"),
            HubError,
            "cannot reach the Hub: '407 from the \\x1b[31mproxy'",
        ),
        (
            httpx2.ConnectError("certificate verify failed"),
            TransientError,
            "cannot reach the Hub: certificate verify failed",
        ),
        (httpx2.ReadError(""), TransientError, "the connection broke: ReadError"),
        (httpx2.RemoteProtocolError("x" * 999), TransientError, f"the connection broke: {'x' * 200}..."),
    ],
)
def test_each_failure_of_the_network_has_its_error(raised, kind, message):
    def call():
        with translated("it"):
            raise raised

    assert failure(call, kind).message == f"it: {message}"


@pytest.mark.parametrize(("token", "hint"), [(None, "give --token, or set HF_TOKEN"), ("hf_wrong", "check the token")])
def test_a_gated_repository_is_listed_and_its_files_are_refused(server, token, hint):
    server.claimed(NAME).gated = "manual"
    hub = hub_at(server, token=token)
    repository = find_repository(hub, NAME)
    assert repository.card.gated
    assert failure(lambda: small_file(hub, repository, repository.files[0]), HubError).hint == hint


@pytest.mark.parametrize(
    ("token", "hint"),
    [(None, "check the name; give --token, or set HF_TOKEN"), ("hf_wrong", "check the name; check the token")],
)
def test_a_private_repository_looks_as_if_it_were_not_there(server, token, hint):
    server.claimed(NAME).private = True
    assert failure(lambda: find_repository(hub_at(server, token=token), NAME), NotFoundError).hint == hint


def test_the_right_token_opens_what_is_private_and_gated(server):
    server.claimed(NAME).private, server.claimed(NAME).gated = True, "auto"
    hub = hub_at(server, token=server.token)
    repository = find_repository(hub, NAME)
    assert small_file(hub, repository, repository.files[0]) == b"{}"


def test_a_repository_revision_or_file_that_is_not_there(server):
    hub = hub_at(server)
    assert failure(lambda: find_repository(hub, "org/none"), NotFoundError).message.startswith("org/none: no such rep")
    assert failure(lambda: find_repository(hub, NAME, "v9"), NotFoundError).message == f"{NAME}@v9: no such revision"


def test_a_name_that_huggingface_hub_refuses(server):
    call = lambda: hub_at(server).ask("a b", lambda api: api.model_info("a b"))  # noqa: E731
    assert failure(call, NotFoundError).message == "a b: not the name of a repository"


def test_offline_mode_of_huggingface_hub_is_obeyed(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    error = failure(lambda: find_repository(hub_at(server), NAME), HubError)
    assert error.message == f"{NAME}: HF_HUB_OFFLINE forbids to reach the Hub"
    assert server.log == []


def test_nobody_at_the_endpoint():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    hub = Hub(HubOptions(endpoint=f"http://127.0.0.1:{port}", retries=0))
    assert failure(lambda: find_repository(hub, NAME), TransientError).message.startswith(
        f"{NAME}: cannot reach the Hub: "
    )


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1", "127.0.0.1", "http://[::", "http://\x1b[31m", "http://a:x"])
def test_an_endpoint_that_is_no_address(endpoint):
    hub = Hub(HubOptions(endpoint=endpoint, retries=0))
    error = failure(lambda: find_repository(hub, NAME), HubError)
    assert error.message.startswith(f"{NAME}: cannot reach the Hub: ")
    assert error.hint == "check HF_ENDPOINT and the proxy"


def test_redirects_without_an_end(server):
    server.faults.refusals = [Refusal("/", 307, headers={"Location": f"{server.url}/api/models/{NAME}"})]
    error = failure(lambda: find_repository(hub_at(server), NAME), HubError)
    assert error.message.startswith(f"{NAME}: cannot reach the Hub: ")


def test_an_answer_that_does_not_unpack(server):
    server.faults.refusals = [Refusal("/", 200, headers={"Content-Encoding": "gzip"}, body=b"not gzip")]
    error = failure(lambda: find_repository(hub_at(server), NAME), TransientError)
    assert error.message.startswith(f"{NAME}: the connection broke: ")


@pytest.mark.parametrize("asked", ["listing", "file"])
def test_a_connection_that_is_cut(server, asked):
    server.faults.where, server.faults.cut_after = "/", 3
    hub = hub_at(server)
    call = (lambda: find_repository(hub, NAME)) if asked == "listing" else (lambda: read_weights(hub, server))
    error = failure(call, TransientError)
    assert ": the connection broke: " in error.message
    assert error.hint == "the same command goes on where it was"


@pytest.mark.parametrize("asked", ["listing", "file"])
def test_a_stalled_socket_ends_with_the_timeout(server, asked):
    server.faults.where, server.faults.stall_after = "/", 3
    hub = hub_at(server, timeout=0.1)
    call = (lambda: find_repository(hub, NAME)) if asked == "listing" else (lambda: read_weights(hub, server))
    start = time.monotonic()
    error = failure(call, TransientError)
    assert error.message.endswith(": the Hub does not answer")
    assert error.hint == "see --timeout"
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("token", ["hf_secret\n", "hf_secret\x1b[31m", "hf_secr\u00e9t", "hf_secret\ud800"])
def test_a_token_that_no_header_can_hold_is_told_and_not_shown(token):
    error = failure(lambda: Hub(HubOptions(token=token)).headers, UsageError)
    assert error.message == "the token holds characters that no token has"
    assert error.hint == "check --token and HF_TOKEN"


# How often, and when


class Waits(threading.Event):
    """Tells how long was waited for it, without waiting."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def hub(server, waits):
    return Hub(HubOptions(endpoint=server.url, retries=3, timeout=2), waits)


def test_trouble_with_a_listing_is_waited_for_twice_as_long_each_time(server, hub, waits):
    server.faults.refusals = [Refusal("/", 500, times=3)]
    assert find_repository(hub, NAME).id == NAME
    assert waits.seconds == [1, 2, 4]


def test_trouble_with_a_file_is_waited_for_twice_as_long_each_time(server, hub, waits):
    repository = find_repository(hub, NAME)
    server.faults.refusals = [Refusal("/", 500, times=3)]
    assert small_file(hub, repository, repository.files[0]) == b"{}"
    assert waits.seconds == [1, 2, 4]


def test_retries_run_out(server, hub, waits):
    server.faults.refusals = [Refusal("/", 503)]
    failure(lambda: find_repository(hub, NAME), TransientError)
    assert len(server.log) == 4
    assert len(waits.seconds) == 3


def test_what_will_not_go_away_is_not_tried_again(server, hub, waits):
    server.faults.refusals = [Refusal("/", 403)]
    failure(lambda: find_repository(hub, NAME), HubError)
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_as_seconds(server, hub, waits, status):
    server.faults.refusals = [Refusal("/", status, times=1, headers={"Retry-After": "7"})]
    find_repository(hub, NAME)
    assert waits.seconds == [7]


def test_retry_after_is_obeyed_as_a_date(server, hub, waits):
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server.faults.refusals = [Refusal("/", 429, times=1, headers={"Retry-After": when})]
    find_repository(hub, NAME)
    assert waits.seconds == [pytest.approx(60, abs=3)]


def test_retry_after_of_the_past_is_now(server, hub, waits):
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    server.faults.refusals = [Refusal("/", 429, times=1, headers=headers)]
    find_repository(hub, NAME)
    assert waits.seconds == [0]


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "1.5", "\xb2", "Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 +99999999999999",
     "Wed, 21 Oct 2015 07:28:00 -0000", "nan"],
)  # fmt: skip
def test_retry_after_of_something_else_is_passed_over(server, hub, waits, text):
    server.faults.refusals = [Refusal("/", 429, times=1, headers={"Retry-After": text})]
    find_repository(hub, NAME)
    assert waits.seconds == [1]


@pytest.mark.parametrize("text", ["301", "9" * 500, "Wed, 21 Oct 2215 07:28:00 GMT"])
def test_a_server_that_asks_to_wait_for_long_is_given_up(server, hub, waits, text):
    server.faults.refusals = [Refusal("/", 429, headers={"Retry-After": text})]
    error = failure(lambda: find_repository(hub, NAME), TransientError)
    assert error.hint == "wait, or give fewer --jobs"
    assert waits.seconds == []


def test_progress_starts_the_counting_again(waits):
    patience = Patience(2, waits, lambda seconds: None)
    broken = TransientError("x")
    for _ in range(5):
        patience.wait(broken, made_progress=True)
    patience.wait(broken)
    with pytest.raises(TransientError):
        patience.wait(broken)
    assert waits.seconds == [1, 1, 1, 1, 1, 2]


def test_the_waiting_ends_when_somebody_says_so(server, hub, waits):
    server.faults.refusals = [Refusal("/", 503)]
    waits.set()
    with pytest.raises(StoppedError):
        find_repository(hub, NAME)
    assert len(server.log) == 1


# Where to, and with which token


def test_a_token_goes_to_the_hub_and_not_to_the_host_that_it_redirects_to(server, hub_server):
    storage = hub_server()
    server.faults.redirect_to = storage.other_url
    assert read_weights(hub_at(server, token="hf_secret"), server) == b"0123456789"
    assert [request.authorization for request in server.log] == ["Bearer hf_secret"]
    assert [request.authorization for request in storage.log] == [None]


def test_a_token_does_not_go_to_another_port_of_the_same_host(server, hub_server):
    storage = hub_server()
    server.faults.redirect_to = storage.url
    read_weights(hub_at(server, token="hf_secret"), server)
    assert [request.authorization for request in storage.log] == [None]


def test_a_listing_that_is_redirected_to_another_host_comes_without_the_token(server, hub_server):
    other = hub_server()
    server.faults.refusals = [Refusal("/api", 307, headers={"Location": f"{other.other_url}/api/models/{NAME}"})]
    find_repository(hub_at(server, token="hf_secret"), NAME)
    assert [request.authorization for request in other.log] == [None]


def test_the_etag_of_a_redirected_file_is_the_one_that_the_hub_gives(server, hub_server):
    storage = hub_server(etag="of the storage")
    server.faults.redirect_to = storage.other_url
    with hub_at(server).stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS) as body:
        assert (body.etag, body.start, body.total) == (server.snapshot(NAME).etag(WEIGHTS), 0, 10)


@pytest.mark.parametrize(("etag", "found"), [("", ""), ('W/"a', 'W/"a'), ("a" * 1000, "a" * 1000)])
def test_the_etag_may_be_missing_or_strange(server, etag, found):
    server.faults.etag = etag
    with hub_at(server).stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS) as body:
        assert body.etag == found


def test_a_part_says_where_it_starts_and_how_long_the_file_is(server):
    with hub_at(server).stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS, 4, 6) as body:
        assert (body.start, body.total, b"".join(body.chunks)) == (4, 10, b"456")


def test_the_whole_file_in_the_place_of_a_part_starts_at_zero(server):
    server.faults.ignore_range = True
    with hub_at(server).stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS, 4) as body:
        assert (body.start, body.total, b"".join(body.chunks)) == (0, 10, b"0123456789")


def test_a_file_of_unknown_length(server):
    server.faults.no_length = True
    with hub_at(server).stream(Repository(NAME, server.commit(NAME), ()), WEIGHTS) as body:
        assert (body.total, b"".join(body.chunks)) == (None, b"0123456789")


def test_the_token_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_environment")
    find_repository(hub_at(server), NAME)
    assert server.log[0].authorization == "Bearer hf_of_the_environment"


def test_the_endpoint_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", server.url)  # what huggingface_hub takes from HF_ENDPOINT
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    hub = Hub(HubOptions(retries=0))
    repository = find_repository(hub, NAME)
    assert small_file(hub, repository, repository.files[0]) == b"{}"


def test_an_endpoint_may_end_with_a_slash(server):
    hub = hub_at(server, endpoint=f"{server.url}/")
    repository = find_repository(hub, NAME)
    assert small_file(hub, repository, repository.files[0]) == b"{}"
    assert all("//" not in request.path for request in server.log)
