"""What the tests of the transport share: pushing in one line, and waiting under gevent.

The transport runs in the test's own thread, under gevent; the targets are threads.
"""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import gevent
import pytest

from poussetaches.model.target import parse_target
from poussetaches.worker.dialer import Address
from poussetaches.worker.transport import Answer, Transport, TransportError
from tests.support.target import Peer, ScriptedTarget

#: Bytes of a body that the transport of a test keeps.
MAX_RESPONSE = 20_000

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: The head of an answer in chunks.
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


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


def greenlets() -> int:
    """How many there are that have not ended."""
    gc.collect()
    return sum(
        isinstance(one, gevent.Greenlet) and not one.dead for one in gc.get_objects()
    )


def wait_for_files(limit: int, target: ScriptedTarget | None = None) -> None:
    """Until no more than *limit* descriptors are open, besides those of *target*'s own
    connections. (gevent closes some a moment later than it was told to.)"""
    wait_until(lambda: open_files() <= limit + (len(target.peers) if target else 0))


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
