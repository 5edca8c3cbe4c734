"""Whatever is sent to the port: a sentence in JSON that says what is wrong, and where."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.ledger import KeptConnection
from tests.support.service import Service
from tests.support.sites import with_site

pytestmark = pytest.mark.process

MAX_BODY = 256 * 1024
TARGET = "http://127.0.0.1:9/task"

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


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        """What is wrong; every error is told in the same form."""
        assert 400 <= self.status < 500, self
        assert self.headers["content-type"] == "application/json"
        assert list(self.body) == ["error"]
        found: dict[str, Any] = self.body["error"]
        assert list(found) == ["code", "message", "field"]
        assert found["message"]
        return found


def ask(service: Service, method: str, path: str, body: bytes = b"") -> Answer:
    """Over a connection of its own."""
    connection = KeptConnection(service.port)
    try:
        return answer_from(*connection.ask(method, path, body))
    finally:
        connection.close()


def answer_from(head: bytes, body: bytes) -> Answer:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value for name, value in (one.split(": ", 1) for one in lines)
    }
    return Answer(int(first.split(" ")[1]), headers, json.loads(body) if body else None)


def refused(service: Service, body: bytes) -> dict[str, Any]:
    """The error that a push of ``body`` is answered with. Nothing was stored."""
    before = ask(service, "GET", "/").body["accepted"]
    answer = ask(service, "POST", "/", body)
    error = answer.error
    assert answer.status == 400
    assert error["code"] == "invalid"
    assert ask(service, "GET", "/").body["accepted"] == before
    return error


def push_with(**given: object) -> bytes:
    return json.dumps({"url": TARGET} | given).encode()


def push_of(field: str, json_text: str) -> bytes:
    """A push whose ``field`` is what only a text of JSON can say."""
    return f'{{"url":"{TARGET}","{field}":{json_text}}}'.encode()


# --- fields ------------------------------------------------------------------------------

BAD_FIELDS: dict[str, list[object]] = {
    "url": [
        None,
        5,
        [],
        "",
        "no url",
        "/path",
        "//host/path",
        "ftp://host/",
        "http://",
        "http:///path",
        "http://a b/",
        "http://host:99999/",
        "http://host:port/",
        "http://host/\r\nX-Injected: yes",
        "http://host/\0",
        "http://[::1/",
    ],
    "payload": [
        5,
        True,
        1.5,
        {},
        {"a": 1},
        "!",
        "YQ",
        "YQ=",
        "-_-_",
        "YQ==YQ==",
        "YWJj ZGVm",
        "é",
        [256],
        [-1],
        [1.5],
        ["a"],
        [None],
    ],
    "expected": ["200", 200.0, 200.5, True, [], {}, 99, 100, 199, 600, -1, 2**70],
    "delay": ["5", "", 1.5, 2.0, True, [], {}, 10**9, -(10**9), 2**63, 2**70],
    "schedule": [
        5,
        True,
        [],
        {},
        "nonsense",
        "* * *",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* 24 * * *",
        "0 0 31 2 *",
        "@every",
        "@every 0s",
        "@every -1h",
        "@every soon",
        "@never",
        "* * * * *\n",
        "*" * 100_000,
    ],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BAD_FIELDS.items() for value in values],
    ids=lambda one: repr(one)[:30],
)
def test_a_bad_value_is_refused_with_the_name_of_its_field(
    service: Service, field: str, value: object
) -> None:
    error = refused(service, push_with(**{field: value}))
    assert error["field"] == field
    assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("field", ["urll", "Payloads", "x", "", "id", "é", "a" * 5000])
def test_an_unknown_field_is_refused_by_name(service: Service, field: str) -> None:
    error = refused(service, push_with(**{field: 1}))
    assert error["field"] == field[:100]
    assert len(error["message"]) < 300


def test_a_push_without_a_url_is_refused(service: Service) -> None:
    assert refused(service, b"{}")["field"] == "url"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("delay", "1e999"),
        ("delay", "-1e999"),
        ("expected", "1e400"),
        ("delay", "1" * 5000),
        ("expected", "-" + "9" * 30),
        ("payload", '"\\u00ff"'),
        ("payload", "[1, 2, 300]"),
        ("payload", "[" + "1," * 10 + "[]]"),
    ],
)
def test_a_number_or_text_out_of_range_names_its_field(
    service: Service, field: str, text: str
) -> None:
    assert refused(service, push_of(field, text))["field"] == field


# --- bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b'{"url":',
        b'{"url":"http://host/"',
        b"{'url':'http://host/'}",
        b"url=http://host/",
        b"\xff\xfe\x00\x01junk",
        bytes(range(256)) * 50,
        b"\0" * 1000,
        '{"url":"http://host/"}'.encode("utf-16"),
        b'{"url":"http://host/\xff"}',
        push_of("delay", "NaN"),
        push_of("delay", "Infinity"),
        push_of("delay", "0x10"),
        push_of("delay", "01"),
        push_of("payload", '"\\ud800"'),
        push_of("schedule", '"\\udc00\\ud800"'),
        push_of("payload", '"\n"'),
        b"[" * 100_000,
        b'{"url":' * 20_000,
        push_of("payload", "[" * 100_000),
        push_of("x", "[" * 100_000 + "]" * 100_000),
        push_of("x", '{"a":' * 30_000 + "1" + "}" * 30_000),
    ],
    ids=lambda body: repr(body)[2:40],
)
def test_a_body_that_is_no_push_is_refused(service: Service, body: bytes) -> None:
    refused(service, body)


def test_thousands_of_unknown_fields_are_refused(service: Service) -> None:
    refused(service, push_with(**{f"field{n}": n for n in range(10_000)}))


# --- what is unusual, and taken -------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "payload"),
    [
        ({"payload": "aGVsbG8gd29y\nbGQ=\n"}, "aGVsbG8gd29ybGQ="),
        ({"payload": "aGVs\r\nbG8="}, "aGVsbG8="),
        ({"payload": [0, 1, 255]}, "AAH/"),
        ({"payload": []}, ""),
        ({"payload": ""}, ""),
        ({"payload": None, "schedule": None, "delay": None, "expected": None}, None),
        ({"expected": 0}, None),
        ({"delay": -5}, None),
        ({"PayLoad": "YQ==", "EXPECTED": 204}, "YQ=="),
    ],
    ids=repr,
)
def test_what_the_ancestor_takes_is_taken(
    service: Service, given: dict[str, object], payload: str | None
) -> None:
    answer = ask(service, "POST", "/", push_with(**given))
    assert (answer.status, answer.body) == (201, None)
    task = listed(service, answer.headers["poussetaches-task-id"])
    assert task["payload"] == payload
    assert task["expected"] == (given.get("EXPECTED") or 200)


@pytest.mark.parametrize(
    "body",
    [
        b'{"URL":"http://127.0.0.1:9/task"}',
        b' \n\t{ "url" : "http:\\/\\/127.0.0.1:9/ta\\u0073k" }\r\n ',
        b'{"url":"http://first/","url":"http://127.0.0.1:9/task"}',
    ],
    ids=["upper case", "white space and escapes", "the last of two"],
)
def test_the_same_json_in_other_words_is_the_same_push(
    service: Service, body: bytes
) -> None:
    answer = ask(service, "POST", "/", body)
    assert answer.status == 201
    assert listed(service, answer.headers["poussetaches-task-id"])["url"] == TARGET


def listed(service: Service, id: str) -> dict[str, Any]:
    tasks = ask(service, "GET", "/waiting").body["tasks"]
    found: dict[str, Any] = next(task for task in tasks if task["id"] == id)
    return found


# --- paths and methods ---------------------------------------------------------------------

#: What every path can do. HEAD goes where GET goes.
PATHS = {
    "/": {"GET", "POST"},
    "/waiting": {"GET"},
    "/success": {"GET"},
    "/dead": {"GET"},
    "/cron": {"GET", "DELETE"},
    "/pause": {"POST"},
    "/resume": {"POST"},
    "/stats": {"GET"},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(
    service: Service, path: str, method: str
) -> None:
    if method in PATHS[path]:
        pytest.skip("it does")
    before = ask(service, "GET", "/").body
    answer = ask(service, method, path, push_with())
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    allowed = set(answer.headers["allow"].replace(" ", "").split(","))
    assert allowed - {"HEAD"} == PATHS[path]
    after = ask(service, "GET", "/").body
    assert (after["accepted"], after["paused"]) == (before["accepted"], before["paused"])


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
        "/WAITING",
    ],
    ids=lambda path: path[:20],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found_and_takes_no_task(
    service: Service, path: str, method: str
) -> None:
    before = ask(service, "GET", "/").body["accepted"]
    answer = ask(service, method, path, push_with())
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert ask(service, "GET", "/").body["accepted"] == before


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1001",
                                   "limit=1e3", "limit=%00", "limit=٣"])
def test_a_bad_limit_is_refused(service: Service, query: str) -> None:
    answer = ask(service, "GET", f"/waiting?{query}")
    assert (answer.status, answer.error["field"]) == (400, "limit")


@pytest.mark.parametrize("cursor", ["x", "1", "1,2,3", "nan,1", "inf,x", "1,1e5", ",", "%FF"])
def test_a_bad_cursor_is_refused(service: Service, cursor: str) -> None:
    answer = ask(service, "GET", f"/waiting?cursor={cursor}")
    assert (answer.status, answer.error["field"]) == (400, "cursor")


# --- size and time ---------------------------------------------------------------------------


class Raw:
    """A connection on which anything can be sent."""

    def __init__(self, service: Service) -> None:
        self._sock = socket.create_connection(("127.0.0.1", service.port), 10)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._sock.close()

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def send_regardless(self, data: bytes) -> None:
        """As a client that sends all of its request before it looks for an answer."""
        try:
            self._sock.sendall(data)
        except ConnectionError:
            pass

    def answer(self) -> Answer:
        """The last one: the connection is closed after it."""
        with self._sock.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
        return answer_from(head, body)


HEAD = b"POST / HTTP/1.1\r\nHost: t\r\n"


def test_a_body_of_the_largest_size_is_taken(service: Service) -> None:
    push = push_with(payload="AAAA")
    body = push + b" " * (MAX_BODY - len(push))
    assert ask(service, "POST", "/", body).status == 201
    with Raw(service) as raw:
        raw.send(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        raw.send(body)
        assert raw.answer().status == 201


@pytest.mark.parametrize("length", [b"%d" % (MAX_BODY + 1), b"9" * 18, b"9" * 5000])
def test_a_body_that_says_it_is_too_large_is_refused_unread(
    service: Service, length: bytes
) -> None:
    with Raw(service) as raw:
        raw.send(HEAD + b"Content-Length: %b\r\n\r\n" % length)
        answer = raw.answer()
    assert (answer.status, answer.error["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_a_large_body_regardless_gets_the_answer(
    service: Service, chunked: bool
) -> None:
    body = b"x" * (8 * 1024 * 1024)
    framing = b"Content-Length: %d\r\n\r\n" % len(body)
    if chunked:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        framing = b"Transfer-Encoding: chunked\r\n\r\n"
    with Raw(service) as raw:
        raw.send(HEAD + framing)
        raw.send_regardless(body)
        answer = raw.answer()
    assert (answer.status, answer.error["code"]) == (413, "too_large")


@pytest.mark.parametrize("sent", [b"", b'{"url":"'])
def test_a_body_that_does_not_come_is_not_waited_for(
    service: Service, sent: bytes
) -> None:
    with Raw(service) as raw:
        raw.send(HEAD + b"Content-Length: 100\r\n\r\n" + sent)
        answer = raw.answer()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_headers_that_do_not_come_are_not_waited_for(service: Service) -> None:
    with Raw(service) as raw:
        raw.send(HEAD)
        answer = raw.answer()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_a_request_that_drips_is_not_waited_for(service: Service) -> None:
    """What counts is the time since its beginning, however much comes."""
    over = threading.Event()
    with Raw(service) as raw:
        raw.send(HEAD + b"Content-Length: 1000\r\n\r\n")

        def drip() -> None:
            while not over.wait(0.05):
                raw.send_regardless(b" ")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = raw.answer()
        over.set()
        dripping.join()
    assert (answer.status, answer.error["code"]) == (408, "too_slow")


def test_others_are_served_while_many_wait(service: Service) -> None:
    waiting = [Raw(service) for _ in range(200)]
    for raw in waiting:
        raw.send(HEAD + b"Content-Length: 100\r\n\r\n")
    assert ask(service, "POST", "/", push_with()).status == 201
    for raw in waiting:
        assert raw.answer().status == 408
        raw.__exit__()
