"""The decisions, one sentence at a time."""

from __future__ import annotations

import pytest

from poussetaches.channel.messages import seal
from poussetaches.errors import InvalidInput
from poussetaches.model import decisions, endings, recurrence
from poussetaches.model.backoff import FOR_EVER, Backoff
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Died,
    Event,
    Failed,
    Leased,
    Moved,
    Paused,
    Pushed,
    Recurred,
    Scheduled,
    Succeeded,
    Unscheduled,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import NO_ANSWER, State, Submission, Task, Terms
from tests.support.queues import (
    FAILURE,
    FREE,
    NOW,
    OK,
    POLICY,
    apply,
    leased,
    pushed,
    scheduled,
    state,
)

MIDDLE = 0.5
HOUR = 3600.0


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue()


def concluded(
    queue: TaskQueue, task: Task, outcome: Outcome, now: float = NOW
) -> list[Event]:
    """Decide and apply what ``outcome`` brings."""
    events = endings.conclude(queue, task, outcome, now, MIDDLE, POLICY)
    apply(queue, events)
    return events


# --- push ---------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 90.0, -90.0])
def test_a_task_is_due_after_its_delay(queue: TaskQueue, delay: float) -> None:
    events = decisions.push(queue, Submission("a", b"spec", delay), NOW, POLICY)
    assert events == [Pushed("a", NOW, NOW + delay, b"spec")]


def test_a_delay_is_counted_on_the_timeline_not_on_the_wall_clock(
    queue: TaskQueue,
) -> None:
    queue.apply(ClockStepped(NOW, 500.0))
    [event] = decisions.push(queue, Submission("a", b"spec", 60.0), NOW, POLICY)
    assert isinstance(event, Pushed)
    assert event.eta == NOW + 60.0


def test_a_negative_delay_goes_ahead_of_the_queue(queue: TaskQueue) -> None:
    pushed(queue, "first")
    pushed(queue, "urgent", delay=-60.0)
    assert leased(queue).id == "urgent"


def test_tasks_of_the_same_eta_are_leased_in_the_order_of_their_pushes(
    queue: TaskQueue,
) -> None:
    pushed(queue, "c", "a", "b")
    assert [leased(queue).id for _ in range(3)] == ["c", "a", "b"]


def test_a_schedule_comes_with_its_first_run(queue: TaskQueue) -> None:
    submission = Submission("s", b"spec", 0.0, "@hourly", Terms(4))
    assert decisions.push(queue, submission, NOW, POLICY) == [
        Scheduled("s", NOW, "@hourly", b"spec", Terms(4)),
        Recurred("s", NOW, NOW + HOUR, NOW + HOUR),
    ]


def test_the_first_run_of_a_schedule_is_the_first_slot_after_its_delay(
    queue: TaskQueue,
) -> None:
    submission = Submission("s", b"spec", 1.5 * HOUR, "@hourly")
    _, run = decisions.push(queue, submission, NOW, POLICY)
    assert run == Recurred("s", NOW, NOW + 2 * HOUR, NOW + 2 * HOUR)


def test_a_schedule_runs_when_the_wall_clock_says_so(queue: TaskQueue) -> None:
    queue.apply(ClockStepped(NOW, 600.0))
    _, run = decisions.push(
        queue, Submission("s", b"spec", schedule="@hourly"), NOW, POLICY
    )
    assert run == Recurred("s", NOW, NOW + HOUR, NOW + HOUR - 600.0)


def test_an_interval_takes_no_notice_of_the_wall_clock(queue: TaskQueue) -> None:
    queue.apply(ClockStepped(NOW, 600.0))
    _, run = decisions.push(
        queue, Submission("s", b"spec", schedule="@every 1h"), NOW, POLICY
    )
    assert run == Recurred("s", NOW, NOW + HOUR, NOW + HOUR)


def test_a_schedule_that_exists_already_is_left_as_it_is(queue: TaskQueue) -> None:
    scheduled(queue, "s")
    before = state(queue)
    again = Submission("s", b"other spec", 60.0, "@hourly", Terms(1))
    assert decisions.push(queue, again, NOW + 10, POLICY) == []
    assert state(queue) == before


def test_an_unreadable_schedule_is_refused_whole(queue: TaskQueue) -> None:
    with pytest.raises(InvalidInput):
        decisions.push(queue, Submission("s", b"", schedule="often"), NOW, POLICY)
    assert state(queue) == state(TaskQueue())


def test_a_schedule_pushed_again_adopts_the_run_still_in_flight(
    queue: TaskQueue,
) -> None:
    """There never are two live runs, and the slot in flight does not come again."""
    run = scheduled(queue, "s")
    slot = run.slot
    leased(queue, slot)
    apply(queue, recurrence.unschedule(queue, slot))
    events = decisions.push(
        queue, Submission("s", b"new spec", schedule="@hourly"), slot, POLICY
    )
    assert events == [Scheduled("s", slot, "@hourly", b"new spec")]
    apply(queue, events)
    done, following = concluded(queue, run, OK, slot)
    assert done == Succeeded("s", slot, 1, 200)
    assert following == Recurred("s", slot, slot + HOUR, slot + HOUR)
    assert queue.tasks["s"].spec == b"new spec"
    assert queue.counts.accepted == 2


# --- lease --------------------------------------------------------------------------


def test_nothing_is_leased_from_an_empty_queue(queue: TaskQueue) -> None:
    assert decisions.lease(queue, NOW, FREE) is None


def test_a_task_is_leased_from_its_eta_on(queue: TaskQueue) -> None:
    pushed(queue, "a", delay=10.0)
    assert decisions.lease(queue, NOW + 9.999, FREE) is None
    assert decisions.lease(queue, NOW + 10.0, FREE) == Leased("a", NOW + 10.0, 1)


def test_nothing_is_leased_while_paused(queue: TaskQueue) -> None:
    pushed(queue, "a")
    queue.apply(Paused(NOW))
    assert decisions.lease(queue, NOW + HOUR, FREE) is None


def test_what_was_due_first_is_leased_first(queue: TaskQueue) -> None:
    pushed(queue, "a", delay=3.0)
    pushed(queue, "b", delay=1.0)
    pushed(queue, "c", delay=2.0)
    assert [leased(queue, NOW + 60).id for _ in range(3)] == ["b", "c", "a"]


def test_a_leased_task_is_not_leased_again(queue: TaskQueue) -> None:
    pushed(queue, "a")
    leased(queue)
    assert decisions.lease(queue, NOW + HOUR, FREE) is None


# --- conclude -----------------------------------------------------------------------


def test_a_success_ends_a_task(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = leased(queue)
    assert concluded(queue, task, OK, NOW + 1) == [Succeeded("a", NOW + 1, 1, 200)]
    assert list(queue.succeeded) == ["a"]
    assert not queue.tasks
    assert task.state is State.SUCCEEDED
    assert task.last_run_at == NOW + 1


def test_a_failed_attempt_is_followed_by_another_after_its_wait(
    queue: TaskQueue,
) -> None:
    pushed(queue, "a")
    task = leased(queue)
    assert concluded(queue, task, FAILURE, NOW + 1) == [
        Failed("a", NOW + 1, 1, 500, b"no", NOW + 11)
    ]
    assert (task.error_status, task.error, task.last_run_at) == (500, b"no", NOW + 1)
    assert decisions.lease(queue, NOW + 10.999, FREE) is None
    assert decisions.lease(queue, NOW + 11, FREE) == Leased("a", NOW + 11, 2)


def test_the_draw_moves_the_wait(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = leased(queue)
    [event] = endings.conclude(queue, task, FAILURE, NOW, 0.0, POLICY)
    assert isinstance(event, Failed)
    assert event.eta - NOW == pytest.approx(7.0)


def test_the_last_failed_attempt_is_the_death(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    for attempt in (1, 2):
        leased(queue, task.eta)
        [event] = concluded(queue, task, FAILURE, task.eta)
        assert isinstance(event, Failed)
        assert event.attempt == attempt
    leased(queue, task.eta)
    assert concluded(queue, task, FAILURE, task.eta) == [
        Died("a", task.eta, 3, 500, b"no")
    ]
    assert queue.dead == {"a": task}
    assert not queue.tasks


@pytest.mark.parametrize(
    ("asked", "wait"), [(0.0, 10.0), (3.0, 10.0), (10.5, 10.5), (86_400.0, 86_400.0)]
)
def test_a_target_may_lengthen_the_wait_but_not_shorten_it(
    queue: TaskQueue, asked: float, wait: float
) -> None:
    pushed(queue, "a")
    task = leased(queue)
    assert concluded(queue, task, FAILURE._replace(retry_after=asked)) == [
        Failed("a", NOW, 1, 500, b"no", NOW + wait)
    ]


def test_a_target_that_asks_for_longer_waits_gets_as_many_attempts(
    queue: TaskQueue,
) -> None:
    busy = FAILURE._replace(retry_after=500.0)
    task = pushed(queue, "a")
    for _ in range(3):
        leased(queue, task.eta)
        [event] = concluded(queue, task, busy, task.eta)
    assert event == Died("a", NOW + 1000, 3, 500, b"no")


def test_a_success_asks_for_nothing(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = leased(queue)
    outcome = OK._replace(retry_after=60.0, final=True)
    assert concluded(queue, task, outcome) == [Succeeded("a", NOW, 1, 200)]


@pytest.mark.parametrize("max_retries", [None, 0, 5, FOR_EVER])
def test_a_failure_that_no_attempt_can_mend_is_the_death_at_once(
    queue: TaskQueue, max_retries: int | None
) -> None:
    submission = Submission("a", b"spec", terms=Terms(max_retries))
    apply(queue, decisions.push(queue, submission, NOW, POLICY))
    task = leased(queue)
    outcome = Outcome(False, NO_ANSWER, b"not allowed", final=True, retry_after=60.0)
    assert concluded(queue, task, outcome) == [
        Died("a", NOW, 1, NO_ANSWER, b"not allowed")
    ]


def test_a_run_that_can_never_succeed_dies_and_its_schedule_goes_on(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    died, following = concluded(queue, run, FAILURE._replace(final=True), run.eta)
    assert isinstance(died, Died)
    assert isinstance(following, Recurred)


def test_a_success_keeps_what_the_last_failure_brought(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    leased(queue)
    concluded(queue, task, FAILURE)
    leased(queue, task.eta)
    concluded(queue, task, OK, task.eta)
    assert (task.error_status, task.error) == (500, b"no")


@pytest.mark.parametrize("outcome", [OK, FAILURE])
def test_a_schedule_goes_on_after_a_run_that_ends_either_way(
    queue: TaskQueue, outcome: Outcome
) -> None:
    policy = Policy(Backoff((), jitter=0.0), Rules("UTC"), seal)
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    now = run.eta + 5
    apply(queue, endings.conclude(queue, run, outcome, now, MIDDLE, policy))
    following = queue.tasks["s"]
    assert following is not run
    assert (following.slot, following.attempts) == (NOW + 2 * HOUR, 0)
    assert queue.counts.accepted == 2


def test_a_run_that_fails_is_retried_in_its_own_slot(queue: TaskQueue) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    [event] = concluded(queue, run, FAILURE, run.eta)
    assert event == Failed("s", NOW + HOUR, 1, 500, b"no", NOW + HOUR + 10)
    assert queue.tasks["s"] is run


def test_a_dead_run_is_kept_while_its_schedule_goes_on(queue: TaskQueue) -> None:
    run = scheduled(queue, "s")
    for _ in range(3):
        leased(queue, run.eta)
        concluded(queue, run, FAILURE, run.eta)
    assert queue.dead == {"s": run}
    assert queue.tasks["s"].state is State.WAITING
    assert queue.difference() == 0


def test_downtime_is_caught_up_by_one_run(queue: TaskQueue) -> None:
    """The run that waited comes late; the slots missed after it do not come at all."""
    scheduled(queue, "s")
    now = NOW + 5.5 * HOUR
    run = leased(queue, now)
    assert run.slot == NOW + HOUR
    _, following = concluded(queue, run, OK, now)
    assert following == Recurred("s", now, NOW + 6 * HOUR, NOW + 6 * HOUR)
    assert decisions.lease(queue, now, FREE) is None


def test_a_run_that_takes_longer_than_its_interval_is_followed_by_one_run(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s", "@every 10s")
    leased(queue, run.eta)
    now = run.eta + 35.0
    _, following = concluded(queue, run, OK, now)
    assert following == Recurred("s", now, NOW + 50.0, NOW + 50.0)


def test_a_run_in_flight_of_a_dropped_schedule_that_fails_is_cancelled(
    queue: TaskQueue,
) -> None:
    """Nobody wants a retry of what nobody wants."""
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, run.eta))
    assert concluded(queue, run, FAILURE, run.eta) == [Cancelled("s", run.eta)]
    assert queue.counts.cancelled == 1
    assert not queue.tasks


def test_a_run_in_flight_of_a_dropped_schedule_may_still_succeed(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, run.eta))
    assert concluded(queue, run, OK, run.eta) == [Succeeded("s", run.eta, 1, 200)]
    assert not queue.tasks


def test_a_task_with_the_id_of_a_schedule_is_no_run_of_it(queue: TaskQueue) -> None:
    """Ids do not clash, but if they did, the schedule would not run twice as often."""
    pushed(queue, "s")
    task = leased(queue)
    queue.apply(Scheduled("s", NOW, "@hourly", b"spec"))
    assert concluded(queue, task, OK) == [Succeeded("s", NOW, 1, 200)]


def test_a_schedule_that_cannot_be_read_any_more_is_dropped_at_its_next_end(
    queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)

    def refuse(self: Rules, *arguments: object) -> float:
        raise InvalidInput("schedule: no longer read")

    monkeypatch.setattr(Rules, "following", refuse)
    done, dropped = concluded(queue, run, OK, run.eta)
    assert isinstance(done, Succeeded)
    assert dropped == Unscheduled("s", NOW + HOUR)
    assert not queue.schedules
    assert not queue.tasks


# --- lose ---------------------------------------------------------------------------


def test_a_lost_attempt_counts_and_the_next_need_not_wait(queue: TaskQueue) -> None:
    pushed(queue, "a")
    task = leased(queue)
    events = endings.lose(queue, task, "gone", NOW + 1, 0.5, POLICY)
    assert events == [Failed("a", NOW + 1, 1, NO_ANSWER, b"gone", NOW + 1, "lost")]
    apply(queue, events)
    assert decisions.lease(queue, NOW + 1, FREE) == Leased("a", NOW + 1, 2)


def test_a_task_that_keeps_killing_its_workers_waits_and_dies(queue: TaskQueue) -> None:
    task = pushed(queue, "a")
    waits = []
    for _ in range(2):
        leased(queue, task.eta)
        apply(queue, endings.lose(queue, task, "gone", NOW, 0.5, POLICY))
        waits.append(task.eta - NOW)
    assert waits == [0.0, 100.0]
    leased(queue, task.eta)
    assert endings.lose(queue, task, "gone", NOW, 0.5, POLICY) == [
        Died("a", NOW, 3, NO_ANSWER, b"gone", "lost")
    ]


def test_what_was_lost_together_twice_comes_back_apart(queue: TaskQueue) -> None:
    pushed(queue, "a", "b")
    for draws in ((0.2, 0.8), (0.2, 0.8)):
        for draw, task in zip(draws, [leased(queue), leased(queue)], strict=True):
            apply(queue, endings.lose(queue, task, "gone", NOW, draw, POLICY))
    assert len({task.eta for task in queue.tasks.values()}) == 2


def test_a_schedule_goes_on_after_a_run_whose_last_attempt_was_lost(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    for _ in range(2):
        leased(queue, run.eta)
        apply(queue, endings.lose(queue, run, "gone", run.eta, 0.5, POLICY))
    leased(queue, run.eta)
    died, following = endings.lose(queue, run, "gone", run.eta, 0.5, POLICY)
    assert isinstance(died, Died)
    assert isinstance(following, Recurred)


def test_a_lost_run_of_a_dropped_schedule_is_cancelled(queue: TaskQueue) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, run.eta))
    assert endings.lose(queue, run, "gone", run.eta, 0.5, POLICY) == [
        Cancelled("s", run.eta)
    ]


# --- unschedule ---------------------------------------------------------------------


def test_unscheduling_drops_every_schedule_and_its_waiting_run(
    queue: TaskQueue,
) -> None:
    pushed(queue, "plain")
    scheduled(queue, "s")
    scheduled(queue, "r", "@every 5s")
    assert recurrence.unschedule(queue, NOW) == [
        Unscheduled("s", NOW),
        Cancelled("s", NOW),
        Unscheduled("r", NOW),
        Cancelled("r", NOW),
    ]


def test_unscheduling_cancels_a_run_that_waits_for_its_retry(queue: TaskQueue) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    concluded(queue, run, FAILURE, run.eta)
    now = NOW + HOUR + 1
    assert recurrence.unschedule(queue, now) == [
        Unscheduled("s", now),
        Cancelled("s", now),
    ]


def test_unscheduling_nothing_is_nothing(queue: TaskQueue) -> None:
    pushed(queue, "plain")
    assert recurrence.unschedule(queue, NOW) == []


def test_a_schedule_dropped_and_pushed_again_begins_anew(queue: TaskQueue) -> None:
    scheduled(queue, "s")
    apply(queue, recurrence.unschedule(queue, NOW))
    run = scheduled(queue, "s", now=NOW + 3 * HOUR)
    assert run.slot == NOW + 4 * HOUR


# --- the clock ----------------------------------------------------------------------


@pytest.mark.parametrize("skew", [HOUR, -HOUR, -24 * HOUR])
def test_a_clock_that_is_set_moves_runs_and_leaves_delays(
    queue: TaskQueue, skew: float
) -> None:
    pushed(queue, "plain", delay=60.0)
    run = scheduled(queue, "s")
    scheduled(queue, "r", "@every 5s")
    events = recurrence.step_clock(queue, skew, NOW, POLICY.rules)
    assert events == [
        ClockStepped(NOW, skew),
        Moved("s", NOW, run.slot - skew),
    ]
    apply(queue, events)
    assert queue.tasks["plain"].eta == NOW + 60.0
    assert queue.tasks["r"].eta == NOW + 5.0
    assert queue.tasks["s"].eta == NOW + HOUR - skew


def test_a_clock_that_is_set_leaves_runs_in_flight_and_retries(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    only = [ClockStepped(run.eta, 60.0)]
    assert recurrence.step_clock(queue, 60.0, run.eta, POLICY.rules) == only
    concluded(queue, run, FAILURE, run.eta)
    only = [ClockStepped(NOW, -60.0)]
    assert recurrence.step_clock(queue, -60.0, NOW, POLICY.rules) == only


def test_a_slot_does_not_come_twice_when_the_clock_is_set_back(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    concluded(queue, run, OK, run.eta)
    now = NOW + HOUR
    apply(queue, recurrence.step_clock(queue, -HOUR, now, POLICY.rules))
    waiting = queue.tasks["s"]
    assert waiting.slot == NOW + 2 * HOUR
    assert waiting.eta == now + 2 * HOUR


def test_an_interval_goes_on_evenly_when_the_clock_is_set(queue: TaskQueue) -> None:
    run = scheduled(queue, "s", "@every 10s")
    for skew in (-HOUR, HOUR):
        leased(queue, run.eta)
        now = run.eta
        apply(queue, recurrence.step_clock(queue, skew, now, POLICY.rules))
        concluded(queue, run, OK, now)
        run = queue.tasks["s"]
        assert run.eta == now + 10.0


def test_a_clock_set_forward_over_slots_brings_one_run(queue: TaskQueue) -> None:
    scheduled(queue, "s")
    apply(queue, recurrence.step_clock(queue, 30.5 * HOUR, NOW, POLICY.rules))
    run = leased(queue)
    _, following = concluded(queue, run, OK)
    assert isinstance(following, Recurred)
    assert following.eta == NOW + 0.5 * HOUR


# --- hand back ----------------------------------------------------------------------


def test_what_was_under_way_at_a_stop_is_tried_again_at_once(queue: TaskQueue) -> None:
    pushed(queue, "a", "b", "c")
    for task in (leased(queue), leased(queue)):
        [event] = endings.hand_back(queue, task, NOW + 5, POLICY)
        assert isinstance(event, Failed)
        assert (event.status, event.eta) == (NO_ANSWER, NOW + 5)
        assert b"service stopped" in event.error
        queue.apply(event)
    assert not queue.leased
    assert [task.attempts for task in queue.tasks.values()] == [1, 1, 0]


def test_a_last_attempt_that_a_stop_cut_off_is_made_again(queue: TaskQueue) -> None:
    """Nobody knows what it brought, and that is no fault of the task."""
    apply(
        queue, decisions.push(queue, Submission("a", b"", 0, "", Terms(0)), NOW, POLICY)
    )
    task = leased(queue)
    [event] = endings.hand_back(queue, task, NOW + 5, POLICY)
    assert isinstance(event, Failed)
    assert (event.status, event.eta) == (NO_ANSWER, NOW + 5)
    queue.apply(event)
    assert leased(queue, NOW + 5).attempts == 2
    [end] = concluded(queue, task, FAILURE)
    assert isinstance(end, Died)


def test_a_handed_back_run_of_a_dropped_schedule_is_cancelled(
    queue: TaskQueue,
) -> None:
    run = scheduled(queue, "s")
    leased(queue, run.eta)
    apply(queue, recurrence.unschedule(queue, run.eta))
    assert endings.hand_back(queue, run, run.eta, POLICY) == [Cancelled("s", run.eta)]
