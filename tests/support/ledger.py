"""Clients that push under load and write down every answer; and the proof at the end.

    with Load(service, url, connections=8, total=10_000) as load:
        ...                                  # kill what you like
        assert load.finished_within(60)
    history = History(load, receiver.arrivals())
    assert history.lost() == []

A client whose connection ends before the answer connects again and goes on with its
next task: what it had sent may have been accepted or not. A 503 tells it no more.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.support.connection import Connection
from tests.support.receiver import Arrival
from tests.support.service import Service, wait_until

#: A client that cannot connect tries again after so many seconds.
RECONNECT = 0.01
#: What a worker had sent when it was killed may take so long to be read, seconds.
LATE = 0.5


class Load:
    """Pushes ``total`` tasks (None: until stopped) to ``url`` over some connections,
    together at most ``rate`` a second. The payload of a task is its number."""

    def __init__(
        self,
        service: Service,
        url: str,
        *,
        connections: int = 8,
        total: int | None = None,
        rate: float = float("inf"),
    ) -> None:
        self._port = service.port
        self._url = url
        self._total = total
        self._rate = rate
        #: The number of every task that was answered with 201, by its id.
        self.accepted: dict[str, int] = {}
        #: The number of every push that was not answered, or with 503.
        self.unanswered: list[int] = []
        #: What a client was told or did that must not be.
        self.faults: list[BaseException] = []
        self._next = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, name=f"client-{i}")
            for i in range(connections)
        ]

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Push nothing more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        assert not self.faults, self.faults

    def finished_within(self, seconds: float) -> bool:
        """Whether everything has been pushed by then."""
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _take_number(self) -> int | None:
        with self._lock:
            if self._stopping.is_set() or self._next == self._total:
                return None
            self._next += 1
            number = self._next
        ahead = self._began + number / self._rate - time.monotonic()
        if ahead > 0:
            self._stopping.wait(ahead)
        return number

    def _client(self) -> None:
        connection: Connection | None = None
        try:
            while (number := self._take_number()) is not None:
                if connection is None:
                    connection = self._connect()
                if connection is None:
                    return
                payload = b64encode(b"%d" % number).decode()
                body = f'{{"url":"{self._url}","payload":"{payload}"}}'.encode()
                try:
                    answer = connection.ask("POST", "/", body)
                except OSError:
                    self.unanswered.append(number)
                    connection.sock.close()
                    connection = None
                else:
                    if answer.status == 503:
                        self.unanswered.append(number)
                    else:
                        self.accepted[answer.task] = number
        except BaseException as fault:
            self.faults.append(fault)
        finally:
            if connection is not None:
                connection.sock.close()

    def _connect(self) -> Connection | None:
        """As soon as the service is there; None if nothing is to be pushed any more."""
        while not self._stopping.is_set():
            try:
                return Connection(self._port)
            except OSError:
                self._stopping.wait(RECONNECT)
        return None


class History:
    """What was accepted against what was delivered. All lists are to be empty."""

    def __init__(self, load: Load, arrivals: Sequence[Arrival]) -> None:
        self._load = load
        self._arrivals = arrivals
        self._by_task: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            self._by_task[arrival.task].append(arrival)

    def lost(self) -> list[str]:
        """Tasks that were accepted and never arrived."""
        return [task for task in self._load.accepted if task not in self._by_task]

    def strangers(self) -> list[Arrival]:
        """Arrivals of what was neither accepted nor sent without an answer."""
        known = Counter(b64encode(b"%d" % n).decode() for n in self._load.unanswered)
        strange = []
        for task, arrivals in self._by_task.items():
            payload = arrivals[0].envelope["payload"]
            if task not in self._load.accepted:
                known[payload] -= 1
                if known[payload] < 0:
                    strange.append(arrivals[0])
        return strange

    def disordered(self) -> list[list[int]]:
        """The attempts of tasks whose attempt numbers do not rise."""
        numbers = ([one.attempt for one in a] for a in self._by_task.values())
        return [n for n in numbers if any(a >= b for a, b in pairwise(n))]

    def repeats(self) -> int:
        """Arrivals of tasks that had succeeded once, as the target saw it."""
        return sum(
            sum(one.status == 200 for one in arrivals) - 1
            for arrivals in self._by_task.values()
            if any(one.status == 200 for one in arrivals)
        )

    def superseded(self) -> set[tuple[str, int]]:
        """Task and number of every attempt, arrived or not, that another followed."""
        return {
            (task, earlier)
            for task, arrivals in self._by_task.items()
            for earlier in range(1, max(one.attempt for one in arrivals))
        }

    def unexplained(self, kills: Sequence[float]) -> list[list[Arrival]]:
        """Tasks that were delivered again after a success although nothing was killed
        between that delivery and the next. ``kills``: monotonic seconds."""
        found = []
        for arrivals in self._by_task.values():
            for one, following in pairwise(arrivals):
                if not any(one.at - LATE <= kill <= following.at for kill in kills):
                    found.append([one, following])
        return found


def settled(service: Service, deadline: float = 30.0) -> dict[str, Any]:
    """The statistics, once no task waits and none is in flight."""
    last: dict[str, Any] = {}

    def idle() -> bool:
        last.update(service.get("/stats").json())
        return not last["waiting"] and not last["in_flight"]

    wait_until(idle, deadline, lambda: f"everything done, but {last}")
    return last


def adds_up(counts: Mapping[str, Any]) -> bool:
    """Whether every accepted task is somewhere, by the answer to ``GET /``."""
    states = ("waiting", "in_flight", "succeeded", "dead", "cancelled")
    total: int = sum(counts[state] for state in states)
    accepted: int = counts["accepted"]
    return total == accepted
