"""A state machine that does to a queue whatever may be done to it, in any order.

Beside the queue goes a ``Ledger``: it knows only what the events say, keeps its own
books, and objects to every event that breaks a promise.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Concatenate, ParamSpec

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from poussetaches.channel.messages import seal
from poussetaches.errors import Conflict, IllegalEvent
from poussetaches.model import decisions, endings, recurrence, revival
from poussetaches.model.attempt import MOST_REMEMBERED, Attempt
from poussetaches.model.backoff import FOR_EVER, Backoff
from poussetaches.model.bounds import Bounds, forget, forget_at
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Died,
    Event,
    Failed,
    Forgotten,
    Leased,
    Moved,
    Paused,
    Pushed,
    Recurred,
    Resumed,
    Revived,
    Scheduled,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.keys import EndedKey
from poussetaches.model.lookup import find_runnable
from poussetaches.model.named_queue import REST
from poussetaches.model.queue import TaskQueue
from poussetaches.model.revival import find_dead
from poussetaches.model.rules import Rules
from poussetaches.model.size import ATTEMPT_SIZE, TASK_SIZE
from poussetaches.model.task import NO_ANSWER, Submission, Task, Terms
from tests.support.queues import apply, reloaded, state

P = ParamSpec("P")

RETAIN = 3
BOUNDS = Bounds(retain_dead=3, retain_dead_for=7200.0)
KEY_TTL = 3600.0
BACKOFF = Backoff((1.0, 60.0), jitter=0.3)
#: Schedules by their id.
SCHEDULES = {
    "s-seconds": "@every 10s",
    "s-hours": "@every 2h",
    "s-minutely": "* * * * *",
    "s-hourly": "@hourly",
    "s-nightly": "30 2 * * *",
}
PERIODS = {"@every 10s": 10.0, "@every 2h": 7200.0}
#: In Europe/Paris: an ordinary day, and the nights in which the clock jumps.
BEGINNINGS = (1_767_225_600.0, 1_774_744_200.0, 1_792_884_600.0)

SECONDS = st.sampled_from([0.0, 0.3, 1.0, 9.0, 60.0, 61.5, 1800.0, 3600.0, 90_000.0])
STEPS = st.sampled_from([-86_400.0, -3600.0, -7.0, -0.5, 0.5, 7.0, 3600.0, 86_400.0])
DELAYS = st.sampled_from([0.0, 0.0, 0.0, 5.0, 60.0, 86_400.0, -3600.0])
LIMITS = st.sampled_from([None, None, None, 0, 1, 4, FOR_EVER])
KEYS = st.sampled_from(["", "", "k1", "k2", "k3"])
ORIGINS = st.sampled_from(["", "", "http://a:80", "http://b:80", "http://c:80"])
#: Of all workers. With fewer, they are all taken after a few leases.
SLOTS = st.sampled_from([1, 4, 8, 8, 1000])
DRAWS = st.floats(0.0, 1.0, exclude_max=True)
ERRORS = st.sampled_from([b"", b"no", bytes(range(256))])
#: The number of the one that makes all attempts.
WORKER = 3
HANDED_BACK = b"the service stopped during the attempt"
PICKS = st.integers(0, 99)


def most_attempts(max_retries: int | None) -> float:
    """How many attempts a task with this limit may have, under BACKOFF."""
    if max_retries is None:
        return len(BACKOFF.waits) + 1
    return float("inf") if max_retries == FOR_EVER else max_retries + 1


@dataclass
class Run:
    """What the ledger knows of one live task."""

    schedule: str
    terms: Terms
    eta: float
    order: int
    slot: float
    attempts: int = 0
    #: Attempts past the last one that a stop gave it, because it had cut that one off.
    given: int = 0
    is_leased: bool = False
    pushed_at: float = 0.0
    began_at: float = 0.0
    #: What is to be remembered of its attempts.
    past: list[Attempt] = field(default_factory=list)

    @property
    def most_attempts(self) -> float:
        """How many attempts it may have."""
        return most_attempts(self.terms.max_retries) + self.given


@dataclass
class Ledger:
    """Books about the events, kept without the queue's help."""

    runs: dict[str, Run] = field(default_factory=dict)
    schedules: dict[str, Scheduled] = field(default_factory=dict)
    #: The slot that each schedule, as long as it is kept, had last.
    slots: dict[str, float] = field(default_factory=dict)
    #: The attempts that have ended, for reports that come late.
    ended: list[tuple[str, int]] = field(default_factory=list)
    #: Those to be remembered, in order of ending.
    #: What is to be remembered of the attempts of those, by id.
    pasts: dict[str, list[Attempt]] = field(default_factory=dict)
    succeeded_ids: list[str] = field(default_factory=list)
    dead_ids: list[str] = field(default_factory=list)
    accepted: int = 0
    succeeded: int = 0
    dead: int = 0
    cancelled: int = 0
    #: What those were that are dead, and are remembered.
    dead_runs: dict[str, Run] = field(default_factory=dict)
    #: What comes now was asked for, whatever there is against it.
    out_of_turn: bool = False
    paused: bool = False
    skew: float = 0.0
    #: The task of each key; and of those that have ended when, in order of ending.
    keys: dict[str, str] = field(default_factory=dict)
    ended_keys: list[EndedKey] = field(default_factory=list)
    _orders: int = 0

    def take(self, event: Event) -> None:
        """Write ``event`` down. AssertionError if it breaks a promise."""
        if isinstance(event, Pushed):
            run = self._begin(event.id, "", event.terms, event.eta, 0.0)
            run.pushed_at = event.at
            self._use_key(event)
        elif isinstance(event, Recurred):
            kept = self.schedules[event.id]
            before = self.slots.get(event.id)
            assert before is None or event.slot > before, "a slot came twice"
            self.slots[event.id] = event.slot
            run = self._begin(event.id, kept.text, kept.terms, event.eta, event.slot)
            run.pushed_at = event.at
        elif isinstance(event, Leased):
            run = self.runs[event.id]
            assert not run.is_leased, "leased twice"
            if not self.out_of_turn:
                assert not self.paused, "leased while paused"
                assert event.at >= run.eta, "leased before its time"
            assert event.attempt == run.attempts + 1
            assert event.attempt <= run.most_attempts
            run.attempts += 1
            run.is_leased = True
            run.began_at = event.at
        elif isinstance(event, Failed):
            run = self._end_attempt(event)
            if event.error == HANDED_BACK:
                assert event.eta == event.at
                run.given += event.attempt == run.most_attempts
            assert event.attempt < run.most_attempts
            run.is_leased = False
            self._turn(run, event.eta)
        elif isinstance(event, Died):
            run = self._end_attempt(event)
            assert event.attempt == run.most_attempts
            self.pasts[event.id] = run.past
            self.dead += 1
            self.dead_ids = _ended_last(self.dead_ids, event.id)
            self.dead_runs[event.id] = self._end(event)
        elif isinstance(event, Succeeded):
            self.pasts[event.id] = self._end_attempt(event).past
            self.succeeded += 1
            self.succeeded_ids = _ended_last(self.succeeded_ids, event.id)[-RETAIN:]
            self._end(event)
        elif isinstance(event, Cancelled):
            run = self._end(event)
            if run.is_leased:
                self.ended.append((event.id, run.attempts))
            self.cancelled += 1
        elif isinstance(event, Moved):
            run = self.runs[event.id]
            assert not run.is_leased
            self._turn(run, event.eta)
        elif isinstance(event, Scheduled):
            assert event.id not in self.schedules
            self.schedules[event.id] = event
            if event.id not in self.runs:
                self.slots.pop(event.id, None)
        elif isinstance(event, Unscheduled):
            del self.schedules[event.id]
        elif isinstance(event, Forgotten):
            if not self.out_of_turn:
                assert event.id == self.dead_ids[0], "forgotten before an older one"
            self.dead_ids.remove(event.id)
            del self.dead_runs[event.id]
        elif isinstance(event, Revived):
            self._revive(event)
        elif isinstance(event, (Paused, Resumed)):
            self.paused = isinstance(event, Paused)
        else:
            assert isinstance(event, ClockStepped)
            self.skew = event.skew

    def _revive(self, event: Revived) -> None:
        self.dead_ids.remove(event.id)
        run = self.dead_runs.pop(event.id)
        assert not run.schedule
        assert event.id not in self.runs
        self.dead -= 1
        key = run.terms.key
        if key and self.known(key, event.at) not in (None, event.id):
            run = replace(run, terms=run.terms._replace(key=""))
        elif key:
            self.keys[key] = event.id
            self.ended_keys = [one for one in self.ended_keys if one.key != key]
        run = replace(run, attempts=0, given=0, is_leased=False)
        self.runs[event.id] = run
        self._turn(run, event.eta)

    def turn(self, now: float, free: int) -> str | None:
        """Whose turn it is, with so many slots free."""
        due = [
            (run.eta, run.order, id)
            for id, run in self.runs.items()
            if not run.is_leased
            and run.eta <= now
            and REST * self.in_flight(run.terms.origin) < free
        ]
        return None if self.paused or not due else min(due)[2]

    def in_flight(self, origin: str) -> int:
        """How many attempts are under way to it."""
        leased = [run for run in self.runs.values() if run.is_leased]
        return sum(run.terms.origin == origin for run in leased)

    def known(self, key: str, now: float) -> str | None:
        """The task that a push with ``key`` would be taken for."""
        ended_at = {one.key: one.ended_at for one in self.ended_keys}.get(key, now)
        return self.keys.get(key) if now - ended_at <= KEY_TTL else None

    def _use_key(self, event: Pushed) -> None:
        key = event.terms.key
        if not key:
            return
        assert self.known(key, event.at) is None, "a key was used twice"
        while self.ended_keys and event.at - self.ended_keys[0].ended_at > KEY_TTL:
            del self.keys[self.ended_keys.pop(0).key]
        self.ended_keys = [one for one in self.ended_keys if one.key != key]
        self.keys[key] = event.id

    def _end(self, event: Succeeded | Died | Cancelled) -> Run:
        run = self.runs.pop(event.id)
        if run.terms.key:
            self.ended_keys.append(EndedKey(run.terms.key, event.id, event.at))
        return run

    def _begin(
        self, id: str, schedule: str, terms: Terms, eta: float, slot: float
    ) -> Run:
        assert id not in self.runs, "two live runs of one id"
        self.accepted += 1
        run = self.runs[id] = Run(schedule, terms, eta, 0, slot)
        self._turn(run, eta)
        return run

    def _turn(self, run: Run, eta: float) -> None:
        self._orders += 1
        run.eta, run.order = eta, self._orders

    def _end_attempt(self, event: Succeeded | Failed | Died) -> Run:
        run = self.runs[event.id]
        assert run.is_leased
        assert event.attempt == run.attempts
        self.ended.append((event.id, event.attempt))
        run.past.append(_attempt(run, event))
        if len(run.past) > MOST_REMEMBERED:
            del run.past[1]
        return run


def _attempt(run: Run, event: Succeeded | Failed | Died) -> Attempt:
    outcome, kind, excerpt = "succeeded", "", b""
    if not isinstance(event, Succeeded):
        kind, excerpt = event.kind, event.error[:256]
        outcome = kind if kind in ("lost", "stopped") else "failed"
        assert (outcome == "lost") == (event.error == b"gone")
        assert (outcome == "stopped") == (event.error == HANDED_BACK)
    return Attempt(
        event.attempt,
        run.eta,
        run.began_at,
        event.at,
        WORKER,
        event.status,
        outcome,
        kind,
        excerpt,
        event.request,
    )


def _ended_last(ids: list[str], id: str) -> list[str]:
    return [*(other for other in ids if other != id), id]


class QueueMachine(RuleBasedStateMachine):
    """Runs decisions and applies them, on a timeline that the rules move."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = self.new_queue()
        self.policy = Policy(BACKOFF, Rules("Europe/Paris"), seal)
        self.now = BEGINNINGS[0]
        self.ledger = Ledger()
        self.pushes = 0
        #: What has happened since ``base``.
        self.history: list[Event] = []
        #: The queue as it was loaded last.
        self.base = copy.deepcopy(self.queue)

    @staticmethod
    def new_queue() -> TaskQueue:
        return TaskQueue(retain_succeeded=RETAIN, key_ttl=KEY_TTL)

    # --- how a decision happens -------------------------------------------------------

    def decide(
        self,
        decision: Callable[Concatenate[TaskQueue, P], list[Event]],
        *arguments: P.args,
        **keywords: P.kwargs,
    ) -> list[Event]:
        """Decide, which changes nothing, and then let it happen."""
        before = state(self.queue)
        events = decision(self.queue, *arguments, **keywords)
        assert state(self.queue) == before
        self.record(events)
        return events

    def record(self, events: list[Event]) -> None:
        """Let the events of one decision happen."""
        for event in events:
            self.ledger.take(event)
        self.history.extend(events)
        apply(self.queue, events)

    def ahead(self, run: Run) -> float:
        """How far the clock that names its slots is ahead of the timeline."""
        return 0.0 if run.schedule in PERIODS else self.queue.skew

    def pick_leased(self, pick: int) -> Task:
        """One of those in flight."""
        return list(self.queue.leased.values())[pick % len(self.queue.leased)]

    # --- rules: time ------------------------------------------------------------------

    @initialize(where=st.sampled_from(BEGINNINGS))
    def begin(self, where: float) -> None:
        self.now = where

    @rule(seconds=SECONDS)
    def tick(self, seconds: float) -> None:
        self.now += seconds

    def wait_for_a_turn(self) -> None:
        coming = [run.eta for run in self.ledger.runs.values() if not run.is_leased]
        self.now = max(self.now, min(coming, default=self.now))

    @rule(seconds=STEPS)
    def step_clock(self, seconds: float) -> None:
        before = {id: run.eta for id, run in self.ledger.runs.items()}
        skew = self.queue.skew + seconds
        self.decide(recurrence.step_clock, skew, self.now, self.policy.rules)
        for id, run in self.ledger.runs.items():
            follows = run.schedule and run.schedule not in PERIODS
            moves = follows and not run.is_leased and run.attempts == 0
            assert run.eta == (run.slot - skew if moves else before[id])

    # --- rules: pushes ----------------------------------------------------------------

    @rule(delay=DELAYS, limit=LIMITS, key=KEYS, origin=ORIGINS)
    def push(
        self, delay: float, limit: int | None, key: str = "", origin: str = ""
    ) -> None:
        known = self.ledger.known(key, self.now) if key else None
        assert self.queue.keys.known(key, self.now) == known
        if known is not None:
            return
        self.pushes += 1
        terms = Terms(limit, key, origin)
        submission = Submission(f"t-{self.pushes}", b"spec", delay, terms=terms)
        events = self.decide(decisions.push, submission, self.now, self.policy)
        assert self.ledger.runs[submission.id].eta == self.now + delay
        assert len(events) == 1

    @rule(id=st.sampled_from(sorted(SCHEDULES)), delay=DELAYS, limit=LIMITS)
    def push_schedule(self, id: str, delay: float, limit: int | None) -> None:
        known, live = id in self.ledger.schedules, id in self.ledger.runs
        submission = Submission(id, b"spec", delay, SCHEDULES[id], Terms(limit))
        events = self.decide(decisions.push, submission, self.now, self.policy)
        assert len(events) == (0 if known else 1 if live else 2)
        if len(events) == 2:
            run = self.ledger.runs[id]
            assert run.eta == run.slot - self.ahead(run)
            assert run.eta > self.now + delay
        assert id in self.ledger.schedules
        assert id in self.ledger.runs

    @rule()
    @precondition(lambda self: self.ledger.schedules)
    def unschedule(self) -> None:
        self.decide(recurrence.unschedule, self.now)
        assert not self.ledger.schedules
        assert all(run.is_leased for run in self.ledger.runs.values() if run.schedule)

    @rule()
    def forget(self) -> None:
        self.decide(forget, BOUNDS, self.now)
        assert len(self.queue.dead) <= 3
        assert forget_at(self.queue, BOUNDS) > self.now

    # --- rules: attempts --------------------------------------------------------------

    def _lease(self, queue: TaskQueue, free: int) -> list[Event]:
        event = decisions.lease(queue, self.now, free, WORKER)
        return [] if event is None else [event]

    @rule(most=st.sampled_from([1, 1, 5]), slots=SLOTS)
    def lease(self, most: int, slots: int = 1000) -> None:
        for _ in range(most):
            free = slots - len(self.queue.leased)
            expected = self.ledger.turn(self.now, free)
            events = self.decide(self._lease, free)
            assert [event.id for event in events if isinstance(event, Leased)] == (
                [] if expected is None else [expected]
            )

    @rule(pick=PICKS)
    @precondition(lambda self: self.queue.waiting)
    def run_by_hand(self, pick: int) -> None:
        """Somebody wants a task to begin now, whatever keeps it."""
        waiting = [id for id, run in self.ledger.runs.items() if not run.is_leased]
        id = waiting[pick % len(waiting)]
        if self.ledger.runs[id].schedule:
            with pytest.raises(Conflict, match="schedule"):
                find_runnable(self.queue, id, self.now)
            return
        task = find_runnable(self.queue, id, self.now)
        self.out_of_turn([Leased(id, self.now, task.attempts + 1, WORKER)])

    def out_of_turn(self, events: list[Event]) -> None:
        self.ledger.out_of_turn = True
        self.record(events)
        self.ledger.out_of_turn = False

    @rule(pick=PICKS)
    @precondition(lambda self: self.ledger.dead_ids)
    def retry(self, pick: int) -> None:
        """Somebody wants a dead letter to be tried again."""
        id = self.ledger.dead_ids[pick % len(self.ledger.dead_ids)]
        run = self.ledger.dead_runs[id]
        self.pushes += 1
        fresh_id = f"t-{self.pushes}"
        args = (self.queue, find_dead(self.queue, id), fresh_id, self.now, self.policy)
        before = state(self.queue)
        events = revival.retry(*args)
        assert state(self.queue) == before
        kinds = [Pushed, Forgotten] if run.schedule else [Revived]
        assert [type(event) for event in events] == kinds
        self.out_of_turn(events)
        again = self.queue.tasks[fresh_id if run.schedule else id]
        assert (again.eta, again.attempts, again.schedule) == (self.now, 0, "")
        assert id not in self.queue.dead

    @rule(pick=PICKS)
    @precondition(lambda self: self.ledger.dead_ids)
    def forget_one(self, pick: int) -> None:
        """Somebody wants a dead letter to be gone."""
        id = self.ledger.dead_ids[pick % len(self.ledger.dead_ids)]
        self.out_of_turn([Forgotten(id, self.now)])
        assert id not in self.queue.dead

    @rule(pick=PICKS, draw=DRAWS)
    @precondition(lambda self: self.queue.leased)
    def succeed(self, pick: int, draw: float) -> None:
        task = self.pick_leased(pick)
        outcome = Outcome(True, 200, b"", request="r")
        self._end(task, [Succeeded], endings.conclude, outcome, self.now, draw)

    @rule(pick=PICKS, draw=DRAWS, error=ERRORS)
    @precondition(lambda self: self.queue.leased)
    def fail(self, pick: int, draw: float, error: bytes) -> None:
        task = self.pick_leased(pick)
        attempt = self.ledger.runs[task.id].attempts
        outcome = Outcome(False, 500, error, kind="status", request="r")
        kinds = [Failed, Died, Cancelled]
        if self._end(task, kinds, endings.conclude, outcome, self.now, draw) is Failed:
            wait = BACKOFF.waits[min(attempt, len(BACKOFF.waits)) - 1]
            eta = self.ledger.runs[task.id].eta
            assert eta - self.now == pytest.approx(wait, rel=BACKOFF.jitter + 1e-6)
            assert (task.error_status, task.error) == (500, error)

    @rule(pick=PICKS, draw=DRAWS)
    @precondition(lambda self: self.queue.leased)
    def lose(self, pick: int, draw: float = 0.5) -> None:
        task = self.pick_leased(pick)
        attempt = self.ledger.runs[task.id].attempts
        kinds = [Failed, Died, Cancelled]
        if self._end(task, kinds, endings.lose, "gone", self.now, draw) is Failed:
            wait = BACKOFF.waits[min(attempt, len(BACKOFF.waits)) - 1]
            eta = self.ledger.runs[task.id].eta
            assert eta - self.now == pytest.approx(
                0.0 if attempt == 1 else wait, rel=BACKOFF.jitter + 1e-6, abs=1e-6
            )
            assert (task.error_status, task.error) == (NO_ANSWER, b"gone")

    def _end(
        self,
        task: Task,
        kinds: list[type[Event]],
        decision: Callable[..., list[Event]],
        *arguments: object,
    ) -> type[Event]:
        """An attempt ends as one of ``kinds``, which is returned; schedules go on."""
        run = self.ledger.runs[task.id]
        is_kept = task.id in self.ledger.schedules
        events = self.decide(decision, task, *arguments, self.policy)
        assert type(events[0]) in kinds
        dropped = run.schedule and not is_kept
        assert isinstance(events[0], Cancelled) == (
            bool(dropped) and not isinstance(events[0], Succeeded)
        )
        assert task.last_run_at == self.now or isinstance(events[0], Cancelled)
        if isinstance(events[0], (Succeeded, Died)) and is_kept:
            assert [type(event) for event in events[1:]] == [Recurred]
            coming = self.ledger.runs[task.id]
            assert coming.attempts == 0
            assert coming.eta == coming.slot - self.ahead(coming)
            assert coming.eta > self.now
            if coming.schedule in PERIODS and run.slot <= self.now:
                assert coming.eta <= self.now + PERIODS[coming.schedule]
        else:
            assert len(events) == 1
        return type(events[0])

    @rule(ends=st.lists(st.sampled_from("sfl"), min_size=1, max_size=8), draw=DRAWS)
    def work(self, ends: list[str], draw: float) -> None:
        """What the service does most: a turn comes, its attempt begins, and ends."""
        if self.ledger.paused:
            self.resume()
        for end in ends:
            self.wait_for_a_turn()
            expected = self.ledger.turn(self.now, 1000)
            self.lease(1)
            if expected is None:
                return
            if end == "s":
                self.succeed(-1, draw)
            elif end == "f":
                self.fail(-1, draw, b"no")
            else:
                self.lose(-1)

    @rule(pick=PICKS, kind=st.sampled_from([Succeeded, Failed, Died]))
    @precondition(lambda self: self.ledger.ended)
    def report_late(self, pick: int, kind: type[Event]) -> None:
        """What an attempt brought that was given up, or has been reported already."""
        id, attempt = self.ledger.ended[pick % len(self.ledger.ended)]
        run = self.ledger.runs.get(id)
        if run is not None and run.is_leased and run.attempts == attempt:
            return  # the next run of a schedule has come as far
        late: dict[type[Event], Event] = {
            Succeeded: Succeeded(id, self.now, attempt, 200),
            Failed: Failed(id, self.now, attempt, 500, b"", self.now),
            Died: Died(id, self.now, attempt, 500, b""),
        }
        before = state(self.queue)
        with pytest.raises(IllegalEvent):
            self.queue.apply(late[kind])
        assert state(self.queue) == before

    # --- rules: the service -----------------------------------------------------------

    @rule()
    def pause(self) -> None:
        self.record([Paused(self.now)])

    def resume(self) -> None:
        self.record([Resumed(self.now)])

    @rule(seconds=st.one_of(SECONDS, STEPS))
    def replay(self, seconds: float) -> None:
        """The service stops and starts again; its clock may have been set meanwhile."""
        again = copy.deepcopy(self.base)
        apply(again, self.history)
        assert state(again) == state(self.queue)
        self.queue = again
        self.now += seconds

    @rule()
    def load(self) -> None:
        """The service stops after a dump and starts from it."""
        again = reloaded(self.queue, self.new_queue())
        assert state(again) == state(self.queue)
        self.queue = again
        self.base = copy.deepcopy(again)
        self.history = []

    @rule()
    @precondition(lambda self: self.queue.leased)
    def recover(self) -> None:
        """What was under way when the service stopped is tried again at once."""
        runs = {id: self.ledger.runs[id] for id in self.queue.leased}
        for task in list(self.queue.leased.values()):
            self.decide(endings.hand_back, task, self.now, self.policy)
        assert not self.queue.leased
        for id, run in runs.items():
            if run.schedule and id not in self.ledger.schedules:
                assert id not in self.queue.tasks
            else:
                assert self.queue.tasks[id].eta == self.now

    # --- always -----------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        assert self.queue.difference() == 0
        ledger, counts = self.ledger, self.queue.counts
        assert counts.accepted == ledger.accepted
        assert counts.succeeded == ledger.succeeded
        assert counts.dead == ledger.dead
        assert counts.cancelled == ledger.cancelled

    @invariant()
    def the_queue_is_as_the_events_say(self) -> None:
        queue, ledger = self.queue, self.ledger
        assert queue.tasks.keys() == ledger.runs.keys()
        assert queue.schedules.keys() == ledger.schedules.keys()
        assert queue.leased.keys() == {
            id for id, run in ledger.runs.items() if run.is_leased
        }
        assert queue.waiting == len(ledger.runs) - len(queue.leased)
        assert queue.paused == ledger.paused
        assert queue.skew == ledger.skew
        for id, run in ledger.runs.items():
            task = queue.tasks[id]
            assert (task.eta, task.attempts, task.slot, task.schedule) == (
                run.eta,
                run.attempts,
                run.slot,
                run.schedule,
            )
        assert list(queue.succeeded) == ledger.succeeded_ids
        assert list(queue.dead) == ledger.dead_ids
        assert list(queue.keys.ended()) == ledger.ended_keys
        kept = [*queue.tasks.values(), *queue.succeeded.values(), *queue.dead.values()]
        assert queue.size == sum(
            TASK_SIZE + len(task.spec) + len(task.error or b"") for task in kept
        ) + sum(ATTEMPT_SIZE + len(one.excerpt) for task in kept for one in task.past)
        for id, run in ledger.runs.items():
            task = queue.tasks[id]
            assert (task.pushed_at, [*task.past]) == (run.pushed_at, run.past)
        for ended in (*queue.succeeded.values(), *queue.dead.values()):
            if ended.schedule:
                continue  # one of its id may have ended both ways
            assert [*ended.past] == ledger.pasts[ended.id]

    @invariant()
    def a_schedule_has_its_next_run(self) -> None:
        assert self.ledger.schedules.keys() <= self.ledger.runs.keys()
