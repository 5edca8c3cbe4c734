"""What an application answers, in bytes; and what it may not answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from wsgiref.headers import Headers

import pytest

from poussetaches.api.answer import Answer, BadAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: 2026-01-02 03:04:05 UTC.
NOW = 1767323045.9


def app_of(
    status: str, headers: list[tuple[str, str]], parts: Iterable[bytes] = ()
) -> WSGIApplication:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, headers)
        return parts

    return app


def encoded(
    app: WSGIApplication, *, head_only: bool = False, connection: str | None = None
) -> tuple[str, Headers, bytes]:
    """The first line, headers and body that ``app`` leads to."""
    answer = Answer.of(app, {})
    data = answer.encode(NOW, head_only=head_only, connection=connection)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = Headers([(n, v) for n, _, v in (line.partition(": ") for line in lines)])
    return first, headers, body


def test_an_answer_is_framed_and_dated() -> None:
    first, headers, body = encoded(app_of("201 Created", [("X", "y")], [b"ab", b"c"]))
    assert first == "HTTP/1.1 201 Created"
    assert body == b"abc"
    assert headers.items() == [
        ("Server", "poussetaches"),
        ("Date", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("X", "y"),
        ("Content-Length", "3"),
    ]


def test_the_connections_future_is_said_when_asked() -> None:
    assert encoded(app_of("200 OK", []), connection="close")[1]["Connection"] == "close"
    assert encoded(app_of("200 OK", []))[1]["Connection"] is None


def test_a_repeated_header_stays_repeated() -> None:
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert encoded(app_of("200 OK", cookies))[1].get_all("Set-Cookie") == ["a=1", "b=2"]


def test_server_and_date_are_said_once() -> None:
    headers = encoded(app_of("200 OK", [("server", "x"), ("DATE", "never")]))[1]
    assert headers.get_all("Server") == ["poussetaches"]
    assert headers.get_all("Date") == ["Fri, 02 Jan 2026 03:04:05 GMT"]


@pytest.mark.parametrize(
    ("given", "parts", "length"),
    [
        ([], [b"abc"], "3"),
        ([("Content-Length", "3")], [b"abc"], "3"),
        ([("Content-Length", "7")], [], "7"),
        # Nobody knows what a GET would have brought.
        ([], [], None),
    ],
)
def test_the_answer_to_head_has_the_length_but_no_body(
    given: list[tuple[str, str]], parts: list[bytes], length: str | None
) -> None:
    _, headers, body = encoded(app_of("200 OK", given, parts), head_only=True)
    assert headers["Content-Length"] == length
    assert body == b""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_statuses_have_neither_body_nor_length(status: str) -> None:
    app = app_of(status, [("Content-Length", "0")], [b"lost"])
    _, headers, body = encoded(app)
    assert headers["Content-Length"] is None
    assert body == b""


def test_a_generator_may_start_the_response_late() -> None:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        yield b"b"

    assert encoded(app)[2] == b"ab"


def test_what_is_written_comes_before_what_is_returned() -> None:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        write(b"b")
        return [b"c"]

    assert encoded(app)[2] == b"abc"


def test_an_error_answer_takes_the_place_of_what_was_begun() -> None:
    def app(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("X", "y")])(b"half of")
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("503 Service Unavailable", [], sys.exc_info())
        return [b"sorry"]

    first, headers, body = encoded(app)
    assert first == "HTTP/1.1 503 Service Unavailable"
    assert headers["X"] is None
    assert body == b"sorry"


class Parts:
    """A body that wants to be closed."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"a"
        if self.fault is not None:
            raise self.fault

    def close(self) -> None:
        self.closed += 1


def test_the_body_is_closed_once() -> None:
    parts = Parts()
    assert encoded(app_of("200 OK", [], parts))[2] == b"a"
    assert parts.closed == 1


def test_the_body_is_closed_when_it_fails() -> None:
    parts = Parts(KeyError())
    with pytest.raises(KeyError):
        encoded(app_of("200 OK", [], parts))
    assert parts.closed == 1


def _twice(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def _mixed(header: object) -> Callable[..., object]:
    return app_of("200 OK", [("X", header)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "app",
    [
        lambda environ, start_response: [],
        _twice,
        app_of("OK", []),
        app_of("100 Continue", []),
        app_of("200 OK\r\nX: y", []),
        app_of("200", [("X", "a\r\nSet-Cookie: b=c")]),
        app_of("200", [("X", "a\nb")]),
        app_of("200", [("X", "a\rb")]),
        app_of("200", [("X", "a\0b")]),
        app_of("200", [("X: y\r\nZ", "a")]),
        app_of("200", [("X Y", "a")]),
        app_of("200", [("", "a")]),
        app_of("200", [("Connection", "keep-alive")]),
        app_of("200", [("Transfer-Encoding", "chunked")]),
        app_of("200", [("Content-Length", "4")], [b"abc"]),
        app_of("200", [("Content-Length", "03")], [b"abc"]),
        app_of("200", [("X", "\u20ac")]),
        _mixed(1),
        app_of("200", [], "abc"),  # type: ignore[arg-type]
        app_of("200", [], None),  # type: ignore[arg-type]
    ],
)
def test_a_bad_answer_is_refused(app: WSGIApplication) -> None:
    with pytest.raises((BadAnswer, TypeError, ValueError)):
        encoded(app)
