"""Answers that are too large, broken off, or no HTTP at all."""

from __future__ import annotations

import tracemalloc

import pytest

from poussetaches.worker.transport import Transport
from tests.support.target import (
    Peer,
    Script,
    ScriptedTarget,
    answering,
    sending,
)
from tests.worker.exchanges import (
    CHUNKED,
    MAX_RESPONSE,
    OK,
    failure,
    open_files,
    push,
    wait_for_files,
)


@pytest.mark.parametrize(
    ("head", "chunk"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", bytes(1_000_000)),
        (b"HTTP/1.1 200 OK\r\n\r\n", bytes(1_000_000)),
        (CHUNKED, b"f4240\r\n" + bytes(1_000_000) + b"\r\n"),
    ],
    ids=["1 GB", "endless", "endless chunks"],
)
def test_a_body_is_cut_at_the_limit_and_not_downloaded(
    transport: Transport, head: bytes, chunk: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(head)
        while peer.sent < 1_000_000_000:
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


@pytest.mark.parametrize(
    ("head", "chunk", "reason"),
    [
        (b"HTTP/1.1 200 ", b"O" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\nX-", b"a" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 65536, "65536 bytes of headers"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: 1\r\n" * 8192, "more than 200 headers"),
        (b"", b"HTTP/1.1 100 C\r\n\r\n" * 4096, "more than 10 interim answers"),
        (b"", b"HTTP/1.1 102 C\r\nA: b\r\n\r\n" * 4096, "more than 10 interim"),
        (b"", b"HTTP/1.1 103 H\r\nLink: </a>\r\n\r\n" * 4096, "more than 10 int"),
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
    assert error.kind == "response"
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
    assert error.kind == "response"
    assert f"127.0.0.1:{target.port} did not answer in proper HTTP" in error.message
    wait_for_files(before)


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

    kind = "reset" if part or not reset else "unread"
    with ScriptedTarget(script) as target:
        assert failure(transport, target).kind == kind
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
