"""A request that a server which goes away has not read is told apart from one that
it was at when it ended: the first costs a task no attempt, the second does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from poussetaches.worker.transport import Transport
from tests.support.target import Peer, ScriptedTarget
from tests.worker.exchanges import failure, push


def test_a_connection_that_was_never_taken_when_the_listener_closes(
    transport: Transport,
) -> None:
    """What gunicorn's sync workers do to all that queues for them at a stop."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=8)
    host, port = listener.getsockname()
    threading.Timer(0.1, listener.close).start()
    assert failure(transport, f"http://{host}:{port}/task").kind == "unread"
    assert failure(transport, f"http://{host}:{port}/task").kind == "connect"


def test_a_connection_that_was_taken_and_closed_with_the_request_in_it(
    transport: Transport,
) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(1, socket.MSG_PEEK)

    with ScriptedTarget(script) as target:
        assert failure(transport, target).kind == "unread"


def crossing(peer: Peer) -> None:
    """It ends, and then finds a request in it that came too late to be read."""
    peer.sock.recv(1, socket.MSG_PEEK)
    peer.sock.shutdown(socket.SHUT_WR)
    time.sleep(0.03)


def in_the_midst(peer: Peer) -> None:
    """What is closed has something unread in it."""
    peer.sock.recv(1)


@pytest.mark.parametrize("end", [crossing, in_the_midst])
def test_a_kept_connection_that_ends_before_its_request_is_read(
    transport: Transport, end: Callable[[Peer], None]
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        end(peer)

    with ScriptedTarget(script) as target:
        assert push(transport, target).status == 200
        assert failure(transport, target).kind == "unread"
        assert len(target.peers) == 1


def test_a_kept_connection_of_a_process_that_died_at_its_request(
    transport: Transport,
) -> None:
    """It may have done something: what is tried again then counts."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()

    with ScriptedTarget(script) as target:
        assert push(transport, target).status == 200
        assert failure(transport, target).kind == "reset"
        assert len(target.peers) == 1


def test_a_process_that_read_all_of_a_request_and_died(transport: Transport) -> None:
    """It may have done something, and may do so each time."""

    def script(peer: Peer) -> None:
        peer.read_request()

    with ScriptedTarget(script) as target:
        assert failure(transport, target).kind == "reset"


@pytest.mark.parametrize("answer", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_has_begun_was_an_answer_to_something(
    transport: Transport, answer: bytes
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()
        peer.send(answer)

    with ScriptedTarget(script) as target:
        assert push(transport, target).status == 200
        assert failure(transport, target).kind == "reset"
