"""What a command that goes on for long hears: news, and that it is to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

#: What ends the command.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Item = TypeVar("Item")


class Interrupted(Exception):
    """Somebody wants the command to end.

    Raised by the inbox only, so never halfway through starting or stopping something.
    """


class Inbox(Generic[Item]):
    """Filled by threads of the command and by signal handlers."""

    def __init__(self) -> None:
        # Its put may be called in a handler that interrupts another put.
        self._queue: SimpleQueue[Item | None] = SimpleQueue()

    def put(self, item: Item) -> None:
        self._queue.put(item)

    def next(self, timeout: float) -> Item | None:
        """The next item, None if there is none within so many seconds.

        Raises Interrupted.
        """
        try:
            item = self._queue.get(timeout=timeout)
        except Empty:
            return None
        if item is None:
            raise Interrupted
        return item

    @contextmanager
    def taking_signals(self) -> Iterator[None]:
        """Within it SIGNALS arrive here, and do nothing else."""
        former = {number: signal.signal(number, self._heed) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _heed(self, number: int, frame: object) -> None:
        self._queue.put(None)
