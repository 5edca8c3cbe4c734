"""The supervisor's end of a channel, over a real socket pair."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator

import pytest

from poussetaches.channel import frames, server
from poussetaches.channel.messages import (
    Heartbeat,
    Lease,
    Message,
    MessageReader,
    Ready,
    Reply,
    Stop,
    encode,
)
from poussetaches.channel.server import Peer
from poussetaches.errors import ChannelError


@pytest.fixture
def pair() -> Iterator[tuple[Peer, socket.socket]]:
    """The supervisor's end, and the bare socket of the child."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    peer = Peer(ours)
    with ours, theirs:
        yield peer, theirs


def read(sock: socket.socket, count: int) -> list[Message]:
    """The next ``count`` messages that the child gets, and no more."""
    reader = MessageReader()
    found: list[Message] = []
    while len(found) < count:
        found += reader.feed(sock.recv(100_000))
    assert len(found) == count
    return found


def test_a_peer_is_for_a_selector(pair: tuple[Peer, socket.socket]) -> None:
    peer, child = pair
    assert select.select([peer], [peer], [], 0) == ([], [peer], [])
    child.sendall(b"x")
    assert select.select([peer], [], [], 10)[0] == [peer]


def test_nothing_has_arrived(pair: tuple[Peer, socket.socket]) -> None:
    assert pair[0].receive() == []


def test_messages_arrive_as_they_become_whole(
    pair: tuple[Peer, socket.socket],
) -> None:
    peer, child = pair
    beat = Heartbeat(1, 2.0, {"connections": 3})
    stream = encode([Ready(4), beat]) + encode([Ready(5)])
    child.sendall(stream[:-1])
    assert peer.receive() == [Ready(4), beat]
    child.sendall(stream[-1:])
    assert peer.receive() == [Ready(5)]


def test_no_child_is_read_longer_than_its_turn(
    pair: tuple[Peer, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, child = pair
    first, second = encode([Ready(1)]), encode([Ready(2)])
    monkeypatch.setattr(server, "READ_SIZE", len(first))
    child.sendall(first + second)
    assert peer.receive() == [Ready(1)]
    assert peer.receive() == [Ready(2)]


def test_what_was_said_before_leaving_is_heard(
    pair: tuple[Peer, socket.socket],
) -> None:
    peer, child = pair
    child.sendall(encode([Ready(1)]))
    child.close()
    assert peer.receive() == [Ready(1)]
    for _ in range(2):
        with pytest.raises(ChannelError, match="closed"):
            peer.receive()


def test_what_was_said_before_leaving_is_heard_though_it_did_not_listen(
    pair: tuple[Peer, socket.socket],
) -> None:
    """It closes with our words unread, which resets the connection."""
    peer, child = pair
    peer.send(Stop())
    assert peer.flush()
    child.sendall(encode([Ready(1)]))
    child.close()
    assert peer.receive() == [Ready(1)]
    with pytest.raises(ChannelError, match="the channel"):
        while True:
            assert peer.receive() == []


def test_garbage_is_the_end_of_a_channel(pair: tuple[Peer, socket.socket]) -> None:
    peer, child = pair
    child.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ChannelError, match="too long"):
        peer.receive()


def test_what_is_sent_travels_with_the_flush_in_one_frame(
    pair: tuple[Peer, socket.socket],
) -> None:
    peer, child = pair
    peer.send(Reply(1, "a"))
    peer.send(Stop())
    child.setblocking(False)
    with pytest.raises(BlockingIOError):
        child.recv(1)
    assert peer.flush()
    assert child.recv(1000) == encode([Reply(1, "a"), Stop()])
    assert peer.flush()
    with pytest.raises(BlockingIOError):
        child.recv(1)


def test_what_does_not_fit_waits_for_room_and_comes_in_order(
    pair: tuple[Peer, socket.socket],
) -> None:
    """Nothing ever blocks, whatever a child does not read."""
    peer, child = pair
    sent: list[Message] = []
    for number in range(20):
        sent.append(Lease(number, "a", 1, os.urandom(100_000)))
        peer.send(sent[-1])
        done = peer.flush()
        assert not done or number < 5
    found: list[Message] = []
    reader = MessageReader()
    while len(found) < len(sent):
        found += reader.feed(child.recv(10_000))
        peer.flush()
    assert found == sent
    assert peer.flush()


@pytest.mark.parametrize("heard", [True, False])
def test_a_child_that_has_left_is_an_error_to_send_to(
    pair: tuple[Peer, socket.socket], heard: bool
) -> None:
    peer, child = pair
    if not heard:
        peer.send(Lease(1, "a", 1, bytes(1_000_000)))
        assert not peer.flush()
    child.close()
    peer.send(Stop())
    with pytest.raises(ChannelError, match="the channel broke"):
        peer.flush()


def test_a_message_that_is_too_long_stops_no_other(
    pair: tuple[Peer, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, child = pair
    monkeypatch.setattr(frames, "MAX_FRAME", 1000)
    peer.send(Reply(1, "a"))
    with pytest.raises(ChannelError, match="too long"):
        peer.send(Reply(2, bytes(1000)))
    peer.send(Reply(3, "c"))
    assert peer.flush()
    assert read(child, 2) == [Reply(1, "a"), Reply(3, "c")]


def test_a_closed_peer_has_hung_up(pair: tuple[Peer, socket.socket]) -> None:
    peer, child = pair
    peer.close()
    assert child.recv(1) == b""
    with pytest.raises(ChannelError):
        peer.receive()
