"""What the demo hears: deliveries, and that it is to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from poussetaches.cli.demo_stories import Delivery

#: What ends the demo.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Somebody wants the demo to end.

    Raised by the inbox only, so never halfway through starting or stopping something.
    """


class Inbox:
    """Filled by the application's threads and by signal handlers."""

    def __init__(self) -> None:
        # Its put may be called in a handler that interrupts another put.
        self._queue: SimpleQueue[Delivery | None] = SimpleQueue()

    def put(self, delivery: Delivery) -> None:
        self._queue.put(delivery)

    def next(self, timeout: float) -> Delivery | None:
        """The next delivery, None if there is none within so many seconds.

        Raises Interrupted.
        """
        try:
            delivery = self._queue.get(timeout=timeout)
        except Empty:
            return None
        if delivery is None:
            raise Interrupted
        return delivery

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
