"""Bytes in, requests out: what is served, what is refused, however it arrives."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable

import pytest

from poussetaches.api.budget import SMALL, Budget
from poussetaches.api.environ import base_environ
from poussetaches.api.request import Limits, Phase, Request, RequestReader
from tests.api.corpus import (
    GOOD,
    LIMITS,
    PROBES,
    SECOND,
    Good,
    Probe,
    chunked,
    get,
    post,
)


def reader(limits: Limits = LIMITS) -> RequestReader:
    base = base_environ(("::1", 7991, 0, 0), ("::2", 5, 0, 0))
    return RequestReader(base, limits, Budget(limits.max_held))


def told(request: Request) -> tuple[dict[str, object], bytes, bool]:
    """A request in a form that can be compared."""
    environ = dict(request.environ)
    return environ, environ.pop("wsgi.input").read(), request.keep_alive


def outcome(pieces: Iterable[bytes]) -> tuple[list[object], str | None]:
    """The requests read from these pieces, and how it ended badly, if it did."""
    subject = reader()
    read: list[object] = []
    for piece in pieces:
        read += map(told, subject.feed(piece))
        if subject.refused is not None:
            return read, f"{subject.refused.status} {subject.refused.error}"
    return read, None


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
def test_a_good_request_is_read(good: Good) -> None:
    subject = reader()
    (request,) = subject.feed(good.request)
    environ, body, keep_alive = told(request)
    assert {key: environ[key] for key in good.environ} == good.environ
    assert body == good.body
    assert keep_alive is good.keep_alive
    assert subject.phase is Phase.IDLE
    assert not subject.expects_continue
    # Who reads the body with these would de-chunk, or switch protocols, again.
    assert not {"HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE"} & environ.keys()


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_bad_request_is_refused(probe: Probe) -> None:
    subject = reader()
    assert subject.feed(probe.request + SECOND) == []
    assert subject.refused is not None
    assert subject.refused.status.startswith(f"{probe.status} ")
    assert subject.refused.error.message.endswith(".")


@pytest.mark.parametrize(
    "data",
    [
        *[good.request + SECOND for good in GOOD.values()],
        *[SECOND + probe.request for probe in PROBES.values()],
    ],
    ids=[*GOOD, *PROBES],
)
def test_how_the_bytes_are_split_makes_no_difference(data: bytes) -> None:
    whole = outcome([data])
    # The very long ones differ only in their middle.
    cuts = [n for n in range(1, len(data)) if n < 200 or n > len(data) - 200]
    for cut in cuts:
        assert outcome([data[:cut], data[cut:]]) == whole
    assert outcome(data[n : n + 1] for n in range(len(data))) == whole


def test_a_header_with_an_underscore_never_reaches_the_application() -> None:
    """To the application it would be the one with a hyphen, which a proxy checks."""
    (request,) = reader().feed(
        post(b"X_Real: evil", b"Content_Length: 9", b"X-Real: a")
    )
    assert request.environ["HTTP_X_REAL"] == "a"
    assert "CONTENT_LENGTH" not in request.environ


def test_the_environ_names_both_ends() -> None:
    (request,) = reader().feed(get(b"GET / HTTP/1.1"))
    expected = {
        "SERVER_NAME": "::1",
        "SERVER_PORT": "7991",
        "REMOTE_ADDR": "::2",
        "REMOTE_PORT": "5",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "wsgi.url_scheme": "http",
    }
    assert {key: request.environ[key] for key in expected} == expected


def test_the_environ_over_a_unix_socket_has_a_name_and_a_port() -> None:
    environ = base_environ("/run/socket", b"")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("localhost", "80")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")


def test_requests_of_one_connection_share_nothing_that_changes() -> None:
    subject = reader()
    (first,) = subject.feed(post(b"X: a", b"Content-Length: 1", body=b"a"))
    first.environ["added"] = True
    (second,) = subject.feed(SECOND)
    assert not {"added", "HTTP_X", "CONTENT_LENGTH"} & second.environ.keys()
    assert second.environ["wsgi.input"].read() == b""


def test_the_phase_follows_the_bytes() -> None:
    subject = reader()
    phases = [subject.phase]
    for piece in (b"P", post(b"Content-Length: 2")[1:], b"a", b"b"):
        subject.feed(piece)
        phases.append(subject.phase)
    assert phases == [Phase.IDLE, Phase.HEAD, Phase.BODY, Phase.BODY, Phase.IDLE]


def test_blank_lines_begin_a_request() -> None:
    """Else they could keep a connection idle for ever."""
    subject = reader()
    subject.feed(b"\r\n")
    assert subject.phase is Phase.HEAD


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 2", b"Transfer-Encoding: chunked"]
)
def test_an_expectation_is_told_until_the_body_comes(framing: bytes) -> None:
    subject = reader()
    subject.feed(post(framing, b"Expect: 100-Continue"))
    assert subject.expects_continue
    subject.feed(b"2\r\na" if b"chunked" in framing else b"a")
    assert not subject.expects_continue


def test_an_expectation_without_a_body_asks_for_nothing() -> None:
    subject = reader()
    assert len(subject.feed(post(b"Expect: 100-continue"))) == 1
    assert not subject.expects_continue


def test_chunks_past_the_limit_are_refused_as_they_come() -> None:
    subject = reader(Limits(max_body=5))
    subject.feed(chunked(b"3\r\nabc\r\n"))
    assert subject.refused is None
    subject.feed(b"3\r\nabc")
    assert subject.refused is not None
    assert subject.refused.status == "413 Content Too Large"


def test_a_body_of_just_the_limit_is_read() -> None:
    subject = reader(Limits(max_body=5))
    assert len(subject.feed(chunked(b"5\r\nabcde\r\n0\r\n\r\n"))) == 1
    assert len(subject.feed(post(b"Content-Length: 5", body=b"abcde"))) == 1


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"GET / HTTP/1.1\r\n",
        b"GET /",
        post(b"Transfer-Encoding: chunked", body=b"1;"),
        post(b"Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\nX: "),
    ],
    ids=["value", "name", "target", "chunk extension", "trailer"],
)
def test_nothing_endless_is_hoarded(start: bytes) -> None:
    """llhttp keeps what it has of a header until all of it is there."""
    subject = reader(Limits(max_body=5, max_header_bytes=2000))
    subject.feed(start)
    fed = 0
    while subject.refused is None:
        subject.feed(b"a" * 100)
        fed += 100
        assert fed <= 2100
    assert subject.refused.status.startswith("431 ")


def test_endless_trailers_and_blank_lines_are_refused() -> None:
    for start, line in ((chunked(b"0\r\n"), b"X: y\r\n"), (b"", b"\r\n")):
        subject = reader(Limits(max_body=5, max_header_bytes=2000))
        subject.feed(start + line)
        while subject.refused is None:
            subject.feed(line * 100)
        assert subject.refused.status.startswith("431 ")


def test_a_long_body_is_no_hoard() -> None:
    subject = reader(Limits(max_body=10000, max_header_bytes=200))
    requests = subject.feed(post(b"Content-Length: 10000", body=b"a" * 9000))
    for _ in range(10):
        requests += subject.feed(b"a" * 100)
    assert subject.refused is None
    assert len(requests) == 1


def test_a_thousand_requests_in_one_piece_are_a_thousand() -> None:
    """Also those for which the parser is begun anew."""
    one = post(b"Connection: upgrade", b"Upgrade: x", b"Content-Length: 1", body=b"a")
    assert len(reader().feed(one * 1000)) == 1000


def test_what_comes_before_a_bad_request_is_served() -> None:
    subject = reader()
    assert len(subject.feed(SECOND + SECOND + b"BREW / HTTP/1.1\r\n")) == 2
    assert subject.refused is not None


def test_what_was_read_goes_with_its_reader_and_not_some_time_later() -> None:
    """It and the parser know each other, and collections are rare: megabytes of those
    who have long gone would stay in memory."""
    gc.collect()
    gc.disable()
    try:
        subject = reader()
        subject.feed(post(b"Content-Length: 900000", body=bytes(800_000)))
        kept = weakref.ref(subject)
        subject.end()
        del subject
        assert kept() is None
    finally:
        gc.enable()


def test_what_is_kept_of_a_request_that_is_not_complete_is_counted() -> None:
    subject = reader()
    subject.feed(b"POST / HTTP/1.1\r\nHost: a\r\nX: abc")
    assert subject.unfinished == 32
    (whole,) = subject.feed(b"\r\nContent-Length: 3\r\n\r\nabc")
    assert (whole.size, subject.unfinished) == (3, 0)
    subject.feed(chunked(b"5\r\nabcde\r\n3\r\nab"))
    assert subject.unfinished == 7
    subject.feed(b"c\r\n0\r\n\r\n")
    assert subject.unfinished == 0


@pytest.mark.parametrize("size", [SMALL, SMALL + 1])
def test_a_body_that_has_no_room_is_refused_with_its_head(size: int) -> None:
    budget = Budget(400_000)
    budget.held = 250_000
    base = base_environ(("::1", 7991, 0, 0), ("::2", 5, 0, 0))
    subject = RequestReader(base, LIMITS, budget)
    subject.feed(post(b"Content-Length: %d" % size))
    assert (subject.refused is None) is (size <= SMALL)
