"""Requests that are refused whatever they carry: by path, method, size or time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.connection import Connection, ask
from tests.support.service import Service
from tests.support.sites import with_site

pytestmark = pytest.mark.process

MAX_BODY = 256 * 1024
PUSH = b'{"url":"http://127.0.0.1:9/task"}'

#: The deadlines of a request, in seconds: short enough to wait for them.
SHORT_LIMITS = """
from poussetaches.api.request import Limits
assert Limits.__init__.__defaults__[:3] == (10.0, 30.0, 75.0)
Limits.__init__.__defaults__ = (0.7, 0.7, 75.0, *Limits.__init__.__defaults__[3:])
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"start_paused": True, "workers": 1, "max_body": MAX_BODY}
    environment = with_site(folder, "api", SHORT_LIMITS)
    with Service(folder, settings=settings, environment=environment) as service:
        yield service
        assert "Traceback" not in service.log


# --- paths and methods ----------------------------------------------------------------

#: What every path can do. HEAD goes where GET goes.
PATHS = {
    "/": {"GET", "POST"},
    "/waiting": {"GET"},
    "/success": {"GET"},
    "/dead": {"GET", "DELETE"},
    "/cron": {"GET", "DELETE"},
    "/pause": {"POST"},
    "/resume": {"POST"},
    "/stats": {"GET"},
}


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.mark.parametrize(
    ("method", "path"),
    [(m, path) for path, taken in PATHS.items() for m in METHODS if m not in taken],
)
def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(
    service: Service, method: str, path: str
) -> None:
    before = ask(service.port, "GET", "/").json
    answer = ask(service.port, method, path, PUSH)
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    allowed = set(answer.header("Allow").replace(" ", "").split(","))
    assert allowed - {"HEAD"} == PATHS[path]
    after = ask(service.port, "GET", "/").json
    assert (after["accepted"], after["paused"]) == (
        before["accepted"],
        before["paused"],
    )


@pytest.mark.parametrize(
    "path",
    [
        "/waiting/",
        "/nowhere",
        "/cron/",
        "//",
        "/waiting/5",
        "/%00",
        "/%ff%fe",
        "/..",
        "/../../etc/passwd",
        "/" + "a" * 20_000,
        "/waiting;x",
        "/waiting%0A",
        "/WAITING",
    ],
    ids=lambda path: path[:20],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found_and_takes_no_task(
    service: Service, path: str, method: str
) -> None:
    before = ask(service.port, "GET", "/").json["accepted"]
    answer = ask(service.port, method, path, PUSH)
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert ask(service.port, "GET", "/").json["accepted"] == before


def test_a_line_feed_too_many_is_not_left_out_of_a_name(service: Service) -> None:
    push = b'{"url": "http://127.0.0.1:9/", "schedule": "@daily", "name": "kept"}'
    assert ask(service.port, "POST", "/", push).status == 201
    for path in ("/schedule/kept%0A", "/schedule/kept/next%0A"):
        assert ask(service.port, "GET", path).status == 404
    assert ask(service.port, "DELETE", "/schedule/kept%0A").status == 404
    assert ask(service.port, "GET", "/schedule/kept").json["name"] == "kept"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=1001",
        "limit=1e3",
        "limit=%00",
        "limit=%D9%A3",
    ],
)
def test_a_bad_limit_is_refused(service: Service, query: str) -> None:
    answer = ask(service.port, "GET", f"/waiting?{query}")
    assert (answer.status, answer.error["field"]) == (400, "limit")


@pytest.mark.parametrize("cursor", ["x", "1", "1,2,3", "inf,x", "1,1e5", ",", "%FF"])
def test_a_bad_cursor_is_refused(service: Service, cursor: str) -> None:
    answer = ask(service.port, "GET", f"/waiting?cursor={cursor}")
    assert (answer.status, answer.error["field"]) == (400, "cursor")


# --- size and time --------------------------------------------------------------------


HEAD = b"POST / HTTP/1.1\r\nHost: t\r\n"


def test_a_body_of_the_largest_size_is_taken(service: Service) -> None:
    body = PUSH + b" " * (MAX_BODY - len(PUSH))
    assert ask(service.port, "POST", "/", body).status == 201
    with Connection(service.port) as client:
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert client.answer().status == 201


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**18 - 1])
def test_a_body_that_says_it_is_too_large_is_refused_unread(
    service: Service, length: int
) -> None:
    with Connection(service.port) as client:
        client.send(HEAD + b"Content-Length: %d\r\n\r\n" % length)
        answer = client.answer()
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    assert answer.header("Connection") == "close"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_a_large_body_regardless_gets_the_answer(
    service: Service, chunked: bool
) -> None:
    body = b"x" * (8 * 1024 * 1024)
    framing = b"Content-Length: %d\r\n\r\n" % len(body)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        framing = b"Transfer-Encoding: chunked\r\n\r\n"
    with Connection(service.port) as client:
        client.send(HEAD + framing)
        with suppress(ConnectionError):
            client.send(body)
        answer = client.answer()
    assert (answer.status, answer.error["code"]) == (413, "too_large")


@pytest.mark.parametrize("sent", [b"", b'{"url":"'])
def test_a_body_that_does_not_come_is_not_waited_for(
    service: Service, sent: bytes
) -> None:
    with Connection(service.port) as client:
        client.send(HEAD + b"Content-Length: 100\r\n\r\n" + sent)
        answer = client.answer()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_headers_that_do_not_come_are_not_waited_for(service: Service) -> None:
    with Connection(service.port) as client:
        client.send(HEAD)
        answer = client.answer()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_a_request_that_drips_is_not_waited_for(service: Service) -> None:
    """What counts is the time since its beginning, however much comes."""
    over = threading.Event()
    with Connection(service.port) as client:
        client.send(HEAD + b"Content-Length: 1000\r\n\r\n")

        def drip() -> None:
            while not over.wait(0.05):
                with suppress(ConnectionError):
                    client.send(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = client.answer()
        over.set()
        dripping.join()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_others_are_served_while_many_wait(service: Service) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(service.port)) for _ in range(200)]
        for client in clients:
            client.send(HEAD + b"Content-Length: 100\r\n\r\n")
        assert ask(service.port, "POST", "/", PUSH).status == 201
        assert {client.answer().status for client in clients} == {408}
