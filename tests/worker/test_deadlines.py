"""Requests that run out of time, or are ended from outside."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import gevent
import pytest

from poussetaches.worker.dialer import Address
from poussetaches.worker.transport import Answer, Transport
from tests.support.scale import times
from tests.support.target import (
    Peer,
    ScriptedTarget,
    answering,
)
from tests.worker.exchanges import (
    MAX_RESPONSE,
    deaf_address,
    failure,
    greenlets,
    has_accepted,
    open_files,
    push,
    wait_for_files,
    wait_until,
)


@pytest.mark.parametrize("when", ["in the head", "in the body", "at once"])
def test_the_deadline_covers_an_answer_that_drips(
    transport: Transport, when: str
) -> None:
    """A byte each half second keeps every timeout of a single read from ending it."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        if when == "in the body":
            peer.send(b"1\r\nContent-Length: 1000\r\n\r\n")
        while True:
            peer.pause(0.5)
            if when != "at once":
                peer.send(b"x")

    with ScriptedTarget(script) as target:
        start = time.monotonic()
        error = failure(transport, target, timeout=0.7)
        assert 0.69 <= time.monotonic() - start < 0.7 + 0.5
    assert error.kind == "timeout"
    assert error.message.endswith(f"127.0.0.1:{target.port} within 0.7 s")


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


#: How often a request of 50 MB is cut off a hundred times.
HUNDREDS = times(1, 50)


@pytest.mark.timeout(times(120, 1200))
def test_the_deadline_covers_a_request_nobody_reads(transport: Transport) -> None:
    body = bytes(50_000_000)
    before = greenlets()
    for _ in range(HUNDREDS):
        with ScriptedTarget(Peer.wait_over, receive_buffer=4096) as target:
            files = open_files()
            for _ in range(5):
                doomed = [
                    gevent.spawn(failure, transport, target, body, timeout=0.01)
                    for _ in range(20)
                ]
                # On a busy machine some are not even connected by then.
                assert {one.get().kind for one in doomed} <= {"timeout", "connect"}
            # The target's own ends are still open: it does not read.
            wait_for_files(files, target)
    del doomed
    wait_until(lambda: greenlets() <= before)
    assert len(transport._idle) == 0


PHASES = ["resolving", "connecting", "handshake", "sending", "answering"]


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
        wait_for_files(before, target)


@pytest.mark.parametrize("phase", PHASES)
def test_a_timeout_of_somebody_else_passes_unharmed(phase: str) -> None:
    with hanging(phase) as (target, request):
        before = open_files()
        theirs = gevent.Timeout(0.05)
        with pytest.raises(gevent.Timeout) as caught, theirs:
            request()
        assert caught.value is theirs
        wait_for_files(before, target)


@pytest.mark.timeout(times(120, 1200))
def test_requests_killed_while_sending_lose_nothing(transport: Transport) -> None:
    body = bytes(50_000_000)
    before = greenlets()
    for _ in range(HUNDREDS):
        with ScriptedTarget(Peer.wait_over, receive_buffer=4096) as target:
            files = open_files()
            for number in range(20, 101, 20):
                victims = [
                    gevent.spawn(push, transport, target, body) for _ in range(20)
                ]
                wait_until(partial(has_accepted, target, number))
                gevent.killall(victims)
            wait_for_files(files, target)
    del victims
    wait_until(lambda: greenlets() <= before)
    assert len(transport._idle) == 0


def test_the_deadline_counts_from_the_request_on_in_a_busy_worker(
    transport: Transport,
) -> None:
    with ScriptedTarget(Peer.wait_over) as target:
        # Comes back straight from the loop, as an answer does.
        gevent.sleep(0.001)
        busy_until = time.monotonic() + 0.2
        while time.monotonic() < busy_until:
            # The loop, which keeps its own time, does not get to look at the clock.
            pass
        start = time.monotonic()
        assert failure(transport, target, timeout=0.15).kind == "timeout"
        assert time.monotonic() - start >= 0.149
