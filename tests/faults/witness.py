"""Somebody who looks all the time at what the service says has succeeded."""

from __future__ import annotations

import threading
import time

from tests.support.connection import ask

#: Seconds between two looks.
PAUSE = 0.3


class Witness:
    """Remembers when each task was first shown as succeeded: from then on it must not
    be delivered again, whatever befalls the service."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")
        #: By task, monotonic seconds.
        self.recorded: dict[str, float] = {}

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(PAUSE):
            try:
                answer = ask(self._port, "GET", "/success")
            except OSError:
                continue  # it is being killed just now
            if answer.status == 200:
                now = time.monotonic()
                for task in answer.json["tasks"]:
                    self.recorded.setdefault(task["id"], now)
