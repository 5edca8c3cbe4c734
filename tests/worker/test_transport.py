"""One HTTP exchange, against targets that behave in every way a target may.

The transport runs in this thread, under gevent; the targets are threads.
"""

from __future__ import annotations

import gzip
import os
import resource
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext

from poussetaches.errors import InvalidInput
from poussetaches.model.target import parse_target
from poussetaches.worker.connections import Connection
from poussetaches.worker.dialer import Address
from poussetaches.worker.transport import Answer, Transport, TransportError
from tests.support.target import (
    CERTIFICATE,
    Peer,
    Script,
    ScriptedTarget,
    answering,
    sending,
)

MAX_RESPONSE = 20_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(max_response=MAX_RESPONSE)
    yield transport
    transport.close()


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """gevent resolves names in threads, which it would keep."""
    yield
    gevent.get_hub().threadpool.kill()


def push(
    transport: Transport,
    target: ScriptedTarget | str,
    body: bytes = b"{}",
    *,
    method: str = "POST",
    headers: list[tuple[str, str]] | None = None,
    timeout: float = 20.0,
) -> Answer:
    url = target if isinstance(target, str) else target.url("/task")
    return transport.request(
        parse_target(url), method, headers or [], body, timeout=timeout
    )


def failure(
    transport: Transport, target: ScriptedTarget | str, body: bytes = b"{}", **kw: Any
) -> TransportError:
    with pytest.raises(TransportError) as caught:
        push(transport, target, body, **kw)
    return caught.value


def wait_until(condition: Callable[[], Any], deadline: float = 10.0) -> None:
    """Let gevent run until *condition* holds."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        gevent.sleep(0.002)


def is_closed(target: ScriptedTarget, number: int) -> bool:
    """Whether the target closed its connection *number*, from 0."""
    return len(target.peers) > number and target.peers[number].is_over.is_set()


def has_accepted(target: ScriptedTarget, count: int) -> bool:
    return len(target.peers) >= count


def has_sent(peer: Peer, count: int) -> bool:
    return peer.sent == count


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def trusting() -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    return context


# What is sent, and what comes back.


def test_a_request_arrives_as_it_was_asked_for(transport: Transport) -> None:
    with ScriptedTarget(
        answering(201, b"done", [("X-A", "1"), ("x-a", "2")])
    ) as target:
        answer = push(
            transport, target, b'{"a": 1}', headers=[("Content-Type", "text/x")]
        )
    assert answer.status == 201
    assert answer.body == b"done"
    assert not answer.truncated
    assert answer.header("X-A") == "1, 2"
    assert answer.header("Content-Length") == "4"
    assert answer.header("Retry-After") is None
    (request,) = target.requests
    assert request.method == "POST"
    assert request.path == "/task"
    assert request.body == b'{"a": 1}'
    assert request.headers == {
        "host": f"127.0.0.1:{target.port}",
        "content-length": "8",
        "content-type": "text/x",
    }


def test_head_and_small_body_leave_in_one_segment(transport: Transport) -> None:
    seen = []

    def script(peer: Peer) -> None:
        seen.append(peer.sock.recv(262144))
        peer.send(OK)

    with ScriptedTarget(script) as target:
        push(transport, target, b"x" * 500)
    assert seen[0].endswith(b"\r\n\r\n" + b"x" * 500)


@pytest.mark.parametrize("size", [0, 65535, 65536, 65537, 5_000_000])
def test_a_body_of_any_size_arrives_whole(transport: Transport, size: int) -> None:
    body = os.urandom(size)
    with ScriptedTarget(answering()) as target:
        for _ in range(2):
            assert push(transport, target, body).status == 200
    assert [request.body == body for request in target.requests] == [True, True]
    assert len(target.peers) == 1


def test_what_cannot_be_sent_is_refused_before_anything_is(
    transport: Transport,
) -> None:
    with ScriptedTarget(answering()) as target:
        with pytest.raises(InvalidInput):
            push(transport, target, headers=[("X-A", "1\r\nX-B: 2")])
        with pytest.raises(InvalidInput):
            push(transport, target, method="CONNECT")
    assert target.peers == []


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
            b"abc",
        ),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)
def test_each_framing_of_a_body_is_understood(
    transport: Transport, sent: bytes, body: bytes
) -> None:
    with ScriptedTarget(sending(b"HTTP/1.1 200 OK\r\n" + sent)) as target:
        assert push(transport, target).body == body
        assert push(transport, target).body == body
    assert len(target.peers) == 1


def test_trailers_are_no_headers(transport: Transport) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with ScriptedTarget(sending(chunked + b"0\r\nRetry-After: 9\r\n\r\n")) as target:
        assert push(transport, target).header("Retry-After") is None


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_a_body_without_a_length_ends_with_the_connection(
    transport: Transport, head: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head + b"part one, ")
        peer.pause(0.02)
        peer.send(b"part two")

    with ScriptedTarget(script) as target:
        for _ in range(2):
            assert push(transport, target).body == b"part one, part two"
    assert len(target.peers) == 2


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("POST", 204, None), ("POST", 304, 5), ("HEAD", 200, 5), ("HEAD", 404, None)],
)
def test_an_answer_without_a_body_needs_no_end(
    transport: Transport, method: str, status: int, length: int | None
) -> None:
    head = f"HTTP/1.1 {status} X\r\n"
    if length is not None:
        head += f"Content-Length: {length}\r\n"
    with ScriptedTarget(sending(head.encode() + b"\r\n")) as target:
        for _ in range(2):
            answer = push(transport, target, b"", method=method, timeout=2.0)
            assert (answer.status, answer.body) == (status, b"")


def test_interim_answers_are_skipped(transport: Transport) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 7\r\n\r\n"
    )
    with ScriptedTarget(sending(interim * 5 + OK)) as target:
        answer = push(transport, target)
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == ((b"Content-Length", b"2"),)


def test_nothing_is_inflated_nor_asked_to_be_compressed(transport: Transport) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000, 9)
    assert len(bomb) < MAX_RESPONSE
    script = answering(200, bomb, [("Content-Encoding", "gzip")])
    with ScriptedTarget(script) as target:
        assert push(transport, target).body == bomb
    assert "accept-encoding" not in target.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer(transport: Transport, status: int) -> None:
    with ScriptedTarget(answering()) as elsewhere:
        location = [("Location", elsewhere.url("/stolen"))]
        with ScriptedTarget(answering(status, b"", location)) as target:
            answer = push(transport, target, headers=[("X-Key", "secret")])
        assert answer.status == status
        assert answer.header("location") == elsewhere.url("/stolen")
    assert elsewhere.peers == []


def test_the_environment_is_not_read(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n")
    netrc.chmod(0o600)
    with ScriptedTarget(answering()) as proxy, ScriptedTarget(answering()) as target:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / ".netrc").write_bytes(netrc.read_bytes())
        assert push(transport, target).status == 200
    assert proxy.peers == []
    assert "authorization" not in target.requests[0].headers


# Time.


@pytest.mark.parametrize("when", ["in the head", "in the body", "at once"])
def test_the_deadline_covers_an_answer_that_drips(
    transport: Transport, when: str
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        if when == "in the body":
            peer.send(b"1\r\nContent-Length: 1000\r\n\r\n")
        while True:
            peer.pause(0.05)
            if when != "at once":
                peer.send(b"x")

    with ScriptedTarget(script) as target:
        start = time.monotonic()
        error = failure(transport, target, timeout=0.3)
        assert 0.29 <= time.monotonic() - start < 3
    assert error.kind == "timeout"
    assert error.message.endswith(f"127.0.0.1:{target.port} within 0.3 s")


def test_the_deadline_covers_the_resolver_which_many_wait_for_once() -> None:
    lookups = []

    def slow(host: str, port: int) -> list[Address]:
        lookups.append(host)
        gevent.sleep(0.2)
        return [(socket.AF_INET, ("127.0.0.1", port))]

    transport = Transport(max_response=MAX_RESPONSE, resolve=slow)
    with ScriptedTarget(answering()) as target:
        url = target.url(host="slow.example")
        patient = [gevent.spawn(push, transport, url) for _ in range(3)]
        gevent.sleep(0)
        assert failure(transport, url, timeout=0.05).kind == "timeout"
        assert [one.get().status for one in patient] == [200, 200, 200]
        transport.close()
    assert lookups == ["slow.example"]


def test_the_deadline_covers_a_request_nobody_reads(transport: Transport) -> None:
    body = bytes(50_000_000)
    with ScriptedTarget(Peer.wait_over, receive_buffer=4096) as target:
        before = open_files()
        for _ in range(10):
            doomed = [
                gevent.spawn(failure, transport, target, body, timeout=0.01)
                for _ in range(20)
            ]
            assert {one.get().kind for one in doomed} == {"timeout"}
        # The target's own ends are still open: it does not read.
        assert open_files() == before + len(target.peers)


# Size.


def test_a_body_is_cut_at_the_limit_and_not_downloaded(transport: Transport) -> None:
    chunk = bytes(1_000_000)

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
        for _ in range(300):
            peer.send(chunk)

    with ScriptedTarget(script) as target:
        tracemalloc.start()
        answer = push(transport, target)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (answer.status, answer.truncated) == (200, True)
        assert len(answer.body) == MAX_RESPONSE
        assert peak < 1_000_000
        # A second one gets a new connection.
        assert push(transport, target).truncated
    assert len(target.peers) == 2
    assert all(peer.sent < 50_000_000 for peer in target.peers)


@pytest.mark.parametrize(
    ("extra", "truncated", "connections"), [(0, False, 1), (1, True, 1)]
)
def test_a_body_that_ends_in_time_is_cut_and_costs_no_connection(
    transport: Transport, extra: int, truncated: bool, connections: int
) -> None:
    script = answering(500, bytes(MAX_RESPONSE + extra))
    with ScriptedTarget(script) as target:
        for _ in range(2):
            answer = push(transport, target)
            assert (answer.status, answer.truncated) == (500, truncated)
            assert len(answer.body) == MAX_RESPONSE
    assert len(target.peers) == connections


def endless(head: bytes, chunk: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)
        while peer.sent < 300_000_000:
            peer.send(chunk)

    return script


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "chunk", "reason"),
    [
        (b"HTTP/1.1 200 ", b"O" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\nX-", b"a" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 8192, "more than 200 headers"),
        (b"", b"HTTP/1.1 100 C\r\n\r\n" * 4096, "more than 10 interim answers"),
        (b"", b"HTTP/1.1 102 C\r\nA: b\r\n\r\n" * 4096, "more than 10 interim"),
        (CHUNKED + b"0\r\nX-T: ", b"a" * 65536, "65536 bytes of headers"),
        (CHUNKED + b"0\r\n", b"X-T: 1\r\n" * 8192, "more than 200 headers"),
        (CHUNKED + b"1;", b"x" * 65536, "65536 bytes of headers"),
        (b"\r\n", b"\r\n" * 32768, "65536 bytes of headers"),
    ],
)
def test_an_endless_head_is_refused_and_not_kept(
    transport: Transport, head: bytes, chunk: bytes, reason: str
) -> None:
    with ScriptedTarget(endless(head, chunk)) as target:
        tracemalloc.start()
        error = failure(transport, target)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert error.kind == "protocol"
    assert reason in error.message
    assert peak < 2_000_000
    assert target.peers[0].sent < 50_000_000


def test_a_body_that_is_mostly_framing_is_cut(transport: Transport) -> None:
    one_byte = b"1;" + b"x" * 60_000 + b"\r\na\r\n"
    with ScriptedTarget(endless(CHUNKED, one_byte)) as target:
        answer = push(transport, target)
    assert answer.truncated
    assert set(answer.body) == set(b"a")
    assert target.peers[0].sent < 50_000_000


def test_a_body_in_chunks_of_one_byte_is_read_whole(transport: Transport) -> None:
    body = CHUNKED + b"1\r\na\r\n" * MAX_RESPONSE + b"0\r\n\r\n"
    with ScriptedTarget(sending(body)) as target:
        answer = push(transport, target)
    assert (answer.body, answer.truncated) == (b"a" * MAX_RESPONSE, False)


# Answers that are none, or half of one.


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"\0\1\2\3",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 99 X\r\n\r\n",
        b"HTTP/1.1 000 X\r\n\r\n",
        b"HTTP/1.1 +200 X\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A\0: 1\r\n\r\n",
        CHUNKED + b"nonsense\r\n",
        CHUNKED + b"2\r\nabcd\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
        b"HTTP/1.0 100 Continue\r\n\r\n" + OK,
    ],
)
def test_what_is_no_http_is_a_protocol_error(
    transport: Transport, answer: bytes
) -> None:
    before = open_files()
    with ScriptedTarget(sending(answer)) as target:
        error = failure(transport, target)
    assert error.kind == "protocol"
    assert f"127.0.0.1:{target.port} did not answer in proper HTTP" in error.message
    assert open_files() == before


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf",
        CHUNKED,
        CHUNKED + b"5\r\nhalf",
        CHUNKED + b"4\r\nhalf\r\n",
        CHUNKED + b"4\r\nhalf\r\n0\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_none_whatever_its_status(
    transport: Transport, part: bytes, reset: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(part)
        if reset:
            peer.pause(0.01)
            peer.reset()

    with ScriptedTarget(script) as target:
        assert failure(transport, target).kind == "reset"
    assert len(target.requests) == 1


def test_an_answer_without_a_length_that_is_reset_is_none(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        peer.pause(0.01)
        peer.reset()

    with ScriptedTarget(script) as target:
        assert failure(transport, target).kind == "reset"


def test_the_sentence_says_how_far_the_answer_came(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        if len(target.requests) > 1:
            peer.send(b"HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nhalf")

    with ScriptedTarget(script) as target:
        who = f"127.0.0.1:{target.port}"
        assert failure(transport, target).message == (
            f"{who} closed the connection without an answer"
        )
        assert failure(transport, target).message == (
            f"{who} closed the connection after status 500"
            " but before the end of its answer"
        )


# Connections that are used again.


def test_connections_are_used_again_the_last_one_first(transport: Transport) -> None:
    with ScriptedTarget(answering()) as target:
        gevent.joinall(
            [gevent.spawn(push, transport, target) for _ in range(5)], raise_error=True
        )
        opened = len(target.peers)
        for _ in range(20):
            push(transport, target)
        assert len(target.peers) == opened <= 5
    assert len(target.requests) == 25


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_a_target_says_whether_its_connection_is_kept(
    transport: Transport, head: bytes, kept: bool
) -> None:
    with ScriptedTarget(sending(head + b"Content-Length: 2\r\n\r\nok")) as target:
        for _ in range(3):
            assert push(transport, target).body == b"ok"
        assert len(target.peers) == (1 if kept else 3)


def test_a_connection_the_target_closed_costs_no_attempt(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer(200)

    with ScriptedTarget(script) as target:
        for number in range(300):
            assert push(transport, target).status == 200
            wait_until(partial(is_closed, target, number))
        assert len(target.peers) == len(target.requests) == 300


@pytest.mark.parametrize(
    "stray", [OK, b"x", b"HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n"]
)
@pytest.mark.parametrize("at_once", [True, False])
def test_stray_bytes_after_an_answer_cost_the_connection_only(
    transport: Transport, stray: bytes, at_once: bool
) -> None:
    def script(peer: Peer) -> None:
        while peer.read_request():
            if at_once:
                peer.send(OK + stray)
            else:
                peer.send(OK)
                peer.send(stray)

    with ScriptedTarget(script) as target:
        for number in range(5):
            assert push(transport, target) == Answer(
                200, ((b"Content-Length", b"2"),), b"ok", False
            )
            wait_until(partial(has_sent, target.peers[number], len(OK + stray)))
        assert len(target.peers) == 5


def test_a_request_that_was_sent_is_never_sent_again(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()

    with ScriptedTarget(script) as target:
        assert push(transport, target).status == 200
        assert failure(transport, target).kind == "reset"
        assert len(target.requests) == 2
        assert len(target.peers) == 1


def test_a_request_of_which_nothing_was_sent_goes_to_a_new_connection(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedTarget(answering()) as target:
        push(transport, target)
        connection = transport._idle.take(parse_target(target.url()).origin)
        assert connection is not None
        transport._idle.give(connection)
        # What is sent from here on fails before a byte is taken; that the connection is
        # of no use any more comes out too late.
        connection.sock.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(Connection, "is_stale", lambda self: False)
        assert push(transport, target).status == 200
        assert len(target.peers) == len(target.requests) == 2


def test_idle_connections_are_closed_after_a_while_and_nothing_stirs_then() -> None:
    transport = Transport(max_response=MAX_RESPONSE, idle_timeout=0.05)
    with ScriptedTarget(answering()) as target:
        push(transport, target)
        (peer,) = target.peers
        start = time.monotonic()
        wait_until(peer.is_over.is_set)
        assert time.monotonic() - start < 5
        gevent.sleep(0.01)
        turns = gevent.get_hub().loop.iteration
        gevent.sleep(0.3)
        assert gevent.get_hub().loop.iteration - turns <= 2
        assert push(transport, target).status == 200
    transport.close()


def test_closing_the_transport_closes_what_is_idle_and_keeps_nothing_after() -> None:
    before = open_files()
    transport = Transport(max_response=MAX_RESPONSE)
    with ScriptedTarget(answering()) as target:
        push(transport, target)
        transport.close()
        assert push(transport, target).status == 200
        wait_until(lambda: open_files() == before + 1)


# Answers that come before the request is complete.


def test_an_early_answer_counts_though_the_target_closes(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(413, b"too large", [("Connection", "close")])

    body = bytes(20_000_000)
    with ScriptedTarget(script) as target:
        for _ in range(50):
            answer = push(transport, target, body)
            assert (answer.status, answer.body) == (413, b"too large")
        assert len(target.peers) == 50


def test_an_early_answer_ends_a_request_that_is_not_read(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.answer(401)
        peer.wait_over()

    with ScriptedTarget(script, receive_buffer=4096) as target:
        for _ in range(2):
            assert push(transport, target, bytes(20_000_000)).status == 401
        assert len(target.peers) == 2


def test_a_target_that_talks_before_it_listens_does_not_lock_both() -> None:
    size = 20_000_000
    transport = Transport(max_response=size)

    def script(peer: Peer) -> None:
        head = peer.read_head()
        assert head
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.send(bytes(size))
        peer.wait_closed()

    with ScriptedTarget(script) as target:
        answer = push(transport, target, bytes(size))
        assert (answer.status, len(answer.body)) == (200, size)
    transport.close()


def test_a_target_that_only_shuts_its_side_is_given_up(transport: Transport) -> None:
    def script(peer: Peer) -> None:
        peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_over()

    with ScriptedTarget(script, receive_buffer=4096) as target:
        error = failure(transport, target, bytes(20_000_000))
    assert error.kind == "reset"


# Being ended from outside.

PHASES = ["resolving", "connecting", "handshake", "sending", "answering"]


@contextmanager
def deaf_address() -> Iterator[Address]:
    """Where a connection is neither accepted nor refused: once the queue of a listener
    is full, the system ignores who else wants to connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield socket.AF_INET, listener.getsockname()


@contextmanager
def hanging(phase: str) -> Iterator[tuple[ScriptedTarget, Callable[[], Answer]]]:
    """A target, and a request to it that hangs for ever in *phase*."""

    def script(peer: Peer) -> None:
        if phase == "answering":
            peer.read_request()
        peer.wait_over()

    with ScriptedTarget(script, receive_buffer=4096) as target, deaf_address() as deaf:

        def resolver(host: str, port: int) -> list[Address]:
            if phase == "resolving":
                gevent.sleep(60)
            return [
                deaf if phase == "connecting" else (socket.AF_INET, ("127.0.0.1", port))
            ]

        transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
        url = target.url("/task", host="h.example")
        if phase == "handshake":
            url = url.replace("http:", "https:")
        body = bytes(50_000_000) if phase == "sending" else b"{}"
        yield target, partial(push, transport, url, body)
        transport.close()


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_request_leaves_nothing_behind(phase: str) -> None:
    with hanging(phase) as (target, request):
        before = open_files()
        for number in range(1, 11):
            victim = gevent.spawn(request)
            if phase in {"answering", "sending", "handshake"}:
                wait_until(partial(has_accepted, target, number))
            gevent.sleep(0.005)
            victim.kill()
            assert isinstance(victim.value, gevent.GreenletExit)
        wait_until(lambda: open_files() == before + len(target.peers))


@pytest.mark.parametrize("phase", PHASES)
def test_a_timeout_of_somebody_else_passes_unharmed(phase: str) -> None:
    with hanging(phase) as (target, request):
        before = open_files()
        theirs = gevent.Timeout(0.05)
        with pytest.raises(gevent.Timeout) as caught, theirs:
            request()
        assert caught.value is theirs
        wait_until(lambda: open_files() == before + len(target.peers))


def test_requests_killed_while_sending_lose_no_descriptor(transport: Transport) -> None:
    body = bytes(50_000_000)
    with ScriptedTarget(Peer.wait_over, receive_buffer=4096) as target:
        before = open_files()
        for number in range(20, 201, 20):
            victims = [gevent.spawn(push, transport, target, body) for _ in range(20)]
            wait_until(partial(has_accepted, target, number))
            gevent.killall(victims)
        assert open_files() == before + len(target.peers)


# Getting there.


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_refused_connection_names_the_address(transport: Transport) -> None:
    port = refused_port()
    error = failure(transport, f"http://127.0.0.1:{port}/")
    assert error.kind == "connect"
    assert error.message == f"connection refused by 127.0.0.1:{port}"


def test_each_address_of_a_host_is_tried_in_turn() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        return [
            (socket.AF_INET6, ("::1", port, 0, 0)),
            (socket.AF_INET, ("127.0.0.2", port)),
            (socket.AF_INET, ("127.0.0.1", port)),
        ]

    transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
    before = open_files()
    with ScriptedTarget(answering()) as target:
        assert push(transport, target.url(host="many.example")).status == 200
    port = refused_port()
    error = failure(transport, f"http://many.example:{port}/")
    assert error.kind == "connect"
    assert error.message.endswith(
        f"; connection refused by 127.0.0.2:{port}"
        f"; connection refused by 127.0.0.1:{port}"
    )
    transport.close()
    assert open_files() == before


def test_a_dead_address_leaves_time_for_the_next() -> None:
    with deaf_address() as deaf, ScriptedTarget(answering()) as target:

        def resolver(host: str, port: int) -> list[Address]:
            return [deaf, (socket.AF_INET, ("127.0.0.1", port))]

        transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
        url = target.url(host="half.example")
        assert push(transport, url, timeout=0.5).status == 200
        url = f"http://half.example:{refused_port()}/"
        error = failure(transport, url, timeout=0.2)
        transport.close()
    assert error.kind == "connect"
    assert f"no connection to 127.0.0.1:{deaf[1][1]} within 0.1 s; " in error.message


def test_localhost_is_found_whatever_it_listens_on(transport: Transport) -> None:
    with ScriptedTarget(answering()) as target:
        assert push(transport, target.url(host="localhost")).status == 200
    assert target.requests[0].headers["host"] == f"localhost:{target.port}"


def test_ipv6_addresses_work(transport: Transport) -> None:
    try:
        target = ScriptedTarget(answering(), host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with target:
        assert push(transport, target).status == 200
    assert target.requests[0].headers["host"] == f"[::1]:{target.port}"


def test_a_name_that_does_not_resolve_is_a_dns_error() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = Transport(max_response=MAX_RESPONSE, resolve=resolver)
    for _ in range(2):
        error = failure(transport, "http://nowhere.example/")
        assert error.kind == "dns"
        assert error.message == (
            "the host nowhere.example cannot be resolved: Name or service not known"
        )


def test_a_resolver_may_forbid_where_to_connect() -> None:
    def guard(host: str, port: int) -> list[Address]:
        raise TransportError("connect", f"{host} is not among the allowed networks")

    transport = Transport(max_response=MAX_RESPONSE, resolve=guard)
    with ScriptedTarget(answering()) as target:
        error = failure(transport, target)
    assert error.message == "127.0.0.1 is not among the allowed networks"
    assert target.peers == []


def test_descriptors_above_1023_work_and_are_kept(transport: Transport) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("the limit of open files cannot be raised")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    ballast = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        with ScriptedTarget(answering()) as target:
            for _ in range(3):
                assert push(transport, target, bytes(3_000_000)).status == 200
            assert target.peers[0].sock.fileno() > 1023
            assert len(target.peers) == 1
    finally:
        for descriptor in ballast:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_running_out_of_descriptors_fails_the_request_only(
    transport: Transport,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ScriptedTarget(answering()) as target:
        gevent.sleep(0)
        ballast = [os.open("/dev/null", os.O_RDONLY)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (ballast[0] + 1, hard))
        try:
            error = failure(transport, target)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            os.close(ballast[0])
        assert error.kind == "connect"
        assert error.message.endswith("Too many open files")
        assert push(transport, target).status == 200


# TLS.


def test_https_verifies_sends_and_is_kept() -> None:
    transport = Transport(max_response=MAX_RESPONSE, ssl_context=trusting())
    body = os.urandom(3_000_000)
    with ScriptedTarget(answering(200, b"ok"), tls=True) as target:
        for host in ("localhost", "127.0.0.1"):
            for _ in range(3):
                assert push(transport, target.url(host=host), body).body == b"ok"
        assert len(target.peers) == 2
    assert {request.body == body for request in target.requests} == {True}
    transport.close()


def test_an_https_connection_the_target_closed_costs_no_attempt() -> None:
    transport = Transport(max_response=MAX_RESPONSE, ssl_context=trusting())

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()

    with ScriptedTarget(script, tls=True) as target:
        for number in range(20):
            assert push(transport, target).status == 200
            wait_until(partial(is_closed, target, number))
        assert len(target.requests) == 20
    transport.close()


def test_an_https_target_may_talk_before_it_listens() -> None:
    size = 20_000_000
    transport = Transport(max_response=size, ssl_context=trusting())

    def script(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.send(bytes(size))
        peer.wait_closed()

    with ScriptedTarget(script, tls=True) as target:
        assert len(push(transport, target, bytes(size)).body) == size
    transport.close()


def test_a_certificate_nobody_vouches_for_is_refused(transport: Transport) -> None:
    before = open_files()
    with ScriptedTarget(answering(), tls=True) as target:
        error = failure(transport, target, headers=[("X-Key", "secret")])
    assert error.kind == "tls"
    assert "self-signed certificate" in error.message
    assert target.requests == []
    assert open_files() == before


def test_a_certificate_of_somebody_else_is_refused() -> None:
    def resolver(host: str, port: int) -> list[Address]:
        return [(socket.AF_INET, ("127.0.0.1", port))]

    transport = Transport(
        max_response=MAX_RESPONSE, resolve=resolver, ssl_context=trusting()
    )
    with ScriptedTarget(answering(), tls=True) as target:
        error = failure(transport, target.url(host="other.example"))
    assert error.kind == "tls"
    assert "other.example" in error.message
    assert target.requests == []


@pytest.mark.parametrize(
    "script",
    [
        lambda peer: peer.send(b"HTTP/1.1 400 Bad\r\n\r\n"),
        lambda peer: None,
        lambda peer: peer.reset() if peer.sock.recv(1) else None,
    ],
    ids=["plain http", "closes", "resets"],
)
def test_a_target_that_does_not_speak_tls_is_a_tls_error(
    transport: Transport, script: Script
) -> None:
    with ScriptedTarget(script) as target:
        url = target.url().replace("http:", "https:")
        error = failure(transport, url)
    assert error.kind == "tls"
    assert error.message.startswith("no secure connection to 127.0.0.1:")
