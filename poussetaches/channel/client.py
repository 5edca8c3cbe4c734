"""A child's end of its channel, on gevent.

Runs in every child (see ``child.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.hub import Waiter
from gevent.lock import BoundedSemaphore

from poussetaches import errors, usage
from poussetaches.channel.frames import join_frames
from poussetaches.channel.messages import (
    Call,
    CannotStart,
    Configure,
    Heartbeat,
    Message,
    MessageReader,
    Push,
    Ready,
    Reply,
    encode,
    pack,
)
from poussetaches.errors import ChannelError, PousseTachesError, Unavailable
from poussetaches.model.task import Submission

READ_SIZE = 256 * 1024
#: Heartbeats in the time after which a silent child is taken for dead.
BEATS = 4
#: How long an answer of the supervisor is waited for, seconds.
PATIENCE = 30.0
#: Bytes that may wait to be sent before nothing more is asked.
MOST_UNSENT = 64 * 1024 * 1024

#: What a Reply's error becomes again on this side, by its code. A store that cannot be
#: used answers nobody.
ERRORS: dict[str, type[PousseTachesError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, PousseTachesError)
    and not issubclass(kind, errors.StoreError)
}


class Channel:
    """The one connection of a child to its supervisor."""

    def __init__(self, fd: int) -> None:
        self._sock = socket.socket(fileno=fd)
        self._reader = MessageReader()
        self._unread: list[Message] = []
        #: Packed where they are sent: what cannot be is the trouble of who sends it.
        self._outbox: list[bytes] = []
        self._unsent = 0
        self._wake = Event()
        self._sending = BoundedSemaphore(1)
        #: Who waits for which reply, and until when (monotonic). All wait equally long,
        #: so they stand in the order of their ends.
        self._calls: dict[int, tuple[Waiter[Reply], float]] = {}
        self._run_callback = gevent.get_hub().loop.run_callback
        self._numbers = 0
        self._sweeper: gevent.Greenlet[[], None] | None = None
        #: Names the HTTP request that a call is made for; "": none.
        self.request_id: Callable[[], str] = str
        #: Whether ``serve`` has seen the end of the channel.
        self._ended = False

    # --- starting ---------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        """Wait for the settings, which come first. Raises ChannelError."""
        while not self._unread:
            self._receive()
        first = self._unread.pop(0)
        if not isinstance(first, Configure):
            raise ChannelError(f"expected the settings, got {type(first).__name__}")
        return first.settings

    def cannot_start(self, reason: str) -> None:
        """Say that this child never will work. The caller then leaves."""
        self._sock.sendall(encode([CannotStart(reason)]))

    def ready(
        self,
        slots: int,
        *,
        silence: float,
        gauges: Callable[[], dict[str, int]] = dict,
    ) -> None:
        """Say that this child works from now on, and give signs of life.

        ``slots``: attempts it can make at once. ``silence``: seconds after which the
        supervisor would take it for dead. ``gauges``: says how busy it is.
        """
        self.send(Ready(slots))
        gevent.spawn(self._write)
        gevent.spawn(self._beat, silence / BEATS, gauges)

    # --- working ----------------------------------------------------------------------

    def serve(self, handle: Callable[[Message], None]) -> None:
        """Give every message but replies to ``handle``, until the channel ends.

        Who still waits for a reply then gets Unavailable.
        """
        try:
            while True:
                messages, self._unread = self._unread, []
                for message in messages:
                    if isinstance(message, Reply):
                        self._resolve(message)
                    else:
                        handle(message)
                self._receive()
        except ChannelError:
            self._ended = True
            self._give_up(len(self._calls), _gone)

    def send(self, message: Message) -> None:
        """Have ``message`` travel with all others that are sent at this moment.

        Raises ChannelError if it is too long.
        """
        packed = pack(message)
        self._outbox.append(packed)
        self._unsent += len(packed)
        self._wake.set()

    def push(self, submissions: list[Submission]) -> list[str]:
        """Submit tasks, all or none; returns their ids, in order, when they are on
        disk. Raises as ``call``."""
        ids: list[str] = self._ask(Push(self._next_number(), submissions))
        return ids

    def call(self, verb: str, **arguments: Any) -> Any:
        """Ask the supervisor. Raises what it says, or Unavailable if it does not."""
        request = self.request_id()
        return self._ask(Call(self._next_number(), verb, arguments, request))

    def hang_up(self) -> None:
        """Send what is still to be sent, and end the channel: ``serve`` returns."""
        try:
            self._flush()
            # For us only: the supervisor sees the end when this process has ended.
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return  # it has ended already

    # --- inside -----------------------------------------------------------------------

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _ask(self, question: Push | Call) -> Any:
        if self._ended:
            raise _gone()
        if self._unsent > MOST_UNSENT:
            raise Unavailable("the supervisor is held up; nothing was asked of it")
        if self._sweeper is None:
            self._sweeper = gevent.spawn(self._sweep)
        # Not an AsyncResult, which any number of greenlets may wait for: there is one.
        waiter: Waiter[Reply] = Waiter()
        self._calls[question.number] = waiter, time.monotonic() + PATIENCE
        try:
            self.send(question)
            reply = waiter.get()
        finally:
            self._calls.pop(question.number, None)
        if reply.error is None:
            return reply.value
        code, sentence, field, retry_after = reply.error
        kind = ERRORS.get(code, PousseTachesError)
        if issubclass(kind, Unavailable):
            raise kind(sentence, retry_after=retry_after)
        raise kind(sentence, field=field)

    def _resolve(self, reply: Reply) -> None:
        call = self._calls.pop(reply.number, None)
        # Without one, the caller was killed while it waited, or has given up.
        if call is not None:
            self._run_callback(call[0].switch, reply)

    def _give_up(self, number: int, error: Callable[[], Unavailable]) -> None:
        """The ``number`` who have waited longest get an error."""
        for question in list(islice(self._calls, number)):
            waiter, _ = self._calls.pop(question)
            self._run_callback(waiter.throw, error())

    def _sweep(self) -> None:
        """Give up on answers that do not come; one timer for all of them."""
        while True:
            now = time.monotonic()
            late = sum(end <= now for _, end in self._calls.values())
            self._give_up(late, _silent)
            oldest = next(iter(self._calls.values()), None)
            gevent.sleep(PATIENCE if oldest is None else oldest[1] - now)

    def _receive(self) -> None:
        try:
            data = self._sock.recv(READ_SIZE)
        except OSError as error:
            raise ChannelError(f"the channel broke: {error}") from error
        if not data:
            raise ChannelError("the supervisor is gone")
        self._unread.extend(self._reader.feed(data))

    def _write(self) -> None:
        # Whoever sends wakes this greenlet, which runs after all greenlets that are
        # ready by then: what they say at the same moment shares a frame.
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self._flush()
            except OSError:
                return  # ``serve`` sees the end of the channel, too, and returns

    def _flush(self) -> None:
        # One at a time, or frames would be sent into each other.
        with self._sending:
            if self._outbox:
                packed, self._outbox = self._outbox, []
                self._unsent = 0
                self._sock.sendall(join_frames(packed))

    def _beat(self, interval: float, gauges: Callable[[], dict[str, int]]) -> None:
        while True:
            self.send(Heartbeat(usage.memory(), usage.cpu(), gauges()))
            gevent.sleep(interval)


def _silent() -> Unavailable:
    return Unavailable(
        f"the supervisor did not answer within {PATIENCE:g} s;"
        " what was asked of it may or may not have happened"
    )


def _gone() -> Unavailable:
    return Unavailable(
        "the supervisor is gone; what was asked of it may or may not have happened"
    )
