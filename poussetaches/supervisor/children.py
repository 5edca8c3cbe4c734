"""The children: started, listened to, replaced when they end.

Forked and exec'd by ``subprocess``: a child is a fresh interpreter that has its end of
a socket pair (and the api the listening socket) and nothing else of the supervisor's.
"""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from poussetaches.channel.server import Peer
from poussetaches.errors import StartupError
from poussetaches.log import fields
from poussetaches.model.task import State, Task

log = logging.getLogger(__name__)

#: A child that lived shorter than this keeps dying, seconds.
SHORT_LIFE = 1.0
#: The pause before a child that keeps dying is replaced: doubled each time, seconds.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
#: How long a child may take to be ready, seconds: on a busy machine, many at once.
START_TIMEOUT = 60.0
#: A child started from the folder of an application must not take that application's
#: ``queue.py`` for Python's. (Python 3.10 has no such option.)
SAFE_PATH = ("-P",) if sys.version_info >= (3, 11) else ()
#: Between asking a silent child for its stacks and killing it, seconds at most.
LAST_WORDS = 1.0


@dataclass(slots=True)
class Hold:
    """A lease, as the supervisor remembers it."""

    task: Task
    attempt: int
    #: When the worker must have reported at last; monotonic seconds.
    deadline: float

    def is_valid(self) -> bool:
        """Whether the task is still at the attempt that was leased."""
        return self.task.state is State.LEASED and self.task.attempts == self.attempt


@dataclass(slots=True)
class Child:
    """One running child."""

    #: "api" or "worker"; ``python -m poussetaches.<role>``.
    role: str
    #: From 1; with the role it names the place that is filled again.
    index: int
    process: subprocess.Popen[bytes]
    peer: Peer
    #: Monotonic seconds.
    started_at: float
    last_heard: float
    ready: bool = False
    #: Why it cannot start, if it said so.
    reason: str | None = None
    #: Why it was parted with.
    fault: str = ""
    #: Attempts it can make at once.
    slots: int = 0
    #: What it holds, by the number of the lease.
    holds: dict[int, Hold] = field(default_factory=dict)
    #: When it was last found to be silent for long; monotonic seconds.
    doubted_at: float = 0.0
    #: When it was asked for its stacks because it was silent; monotonic seconds.
    warned_at: float | None = None
    #: From its last heartbeat: bytes, and seconds.
    memory: int = 0
    cpu: float = 0.0
    #: How busy it is, in numbers by name; from there, too.
    gauges: dict[str, Any] = field(default_factory=dict)
    #: Attempts it has ended, and how.
    succeeded: int = 0
    failed: int = 0
    #: Time those attempts took, seconds.
    busy: float = 0.0

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.role}-{self.index}"

    @property
    def free(self) -> int:
        """How many more attempts it can begin now."""
        return self.slots - len(self.holds)

    def is_overdue(self) -> bool:
        """Whether it has been heard after it must have reported on an attempt."""
        # The oldest lease has the earliest deadline: all may last equally long.
        oldest = islice(self.holds.values(), 1)
        return any(hold.deadline <= self.last_heard for hold in oldest)


@dataclass(slots=True)
class Place:
    """Where a child belongs; outlives the children that fill it."""

    role: str
    index: int
    #: Deaths in a row after a short life.
    short_lives: int = 0
    #: Children that filled it so far.
    started: int = 0
    #: When it is to be filled again; monotonic seconds, None while it is filled.
    due_at: float | None = 0.0

    def next_pause(self) -> float:
        """Count another short life; the seconds to wait after it."""
        self.short_lives += 1
        doublings = min(self.short_lives - 1, 10)
        return min(LONGEST_PAUSE, FIRST_PAUSE * float(2**doublings))


class Children:
    """``listener``: the socket that an api child serves."""

    def __init__(
        self, listener: socket.socket, *, workers: int, heartbeat_timeout: float
    ) -> None:
        self._listener = listener
        self._timeout = heartbeat_timeout
        self._places = [Place("api", 1)]
        self._places += [Place("worker", i + 1) for i in range(workers)]
        self._by_fd: dict[int, Child] = {}
        #: Those that were parted with, and whose process has yet to end.
        self._dying: list[Child] = []

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._by_fd.values()))

    def __len__(self) -> int:
        """How many processes there are, those that are about to end included."""
        return len(self._by_fd) + len(self._dying)

    @property
    def restarts(self) -> dict[str, int]:
        """How often a child was replaced, by role."""
        found = dict.fromkeys((place.role for place in self._places), 0)
        for place in self._places:
            found[place.role] += max(0, place.started - 1)
        return found

    def workers(self) -> list[Child]:
        """The workers that can be given tasks."""
        return [c for c in self._by_fd.values() if c.role == "worker" and c.ready]

    def complete(self) -> bool:
        """Whether every place is filled with a child that is ready."""
        ready = sum(child.ready for child in self._by_fd.values())
        return ready == len(self._places)

    # --- starting ---------------------------------------------------------------------

    def fill(self, now: float) -> list[Child]:
        """Start the children whose time has come; returns them. ``now``: monotonic.

        Raises StartupError if a child cannot be started for the first time; later on it
        is tried again, after a pause.
        """
        started = []
        for place in self._places:
            if place.due_at is None or place.due_at > now:
                continue
            try:
                child = self._start(place.role, place.index, now)
            except OSError as error:
                if not place.started:
                    raise StartupError(
                        f"{place.role}-{place.index} cannot start: {error}"
                    ) from error
                pause = place.next_pause()
                log.error("no child: %s; again in %.1f s", error, pause)
                place.due_at = now + pause
                continue
            place.due_at = None
            place.started += 1
            self._by_fd[child.peer.fileno()] = child
            started.append(child)
        return started

    def _start(self, role: str, index: int, now: float) -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            passed = [theirs.fileno()]
            if role == "api":
                passed.append(self._listener.fileno())
            arguments = [f"poussetaches.{role}", str(index), *map(str, passed)]
            try:
                process = subprocess.Popen(
                    [sys.executable, *SAFE_PATH, "-m", *arguments],
                    pass_fds=passed,
                    stdin=subprocess.DEVNULL,
                    # Ctrl-C on a terminal is for the supervisor to act on, not for
                    # them.
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return Child(role, index, process, Peer(ours), now, now)

    def close_listener(self) -> None:
        """In a process that must not hold the port."""
        self._listener.close()

    # --- ending -----------------------------------------------------------------------

    def part_with(self, child: Child) -> None:
        """Have nothing to do any more with a child that has ended or must.

        ``reap`` has it when its process has really ended: until then it may still be at
        the attempts that it holds.
        """
        del self._by_fd[child.peer.fileno()]
        child.peer.close()
        if child.process.poll() is None:
            child.process.kill()
        self._dying.append(child)

    def reap(self, now: float) -> list[Child]:
        """Those that were parted with and have ended; frees their places.

        ``now``: monotonic.
        """
        ended = [child for child in self._dying if child.process.poll() is not None]
        for child in ended:
            self._dying.remove(child)
            place = next(
                p
                for p in self._places
                if (p.role, p.index) == (child.role, child.index)
            )
            if child.ready and now - child.started_at >= SHORT_LIFE:
                place.short_lives = 0
                place.due_at = now
            else:
                place.due_at = now + place.next_pause()
        return ended

    def silent(self, now: float) -> list[Child]:
        """The children to part with because they were silent for too long.

        A child that falls silent is first made to dump its stacks into the log.
        """
        lost = []
        for child in self._by_fd.values():
            if child.is_overdue():
                # It gives signs of life, but has lost a task.
                child.fault = "an attempt never ended"
                lost.append(child)
                continue
            if now < self._next_step(child):
                continue
            if child.warned_at is not None:
                lost.append(child)
            elif child.doubted_at <= child.last_heard:
                child.doubted_at = now
            else:
                child.warned_at = now
                log.error(
                    "silent child: its stacks follow, then it is killed",
                    extra=fields(
                        child=child.name,
                        process=child.process.pid,
                        seconds=round(now - child.last_heard, 1),
                    ),
                )
                child.process.send_signal(signal.SIGABRT)
        return lost

    def _next_step(self, child: Child) -> float:
        """When a child that stays silent is doubted, then warned, then given up.

        The doubt is for the case that nobody ran, as in a frozen container: we wake up
        long after the deadline, and the child needs a moment, too, to say something.
        """
        patience = self._timeout if child.ready else max(self._timeout, START_TIMEOUT)
        moment = patience / 4
        if child.warned_at is not None:
            return child.warned_at + min(LAST_WORDS, moment)
        if child.doubted_at <= child.last_heard:
            return child.last_heard + patience - moment
        return max(child.last_heard + patience, child.doubted_at + moment)

    def next_deadline(self) -> float:
        """When ``fill`` or ``silent`` will have something to do; monotonic seconds."""
        moments = [p.due_at for p in self._places if p.due_at is not None]
        moments += [self._next_step(child) for child in self._by_fd.values()]
        return min(moments, default=float("inf"))

    def end(self) -> None:
        """End all of them and wait for it, but not for long."""
        self.kill()
        for child in [*self, *self._dying]:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(LAST_WORDS)

    def kill(self) -> None:
        """End all of them at once; their channels will end with them."""
        for child in self:
            child.process.kill()


def describe(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:  # real-time signals have numbers only
        return f"killed by signal {-returncode}"
