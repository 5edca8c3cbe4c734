"""The loop: nothing is sent before what was decided is on disk; systemd hears of it."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import Push
from poussetaches.channel.server import Peer
from poussetaches.config import Config
from poussetaches.model.endings import Outcome
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Submission
from poussetaches.store.disk import Store
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.loop import LAZINESS, NEVER, REST, Supervisor
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.reload import Reload
from poussetaches.supervisor.systemd import Keepalive
from tests.supervisor.test_keeper import POLICY
from tests.support.queues import FREE

NOTHING: Any = None


class Api:
    """The children of a supervisor: one api, of which a test holds the other end."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        #: When it was looked whether they give signs of life.
        self.looked_at: list[float] = []
        self.child = Child("api", 1, NOTHING, Peer(ours), 0.0, 0.0, ready=True)

    def __iter__(self) -> Iterator[Child]:
        return iter([self.child])

    def workers(self) -> list[Child]:
        return []

    def fill(self, now: float) -> list[Child]:
        return []

    def silent(self, now: float) -> list[Child]:
        self.looked_at.append(now)
        return []

    reap = fill

    def next_deadline(self) -> float:
        return float("inf")

    def has_arrived(self) -> bool:
        try:
            return bool(self.theirs.recv(65536))
        except BlockingIOError:
            return False


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    yield api
    api.child.peer.close()
    api.theirs.close()


@pytest.fixture
def supervisor(tmp_path: Path, api: Api) -> Iterator[Supervisor]:
    queue = TaskQueue()
    store, _ = Store.open(str(tmp_path), "always", queue, patience=0.0)
    keeper = Keeper(queue, store, Clock(0.0), POLICY, slots=1, end_room=0)
    with socket.socket() as signals:
        children: Any = api
        any_signals: Any = signals
        queues = QueueKeeper(keeper)
        reload = Reload(Config, Config(), queues)
        supervisor = Supervisor(Config(), keeper, children, any_signals, queues, reload)
        selector = supervisor._selector
        selector.register(api.child.peer, selectors.EVENT_READ, api.child)
        yield supervisor
        selector.close()
    store.close()


def push(supervisor: Supervisor, api: Api, id: str = "a" * 32) -> None:
    supervisor._handlers.handle(api.child, Push(1, [Submission(id, b"spec")]))


def test_an_answer_is_sent_after_the_commit(supervisor: Supervisor, api: Api) -> None:
    push(supervisor, api)
    assert not api.has_arrived()
    supervisor._tick(0.0)
    assert api.has_arrived()


def test_the_end_of_an_attempt_is_on_disk_soon_though_nothing_follows(
    supervisor: Supervisor, api: Api
) -> None:
    keeper = supervisor._keeper
    push(supervisor, api)
    task = keeper.lease(FREE)
    assert task is not None
    supervisor._tick(1.0)
    assert supervisor._due_at(1.0) > 1.0 + LAZINESS
    keeper.conclude(task, Outcome(True, 200, b""))
    supervisor._tick(2.0)
    assert keeper.store.wants_sync
    assert supervisor._due_at(2.0) <= 2.0  # for the chores, which have rested for long
    supervisor._tick(2.0)
    assert supervisor._due_at(2.0) == 2.0 + LAZINESS
    supervisor._tick(2.0 + LAZINESS / 2)
    assert keeper.store.wants_sync
    supervisor._tick(2.0 + LAZINESS)
    assert not keeper.store.wants_sync
    assert supervisor._due_at(2.1) > 2.1 + LAZINESS


def test_chores_rest_while_the_loop_turns_for_tasks(
    supervisor: Supervisor, api: Api
) -> None:
    """But not for long, also if nothing follows, and not if something happened."""
    supervisor._tick(1.0)
    assert api.looked_at == [1.0]
    for number, moment in enumerate([REST / 2, REST * 0.9]):
        push(supervisor, api, f"{number:032}")
        supervisor._tick(1.0 + moment)
    assert api.looked_at == [1.0]
    assert supervisor._due_at(1.0 + REST * 0.9) == 1.0 + REST
    supervisor._tick(1.0 + REST)
    supervisor._have_chores_done()
    supervisor._tick(1.0 + REST * 1.1)
    assert api.looked_at == [1.0, 1.0 + REST, 1.0 + REST * 1.1]


def test_a_clock_that_was_set_is_followed_in_the_next_turn(
    supervisor: Supervisor,
) -> None:
    """Chores or not: what is due, or not yet, hangs on it."""
    keeper = supervisor._keeper
    supervisor._tick(1.0)
    keeper.clock._offset -= 3600.0
    supervisor._tick(1.0 + REST / 2)
    assert keeper.queue.skew == pytest.approx(3600.0, abs=1.0)


def test_a_turn_without_a_change_brings_no_chores(
    supervisor: Supervisor, api: Api
) -> None:
    """A sign of life wakes nobody up another time."""
    supervisor._tick(1.0)
    supervisor._tick(1.0 + REST / 2)
    supervisor._tick(1.0 + REST * 5)
    assert api.looked_at == [1.0]
    assert supervisor._due_at(2.0) == NEVER


@pytest.mark.parametrize("stopping", [False, True])
def test_an_answer_is_never_sent_if_the_commit_fails(
    supervisor: Supervisor, api: Api, monkeypatch: pytest.MonkeyPatch, stopping: bool
) -> None:
    """Also not when a second signal, which must be heeded at once, came with it."""
    push(supervisor, api)
    if stopping:
        supervisor._stop()

    def fail() -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(supervisor._keeper, "commit", fail)
        with pytest.raises(OSError, match="Input/output error"):
            supervisor._tick(0.0)
    assert not api.has_arrived()


def test_each_turn_may_tell_systemd_that_it_turns(
    tmp_path: Path,
    api: Api,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it sleeps no longer than until it is to tell."""
    now = time.monotonic()
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
    supervisor._keepalive = Keepalive(now)
    supervisor._tick(now)
    assert supervisor._due_at(now) == now + 1.0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "systemd"))
        supervisor._tick(now + 1.0)
        assert systemd.recv(100) == b"WATCHDOG=1"
    assert supervisor._due_at(now + 1.0) == now + 2.0
