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

import json
import threading
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tests.support.connection import Connection
from tests.support.receiver import Arrival
from tests.support.service import Service, wait_until

#: A client that cannot connect tries again after so many seconds.
RECONNECT = 0.01
#: What a worker had sent when it was killed may take so long to be read, seconds.
LATE = 0.5
#: An answer has surely become a record so many seconds after it was sent, however slow
#: the disk, if nothing keeps the service from it.
RECORDED = 1.0
#: Of so many tasks one is of a special kind, if there are such.
SPECIAL = 10


class Interruption(NamedTuple):
    """A time in which attempts that were under way may have been cut off; monotonic
    seconds."""

    began: float
    ended: float


class Load:
    """Pushes ``total`` tasks (None: until stopped) to ``url`` over some connections,
    together at most ``rate`` a second. The payload of a task is its number.

    ``specials``: further fields of a push, each in turn for one task of ten.
    """

    def __init__(
        self,
        service: Service,
        url: str,
        *,
        connections: int = 8,
        total: int | None = None,
        rate: float = float("inf"),
        specials: Sequence[Mapping[str, object]] = (),
    ) -> None:
        self._port = service.port
        self._url = url
        self._total = total
        self._rate = rate
        self._specials = specials
        #: The number of every task that was answered with 201, by its id.
        self.accepted: dict[str, int] = {}
        #: Before when a task that was accepted must not arrive; monotonic seconds. Only
        #: of those with a countdown.
        self.due: dict[str, float] = {}
        #: The number of every push that was not answered, or with 503.
        self.unanswered: list[int] = []
        #: How many were answered with 503, by the code of the error.
        self.refusals: Counter[str] = Counter()
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
                if not self._push(connection, number):
                    connection.sock.close()
                    connection = None
        except BaseException as fault:
            self.faults.append(fault)
        finally:
            if connection is not None:
                connection.sock.close()

    def _push(self, connection: Connection, number: int) -> bool:
        """Whether the connection is good for another one."""
        push: dict[str, Any] = {"url": self._url, "payload": payload_of(number)}
        if self._specials and number % SPECIAL == 0:
            push |= self._specials[number // SPECIAL % len(self._specials)]
        began = time.monotonic()
        try:
            answer = connection.ask("POST", "/", json.dumps(push).encode())
        except OSError:
            self.unanswered.append(number)
            return False
        if answer.status == 503:
            self.unanswered.append(number)
            with self._lock:
                self.refusals[answer.json["error"]["code"]] += 1
            return True
        if "countdown" in push:
            self.due[answer.task] = began + push["countdown"]
        self.accepted[answer.task] = number
        return True

    def _connect(self) -> Connection | None:
        """As soon as the service is there; None if nothing is to be pushed any more."""
        while not self._stopping.is_set():
            try:
                return Connection(self._port)
            except OSError:
                self._stopping.wait(RECONNECT)
        return None


def payload_of(number: int) -> str:
    """As it is pushed, and arrives."""
    return b64encode(b"%d" % number).decode()


class History:
    """What was accepted against what was delivered. All lists are to be empty."""

    def __init__(self, load: Load, arrivals: Sequence[Arrival]) -> None:
        self._load = load
        self._arrivals = arrivals
        self._by_task: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            self._by_task[arrival.task].append(arrival)
        #: Tasks that the target answered with success.
        self.delivered = {one.task for one in arrivals if one.status == 200}

    def lost(self, kept: Collection[str] = ()) -> list[str]:
        """Tasks that were accepted, and neither delivered nor ``kept``."""
        known = self.delivered.union(kept)
        return [task for task in self._load.accepted if task not in known]

    def strangers(self) -> list[Arrival]:
        """Arrivals of what was neither accepted nor sent without an answer."""
        known = Counter(payload_of(number) for number in self._load.unanswered)
        strange = []
        for task, arrivals in self._by_task.items():
            if task not in self._load.accepted:
                payload = arrivals[0].envelope["payload"]
                known[payload] -= 1
                if known[payload] < 0:
                    strange.append(arrivals[0])
        return strange

    def disordered(self, spared: Collection[tuple[str, int]] = ()) -> list[list[int]]:
        """The attempts of tasks whose attempt numbers do not rise. ``spared``: tasks
        and numbers of attempts that did not count, and so have that of the next."""
        found = []
        for task, arrivals in self._by_task.items():
            numbers = [one.attempt for one in arrivals]
            if any(
                a > b or (a == b and (task, a) not in spared)
                for a, b in pairwise(numbers)
            ):
                found.append(numbers)
        return found

    def early(self) -> list[Arrival]:
        """Arrivals before their time."""
        due = self._load.due
        return [one for one in self._arrivals if one.at < due.get(one.task, 0.0)]

    def repeats(self) -> int:
        """Arrivals of tasks that had succeeded once, as the target saw it."""
        successes = sum(one.status == 200 for one in self._arrivals)
        return successes - len(self.delivered)

    def superseded(self) -> set[tuple[str, int]]:
        """Task and number of every attempt, arrived or not, that another followed."""
        return {
            (task, earlier)
            for task, arrivals in self._by_task.items()
            for earlier in range(1, max(one.attempt for one in arrivals))
        }

    def unexplained(self, interruptions: Sequence[Interruption]) -> list[list[Arrival]]:
        """Tasks that were delivered again after a success although nothing can have
        kept the service from recording it."""
        found = []
        for arrivals in self._by_task.values():
            for one, following in pairwise(arrivals):
                if one.status != 200:
                    continue
                ended = one.answered_at or following.at
                if not any(
                    one.at - LATE <= cut.ended and cut.began <= ended + RECORDED
                    for cut in interruptions
                ):
                    found.append([one, following])
        return found

    def repeated_after(self, recorded: Mapping[str, float]) -> list[Arrival]:
        """Arrivals of tasks that the service had shown as succeeded before;
        ``recorded``: when it did, monotonic seconds."""
        return [
            one
            for one in self._arrivals
            if one.at - LATE > recorded.get(one.task, float("inf"))
        ]


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
