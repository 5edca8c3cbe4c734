"""Whatever two workers report, in whatever order and however often: each task ends
once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from poussetaches.channel.messages import Ended, seal
from poussetaches.model.backoff import Backoff
from poussetaches.model.decisions import Policy
from poussetaches.model.events import Died, Event, Leased, Succeeded
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Submission, Terms
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.keeper import Keeper
from tests.supervisor.test_dispatch import Workers, leases
from tests.support.queues import NOW
from tests.support.scale import times

POLICY = Policy(Backoff((1.0, 10.0), jitter=0.3), Rules("UTC"), seal)
SLOTS = 2


class Timeline:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> float:
        return self.moment


class Records:
    """A store that counts, of every attempt and every task, beginnings and ends."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, int]] = Counter()
        self.ends: Counter[str] = Counter()

    def append(
        self, events: list[Event], *, spare: int = 0, lazily: bool = False
    ) -> None:
        for event in events:
            if isinstance(event, Leased):
                self.attempts[event.id, event.attempt] += 1
            elif isinstance(event, (Succeeded, Died)):
                self.ends[event.id] += 1


class Scene:
    """A queue, two workers, and those that were workers before."""

    def __init__(self) -> None:
        self.queue = TaskQueue()
        self.records = Records()
        self.clock = Timeline()
        store: Any = self.records
        clock: Any = self.clock
        self.keeper = Keeper(self.queue, store, clock, POLICY, slots=4, end_room=0)
        # So that what hypothesis has found it finds again.
        self.keeper._random.seed(0)
        self.workers = Workers(SLOTS, SLOTS)
        children: Any = self.workers
        self.dispatch = Dispatch(self.keeper, children, timeout=60.0)
        self.gone: list[Child] = []
        self.pushed = 0

    def push(self, max_retries: int | None) -> None:
        self.pushed += 1
        terms = Terms(max_retries)
        self.keeper.push(Submission(f"t-{self.pushed}", b"spec", terms=terms))

    def wait(self, seconds: float) -> None:
        self.clock.moment += seconds
        self.dispatch.lease(0.0)

    def report(self, which: int, lease: int, ok: bool) -> None:
        """One of the workers, present or gone, says how a lease ended: its own, another
        one's, one that has ended, or one that never was."""
        everybody = [*self.workers.all, *self.gone]
        worker = everybody[which % len(everybody)]
        status = 200 if ok else 500
        self.dispatch.ended(worker, Ended(lease, ok, status, b"", 0.1))

    def report_own(self, which: int, pick: int, ok: bool, repeat: int) -> None:
        """It says so of one that it was given, more or less often."""
        everybody = [*self.workers.all, *self.gone]
        index = which % len(everybody)
        given = leases(everybody[index])
        for _ in range(repeat if given else 0):
            self.report(index, given[pick % len(given)].lease, ok)

    def replace(self, which: int, is_stopped: bool) -> None:
        """A worker ends, and another one takes its place."""
        worker = self.workers.all[which]
        if is_stopped:
            self.dispatch.hand_back(worker)
        else:
            self.dispatch.lose(worker, "it is gone")
        self.gone.append(worker)
        self.workers.all[which] = Workers(SLOTS).all[0]

    def check(self) -> None:
        queue, counts = self.queue, self.queue.counts
        assert queue.difference() == 0
        held = [hold for worker in self.workers for hold in worker.holds.values()]
        assert all(hold.is_valid() for hold in held)
        assert sorted(hold.task.id for hold in held) == sorted(queue.leased)
        assert all(len(worker.holds) <= SLOTS for worker in self.workers)
        assert set(self.records.attempts.values()) <= {1}
        assert set(self.records.ends.values()) <= {1}
        assert counts.accepted == self.pushed
        assert counts.succeeded + counts.dead == len(self.records.ends)
        dispatch = self.dispatch
        ended = dispatch.succeeded + dispatch.failed + dispatch.lost
        assert ended + len(held) == len(self.records.attempts)

    def finish(self) -> None:
        """Let everything that is left come to its end."""
        while self.queue.tasks:
            self.wait(1000.0)
            for index, worker in enumerate(self.workers.all):
                for lease in list(worker.holds):
                    self.report(index, lease, ok=True)
            self.check()


WORKER = st.integers(0, 1)
ANYBODY = st.integers(0, 20)
ACTIONS = st.one_of(
    st.tuples(st.just("push"), st.sampled_from([None, 0, 1])),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.0, 1.0, 20.0])),
    st.tuples(
        st.just("report_own"),
        WORKER | ANYBODY,
        st.integers(0, 99),
        st.booleans(),
        st.integers(1, 3),
    ),
    st.tuples(st.just("report"), ANYBODY, st.integers(0, 30), st.booleans()),
    st.tuples(st.just("replace"), WORKER, st.booleans()),
)


@settings(max_examples=times(200, 10_000))
@given(actions=st.lists(ACTIONS, min_size=10, max_size=80))
def test_each_task_ends_once_whatever_workers_report(
    actions: list[tuple[Any, ...]],
) -> None:
    scene = Scene()
    for name, *arguments in actions:
        getattr(scene, name)(*arguments)
        scene.check()
    scene.finish()
    assert scene.records.ends == Counter(f"t-{n + 1}" for n in range(scene.pushed))
