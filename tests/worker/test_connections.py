"""Connections that are used again, and when they are not."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import gevent
import pytest
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext

import poussetaches.worker.connections
from poussetaches.model.target import Origin, parse_target
from poussetaches.worker.connections import Connection, IdlePool
from poussetaches.worker.transport import Answer, Transport
from tests.support.scale import times
from tests.support.target import (
    CERTIFICATE,
    Peer,
    ScriptedTarget,
    answering,
    sending,
)
from tests.worker.exchanges import (
    MAX_RESPONSE,
    OK,
    failure,
    has_sent,
    is_closed,
    open_files,
    push,
    wait_for_files,
    wait_until,
)


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

    count = times(300, 10_000)
    with ScriptedTarget(script) as target:
        for number in range(count):
            assert push(transport, target).status == 200
            wait_until(partial(is_closed, target, number))
        assert len(target.peers) == len(target.requests) == count


def test_a_target_that_closes_without_a_word_costs_no_attempt(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poussetaches.worker.connections, "PROBATION", 60.0)

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()

    count = times(300, 10_000)
    with ScriptedTarget(script) as target:
        for _ in range(count):
            assert push(transport, target).status == 200
        assert len(target.peers) == len(target.requests) == count


#: Seconds after which a target of a test closes a connection that nobody uses. On a
#: busy machine some of it goes by before either side notices anything.
PATIENCE = 0.3


def test_a_target_that_closes_when_the_next_request_is_due_costs_no_attempt(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is pushed to every five seconds and keeps connections for five."""
    monkeypatch.setattr(poussetaches.worker.connections, "PROBATION", 0.1)

    def script(peer: Peer) -> None:
        while peer.read_request():
            peer.answer()
            peer.sock.settimeout(PATIENCE)

    def visit(pauses: list[float]) -> None:
        for pause in pauses:
            gevent.sleep(pause)
            assert push(transport, target).status == 200

    visitors, rounds = 40, times(1, 50)
    with ScriptedTarget(script) as target:
        visit([0.0, 0.15])
        assert len(target.peers) == 1
        wait_until(partial(is_closed, target, 0))
        draw = random.Random(1).uniform
        near = [draw(PATIENCE - 0.001, PATIENCE + 0.001) for _ in range(4)]
        crowd = [gevent.spawn(visit, [0.0, *near] * rounds) for _ in range(visitors)]
        gevent.joinall(crowd, raise_error=True)
        assert len(target.requests) == 2 + visitors * rounds * 5


def test_connections_are_kept_once_one_has_stayed_open_for_a_while(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poussetaches.worker.connections, "PROBATION", 0.1)
    with ScriptedTarget(answering()) as target:
        while len(target.peers) == len(target.requests):
            assert push(transport, target).status == 200
        assert len(target.requests) > 1
        trusted = len(target.peers)
        for _ in range(20):
            push(transport, target)
        assert len(target.peers) == trusted


def test_a_target_that_broke_off_has_to_show_again_that_it_keeps_connections(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) and request.body != b"die":
            peer.answer()

    with ScriptedTarget(script) as target:
        for _ in range(3):
            push(transport, target)
        assert len(target.peers) == 1
        assert failure(transport, target, b"die").kind == "reset"
        monkeypatch.setattr(poussetaches.worker.connections, "PROBATION", 60.0)
        for _ in range(3):
            push(transport, target)
        assert len(target.peers) == 4


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
        wait_for_files(before + 1)


# The pool alone.


@contextmanager
def pool_of(
    count: int, *, max_idle: int
) -> Iterator[tuple[IdlePool, list[Connection]]]:
    """A pool, and connections to give to it, each to an origin of its own."""
    pool = IdlePool(idle_timeout=10.0, max_idle=max_idle)
    with ExitStack() as stack:
        connections = []
        for port in range(1, count + 1):
            ours, theirs = gevent.socket.socketpair()
            stack.enter_context(theirs)
            connections.append(Connection(ours, ("http", "h", port)))
        yield pool, connections
        pool.close()


def test_beyond_the_limit_the_connection_idle_longest_is_closed() -> None:
    with pool_of(4, max_idle=2) as (pool, connections):
        for connection in connections:
            pool.give(connection)
        assert len(pool) == 2
        assert [one.sock.fileno() == -1 for one in connections[:2]] == [True, True]
        assert pool.take(("http", "h", 1)) is None
        for connection in connections[2:]:
            assert pool.take(connection.origin) is connection
            connection.close()
        assert len(pool) == 0


def test_the_last_connection_given_is_the_first_taken() -> None:
    origin = ("http", "h", 80)
    with pool_of(3, max_idle=9) as (pool, connections):
        for connection in connections:
            connection.origin = origin
        pool.give(connections[0])
        assert pool.take(origin) is connections[0]
        for connection in connections:
            pool.give(connection)
        for connection in reversed(connections):
            assert pool.take(origin) is connection
            connection.close()
        assert pool.take(origin) is None


def test_a_connection_is_never_lent_to_another_origin() -> None:
    with pool_of(1, max_idle=9) as (pool, (connection,)):
        pool.give(connection)
        for origin in (("https", "h", 1), ("http", "i", 1), ("http", "h", 2)):
            assert pool.take(origin) is None
        assert len(pool) == 1


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The one of the pool."""
    clock = Clock()
    monkeypatch.setattr(poussetaches.worker.connections, "monotonic", clock)
    monkeypatch.setattr(poussetaches.worker.connections, "PROBATION", 0.1)
    return clock


def give(pool: IdlePool, clock: Clock, *connections: Connection) -> Origin:
    """As those of one origin, which has proven that it keeps connections."""
    origin = ("http", "h", 80)
    for connection in connections:
        connection.origin = origin
    pool.give(connections[0])
    clock.now += 0.1
    assert pool.take(origin) is connections[0]
    for connection in connections:
        pool.give(connection)
    return origin


def test_a_connection_that_was_closed_is_passed_over(clock: Clock) -> None:
    with pool_of(2, max_idle=9) as (pool, (alive, closed)):
        origin = give(pool, clock, alive, closed)
        # So soon, that is the end of one connection and no limit of its origin's.
        clock.now += 0.09
        closed.sock.shutdown(socket.SHUT_RDWR)
        assert pool.take(origin) is alive
        alive.close()
        assert closed.sock.fileno() == -1


@pytest.mark.parametrize("how", ["found closed", "lost a request"])
def test_no_connection_rests_nearly_as_long_as_one_that_ended_by_it(
    clock: Clock, how: str
) -> None:
    with pool_of(3, max_idle=9) as (pool, (older, ended, fresh)):
        origin = give(pool, clock, older, ended)
        clock.now += 4.0
        if how == "found closed":
            ended.sock.shutdown(socket.SHUT_RDWR)
            assert pool.take(origin) is None
            assert [older.sock.fileno(), ended.sock.fileno(), len(pool)] == [-1, -1, 0]
        else:
            assert pool.take(origin) is ended
            pool.distrust(ended)
            ended.close()
            assert pool.take(origin) is None
        fresh.origin = origin
        pool.give(fresh)
        clock.now += 1.9
        assert pool.take(origin) is fresh
        pool.give(fresh)
        clock.now += 2.1
        assert pool.take(origin) is None
        assert fresh.sock.fileno() == -1


def test_each_connection_is_dropped_in_its_own_time() -> None:
    with pool_of(2, max_idle=9) as (_, connections):
        pool = IdlePool(idle_timeout=0.1, max_idle=9)
        for connection in connections:
            pool.give(connection)
            gevent.sleep(0.05)
        first, second = connections
        wait_until(lambda: first.sock.fileno() == -1)
        assert len(pool) == 1
        wait_until(lambda: second.sock.fileno() == -1)
        assert len(pool) == 0
        pool.close()


def test_a_tls_connection_that_fails_while_sending_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CERTIFICATE)
    transport = Transport(max_response=MAX_RESPONSE, ssl_context=context)
    with ScriptedTarget(answering(), tls=True) as target:
        push(transport, target)
        connection = transport._idle.take(parse_target(target.url()).origin)
        assert connection is not None
        transport._idle.give(connection)
        with socket.socket(fileno=os.dup(connection.sock.fileno())) as same:
            same.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(Connection, "is_stale", lambda self: False)
        assert failure(transport, target).kind in {"tls", "reset"}
        assert len(target.requests) == 1
    transport.close()
