"""Schedules as things that are changed, paused, resumed, run at once and dropped."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from poussetaches.errors import IllegalEvent, InvalidInput
from poussetaches.model import decisions, endings, recurrence
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Cancelled,
    Event,
    Leased,
    Pushed,
    Recurred,
    Rescheduled,
    Scheduled,
    SchedulePaused,
    ScheduleResumed,
    Unscheduled,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.schedules import Schedules
from poussetaches.model.task import LastRun, Special, State, Submission, Terms
from tests.support.queues import FAILURE, NOW, OK, POLICY, apply, state
from tests.support.schedules import HOUR

RULES = Rules("UTC")


def named(name: str = "report", **wishes: Any) -> Terms:
    return Terms(special=Special(name=name, **wishes))


def push(
    queue: TaskQueue,
    text: str,
    terms: Terms | None = None,
    *,
    spec: bytes = b"spec",
    now: float = NOW,
) -> list[Event]:
    """Push a schedule "s", by default a named one; what came of it."""
    asked = Submission("s", spec, 0.0, text, named() if terms is None else terms)
    events = decisions.push(queue, asked, now, POLICY)
    apply(queue, events)
    return events


def kinds(events: list[Event]) -> list[type[Event]]:
    return [type(event) for event in events]


@pytest.fixture
def queue() -> TaskQueue:
    queue = TaskQueue()
    push(queue, "@hourly")
    return queue


# --- in place -------------------------------------------------------------------------


def test_the_same_again_changes_nothing(queue: TaskQueue) -> None:
    """Every worker of an application pushes its schedules when it starts."""
    assert push(queue, "@hourly", now=NOW + 60) == []


def test_another_rule_replaces_the_run_that_waits(queue: TaskQueue) -> None:
    events = push(queue, "*/5 * * * *", now=NOW + 60)
    assert kinds(events) == [Rescheduled, Cancelled, Recurred]
    run = queue.tasks["s"]
    assert (run.slot, run.schedule) == (NOW + 300, "*/5 * * * *")
    assert queue.schedules["s"].text == "*/5 * * * *"
    assert queue.schedules["s"].last is None, "what was never due has not been a run"
    assert queue.difference() == 0


def test_another_zone_is_another_rule(queue: TaskQueue) -> None:
    push(queue, "0 12 * * *")
    push(queue, "0 12 * * *", named(timezone="America/New_York"))
    assert queue.tasks["s"].slot == NOW + 17 * HOUR


@pytest.mark.parametrize("text", ["@every 1h", "@hourly"])
def test_a_new_payload_does_not_put_the_run_off(queue: TaskQueue, text: str) -> None:
    """Deployed every half hour, an hourly rule would never come round."""
    push(queue, text)
    before = queue.tasks["s"].eta
    events = push(queue, text, spec=b"new", now=NOW + 1800)
    assert kinds(events) == [Rescheduled, Cancelled, Recurred]
    run = queue.tasks["s"]
    assert (run.eta, run.spec) == (before, b"new")


def test_a_run_in_flight_ends_as_it_is_and_the_next_is_by_the_new_rule(
    queue: TaskQueue,
) -> None:
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    events = push(queue, "*/5 * * * *", spec=b"new", now=NOW + HOUR + 1)
    assert kinds(events) == [Rescheduled]
    run = queue.tasks["s"]
    assert run.spec == b"spec"
    at = NOW + HOUR + 2
    apply(queue, endings.conclude(queue, run, OK, at, 0.5, POLICY))
    run = queue.tasks["s"]
    assert (run.slot, run.spec) == (NOW + HOUR + 300, b"new")


@pytest.mark.parametrize("is_dropped", [False, True])
def test_a_run_whose_answer_pushes_its_own_schedule_is_followed_by_one_of_that(
    queue: TaskQueue, is_dropped: bool
) -> None:
    """Dropped meanwhile, it would be there for good and never run."""
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    if is_dropped:
        apply(queue, recurrence.drop(queue, "s", NOW + HOUR))
    again = Submission("s", b"new", 0.0, "*/5 * * * *", named())
    outcome = Outcome(True, 200, b"", follow_ups=[again])
    at = NOW + HOUR + 1
    apply(queue, endings.conclude(queue, queue.tasks["s"], outcome, at, 0.5, POLICY))
    run = queue.tasks["s"]
    assert (run.slot, run.spec) == (NOW + HOUR + 300, b"new")
    assert queue.difference() == 0


def test_slots_of_another_kind_are_read_by_the_clock_they_were_named_by() -> None:
    """Those of an interval by the timeline, those of fields by the wall clock."""
    queue = TaskQueue()
    apply(queue, recurrence.step_clock(queue, 86_400.0, NOW, RULES))
    push(queue, "@every 1h")
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    push(queue, "* * * * *", named(missed="all"), now=NOW + HOUR)
    run = queue.tasks["s"]
    apply(queue, endings.conclude(queue, run, OK, NOW + HOUR, 0.5, POLICY))
    assert queue.tasks["s"].eta == NOW + HOUR + 60


def test_without_a_name_it_is_left_as_it_is() -> None:
    """The first ancestor's push: the same id, whatever else it says."""
    queue = TaskQueue()
    push(queue, "@hourly", Terms())
    assert push(queue, "@hourly", Terms(3), spec=b"new") == []


def test_a_schedule_that_is_paused_stays_so_when_it_is_changed(
    queue: TaskQueue,
) -> None:
    apply(queue, recurrence.pause(queue, "s", NOW))
    assert kinds(push(queue, "@daily")) == [Rescheduled]
    assert "s" not in queue.tasks
    apply(queue, recurrence.resume(queue, "s", NOW, RULES))
    assert queue.tasks["s"].slot == NOW + 24 * HOUR


def test_one_name_for_two_schedules_in_one_batch_is_refused() -> None:
    pushes = [
        Submission("s", b"spec", 0.0, text, named()) for text in ("@hourly", "@daily")
    ]
    with pytest.raises(InvalidInput, match="name: 'report' stands for two different"):
        decisions.push_all(TaskQueue(), pushes, NOW, POLICY)
    same = [pushes[0], pushes[0]]
    accepted = decisions.push_all(TaskQueue(), same, NOW, POLICY)
    assert (accepted.ids, len(accepted.events)) == (["s", "s"], 2)


# --- pause and resume -----------------------------------------------------------------


def test_a_paused_schedule_has_no_run_until_it_is_resumed(queue: TaskQueue) -> None:
    events = recurrence.pause(queue, "s", NOW)
    assert kinds(events) == [SchedulePaused, Cancelled]
    apply(queue, events)
    assert (len(queue.tasks), len(queue.runs)) == (0, 0)
    assert recurrence.pause(queue, "s", NOW) == []
    at = NOW + 10.5 * HOUR
    events = recurrence.resume(queue, "s", at, RULES)
    assert kinds(events) == [ScheduleResumed, Recurred]
    apply(queue, events)
    assert queue.tasks["s"].slot == NOW + 11 * HOUR, "none of those it was paused over"
    assert recurrence.resume(queue, "s", at, RULES) == []


def test_a_run_that_ends_while_paused_does_not_recur(queue: TaskQueue) -> None:
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    events = recurrence.pause(queue, "s", NOW + HOUR)
    assert kinds(events) == [SchedulePaused]
    apply(queue, events)
    run = queue.tasks["s"]
    apply(queue, endings.conclude(queue, run, OK, NOW + HOUR + 5, 0.5, POLICY))
    assert not queue.tasks
    last = LastRun(NOW + HOUR, NOW + HOUR + 5, "succeeded", 1, 200)
    assert queue.schedules["s"].last == last


def test_a_run_that_outlives_the_pause_recurs_as_ever(queue: TaskQueue) -> None:
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    apply(queue, recurrence.pause(queue, "s", NOW + HOUR))
    events = recurrence.resume(queue, "s", NOW + HOUR, RULES)
    assert kinds(events) == [ScheduleResumed]
    apply(queue, events)
    run = queue.tasks["s"]
    apply(queue, endings.conclude(queue, run, OK, NOW + HOUR + 5, 0.5, POLICY))
    assert queue.tasks["s"].slot == NOW + 2 * HOUR


# --- run now, drop, last run ----------------------------------------------------------


def test_a_run_now_is_a_task_beside_the_runs(queue: TaskQueue) -> None:
    before = copy.deepcopy(queue.tasks["s"])
    events = recurrence.run_now(queue, "s", "extra", NOW + 1)
    assert events == [Pushed("extra", NOW + 1, NOW + 1, b"spec", named())]
    apply(queue, events)
    assert queue.tasks["s"] == before
    assert queue.tasks["extra"].schedule == ""
    assert len(queue.runs) == 1


def test_one_schedule_is_dropped_and_the_others_stay(queue: TaskQueue) -> None:
    other = Submission("other", b"spec", 0.0, "@daily", named("other"))
    apply(queue, decisions.push(queue, other, NOW, POLICY))
    events = recurrence.drop(queue, "s", NOW)
    assert kinds(events) == [Unscheduled, Cancelled]
    apply(queue, events)
    assert [*queue.schedules] == [*queue.tasks] == ["other"]


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [(1, ("succeeded", 1, 200)), (2, ("succeeded", 2, 200)), (3, ("dead", 3, 500))],
)
def test_what_became_of_the_last_run_is_known(
    queue: TaskQueue, attempts: int, expected: tuple[str, int, int]
) -> None:
    run = queue.tasks["s"]
    for attempt in range(1, attempts + 1):
        now = run.eta
        apply(queue, [Leased("s", now, attempt)])
        ends = OK if attempt == attempts < 3 else FAILURE
        apply(queue, endings.conclude(queue, run, ends, now, 0.5, POLICY))
    assert queue.schedules["s"].last == (NOW + HOUR, now, *expected)


def test_a_retry_that_is_cancelled_was_a_run(queue: TaskQueue) -> None:
    run = queue.tasks["s"]
    apply(queue, [Leased("s", NOW + HOUR, 1)])
    apply(queue, endings.conclude(queue, run, FAILURE, NOW + HOUR, 0.5, POLICY))
    apply(queue, recurrence.pause(queue, "s", NOW + HOUR + 1))
    last = LastRun(NOW + HOUR, NOW + HOUR + 1, "cancelled", 1, 500)
    assert queue.schedules["s"].last == last


# --- events that do not fit -----------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        Scheduled("s", NOW, "@daily", b"spec"),
        Rescheduled("nobody", NOW, "@daily", b"spec"),
        SchedulePaused("nobody", NOW),
        SchedulePaused("paused", NOW),
        ScheduleResumed("s", NOW),
        Unscheduled("nobody", NOW),
        Recurred("nobody", NOW, NOW, NOW),
        Recurred("paused", NOW, NOW, NOW),
    ],
)
def test_what_does_not_fit_raises_and_changes_nothing(
    queue: TaskQueue, event: Event
) -> None:
    apply(queue, [Scheduled("paused", NOW, "@daily", b"")])
    apply(queue, [SchedulePaused("paused", NOW)])
    before = state(queue)
    with pytest.raises(IllegalEvent):
        queue.apply(event)
    assert state(queue) == before


# --- the page -------------------------------------------------------------------------


def test_pages_have_the_named_ones_first_and_each_once() -> None:
    queue = TaskQueue()
    for id, name in (("a", "zebra"), ("b", ""), ("c", "ape"), ("d", "ox"), ("e", "")):
        asked = Submission(id, b"spec", 0.0, "@hourly", named(name))
        apply(queue, decisions.push(queue, asked, NOW, POLICY))
    found: list[str] = []
    page = queue.schedules.beyond(None, 2)
    while page:
        found += [one.id for one in page]
        page = queue.schedules.beyond(Schedules.place(page[-1]), 2)
    assert found == ["c", "d", "a", "b", "e"]


# --- anything, in any order -----------------------------------------------------------

IDS = st.sampled_from(["s1", "s2", "s3"])
TEXTS = st.sampled_from(["@every 10s", "* * * * *", "30 2 * * *", "@hourly"])
WISHES = st.builds(
    named,
    missed=st.sampled_from(["one", "none", "all"]),
    overlap=st.sampled_from(["skip", "queue"]),
    timezone=st.sampled_from(["", "Europe/Paris", "America/Santiago"]),
)


class ScheduleMachine(RuleBasedStateMachine):
    """Whatever is done to schedules, each that is not paused has one live run."""

    @initialize()
    def begin(self) -> None:
        self.queue = TaskQueue()
        self.journal: list[Event] = []
        self.now = NOW
        self.extras = 0

    def happen(self, events: list[Event]) -> None:
        apply(self.queue, events)
        self.journal += events

    @rule(id=IDS, text=TEXTS, terms=WISHES, spec=st.sampled_from([b"1", b"2"]))
    def push(self, id: str, text: str, terms: Terms, spec: bytes) -> None:
        asked = Submission(id, spec, 0.0, text, terms)
        self.happen(decisions.push(self.queue, asked, self.now, POLICY))
        kept = self.queue.schedules[id]
        assert (kept.text, kept.spec, kept.terms) == (text, spec, terms)
        assert decisions.push(self.queue, asked, self.now, POLICY) == []
        run = self.queue.tasks.get(id)
        if run is not None and run.state is State.WAITING and not run.attempts:
            assert (run.schedule, run.spec, run.terms) == (text, spec, terms)

    @rule(seconds=st.sampled_from([0.0, 1.0, 59.0, 61.0, 3600.0, 90_000.0]))
    def tick(self, seconds: float) -> None:
        self.now += seconds

    @rule(by=st.sampled_from([-86_400.0, -7.0, 7.0, 86_400.0]))
    def step_clock(self, by: float) -> None:
        skew = self.queue.skew + by
        self.happen(recurrence.step_clock(self.queue, skew, self.now, RULES))

    @rule(id=IDS)
    @precondition(lambda self: self.queue.schedules)
    def steer(self, id: str) -> None:
        if id not in self.queue.schedules:
            return
        if self.queue.schedules[id].paused:
            self.happen(recurrence.resume(self.queue, id, self.now, RULES))
            run = self.queue.tasks[id]
            assert run.eta > self.now or run.attempts
        else:
            self.happen(recurrence.pause(self.queue, id, self.now))
            run = self.queue.tasks.get(id)  # type: ignore[assignment]
            assert run is None or run.state is State.LEASED

    @rule(id=IDS)
    def drop(self, id: str) -> None:
        if id in self.queue.schedules:
            self.happen(recurrence.drop(self.queue, id, self.now))

    @rule(id=IDS)
    def run_now(self, id: str) -> None:
        if id in self.queue.schedules:
            self.extras += 1
            extra = f"extra-{self.extras}"
            self.happen(recurrence.run_now(self.queue, id, extra, self.now))

    @rule()
    def lease(self) -> None:
        task = self.queue.turns.first()
        if task is None:
            return
        self.now = max(self.now, task.eta)
        events = recurrence.skip_missed(self.queue, task, self.now, RULES)
        if events:
            assert kinds(events) == [Cancelled, Recurred]
            self.happen(events)
            assert self.queue.tasks[task.id].eta > self.now
        else:
            self.happen([Leased(task.id, self.now, task.attempts + 1)])

    @rule(outcome=st.sampled_from([OK, OK, FAILURE]))
    @precondition(lambda self: self.queue.leased)
    def conclude(self, outcome: Outcome) -> None:
        task = next(iter(self.queue.leased.values()))
        args = (self.queue, task, outcome, self.now, 0.5, POLICY)
        self.happen(endings.conclude(*args))

    @rule()
    def replay(self) -> None:
        again = TaskQueue()
        apply(again, self.journal)
        assert state(again) == state(self.queue)
        self.queue = again

    @invariant()
    def every_schedule_has_its_run_unless_it_is_paused(self) -> None:
        for id, kept in self.queue.schedules.items():
            assert kept.paused or self.queue.tasks[id].schedule
        live = [task for task in self.queue.tasks.values() if task.schedule]
        assert len(self.queue.runs) == sum(t.id in self.queue.schedules for t in live)
        assert self.queue.difference() == 0


TestScheduleMachine = ScheduleMachine.TestCase
