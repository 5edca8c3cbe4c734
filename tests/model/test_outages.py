"""Targets in trouble: what they cost, whom they keep, and that it comes to an end."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest

from poussetaches.model.endings import Outcome
from poussetaches.model.gate import FIRST_PAUSE, LONGEST_PAUSE, PATIENCE
from poussetaches.model.task import NO_ANSWER, Task
from tests.support.outage import REFUSED, SITE, Outage, Target, status

#: What each answer takes, seconds.
QUICK = 0.01

AWAY = [REFUSED, status(502), status(503), status(504)]
AWAY_NAMES = ["refused", "502", "503", "504"]


def names(count: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def away_between(begin: float, end: float, outcome: Outcome) -> Target:
    """A target that is not there for a while, and quick before and after."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        return QUICK, outcome if begin <= at < end else status(200)

    return target


def probes_within(seconds: float) -> int:
    """How many requests an outage of that length sees at most, one at a time: the first
    two, then each pause is twice as long as the one before, up to the longest."""
    number, pause, at = 2, FIRST_PAUSE, 0.0
    while at < seconds:
        number, at, pause = number + 1, at + pause, min(2 * pause, LONGEST_PAUSE)
    return number


# --- a target that goes away, and comes back ------------------------------------------


@pytest.mark.parametrize("outcome", AWAY, ids=AWAY_NAMES)
@pytest.mark.parametrize("seconds", [0.1, 3.0, 60.0, 900.0, 3000.0])
@pytest.mark.parametrize("count", [1, 500])
def test_a_deploy_spends_no_attempt_and_loses_nothing(
    outcome: Outcome, seconds: float, count: int
) -> None:
    outage = Outage(away_between(1.0, 1.0 + seconds, outcome))
    outage.push("before")
    outage.run(1.0)
    outage.push(*names(count))
    outage.run()
    assert outage.done.keys() == {"before", *names(count)}
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    # Those that were begun together cannot know of each other.
    at_once = sum(request.at == 1.0 for request in outage.requests)
    failed = sum(request.status != 200 for request in outage.requests)
    assert failed <= 2 * at_once + probes_within(seconds)
    # It is found out within a pause, which is no longer than the outage was.
    first = min(at for id, (_, at) in outage.done.items() if id != "before")
    assert first <= 1.0 + seconds + min(LONGEST_PAUSE, seconds + FIRST_PAUSE) + 0.1
    assert outage.done_at <= first + 2.0


def test_after_an_outage_twice_as_many_go_through_each_round() -> None:
    outage = Outage(away_between(0.0, 5.0, REFUSED), slots=10**4)
    outage.push(*names(400))
    outage.run()
    rounds = Counter(round(r.at, 3) for r in outage.requests if r.status == 200)
    assert list(rounds.values()) == [1, 2, 4, 8, 16, 32, 337]


def test_attempts_under_way_when_it_goes_away_cost_nothing_either() -> None:
    """A server that stops takes no new requests while it finishes the old ones: what
    it answers then does not say that the new ones fail by their own fault."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if at < 1.0:
            return 0.5 + 0.1 * int(task.id[1:]), status(200)
        return QUICK, status(502) if at < 12.0 else status(200)

    outage = Outage(target, slots=400)
    outage.push(*names(50))
    outage.at(1.0, lambda: outage.push(*names(200, "n")))
    outage.run()
    assert len(outage.done) == 250
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    failed = [request for request in outage.requests if request.status == 502]
    at_once = sum(request.at < failed[0].ended_at for request in outage.requests)
    assert len(failed) <= 2 * at_once + probes_within(12.0)
    assert outage.done_at <= 12.0 + 16.0


def test_who_fails_late_does_not_make_the_pauses_longer() -> None:
    """A hundred that were under way fail one by one: the target is asked as often as if
    it had been one."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if at < 1.0:
            return 1.0 + 0.1 * int(task.id[1:]), REFUSED
        return QUICK, REFUSED if at < 8.0 else status(200)

    outage = Outage(target, slots=10**4)
    outage.push(*names(100))
    outage.run()
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    probes = [request.at for request in outage.requests if request.at >= 1.0]
    assert len([at for at in probes if at < 8.0]) <= probes_within(7.0)
    assert min(at for _, at in outage.done.values()) <= 8.0 + 8.0


def test_a_target_that_hangs_when_it_is_asked_is_asked_again_meanwhile() -> None:
    """A probe whose answer never comes does not keep the others for ever."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if at < 1.0:
            return QUICK, REFUSED
        if at < 2.0:
            return 600.0, Outcome(False, NO_ANSWER, b"timed out")
        return QUICK, status(200)

    outage = Outage(target)
    outage.push(*names(100))
    outage.run(500.0)
    assert len(outage.done) == 99
    assert outage.now <= 500.0
    assert max(at for _, at in outage.done.values()) <= 2.0 + PATIENCE + 5.0


def test_a_target_that_only_hangs_is_asked_now_and_then() -> None:
    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if at < 1.0:
            return QUICK, REFUSED
        return 600.0, Outcome(False, NO_ANSWER, b"timed out")

    outage = Outage(target)
    outage.push(*names(100))
    outage.run(600.0)
    hanging = [request.at for request in outage.requests if request.at >= 1.0]
    gaps = [after - before for before, after in pairwise(hanging)]
    assert min(gaps) >= PATIENCE
    assert max(gaps) <= PATIENCE + 1.0


def test_one_task_for_a_dead_target_keeps_its_gate_from_attempt_to_attempt() -> None:
    outage = Outage(lambda task, at: (QUICK, REFUSED))
    outage.push("a")
    outage.run(600.0)
    assert len(outage.requests) <= probes_within(600.0)
    assert outage.queue.tasks["a"].attempts == 0
    origin = outage.origin()
    assert origin is not None
    assert origin.is_held


# --- one that is gone for good --------------------------------------------------------


@pytest.mark.parametrize("outcome", AWAY, ids=AWAY_NAMES)
def test_a_target_that_is_gone_for_longer_than_the_limit_is_waited_for_no_more(
    outcome: Outcome,
) -> None:
    """From then on its tasks fail as any task does, and the hold comes back only after
    it has answered."""
    limit = 300.0
    outage = Outage(away_between(0.0, 1e8, outcome), hold_limit=limit)
    outage.push(*names(20))
    outage.run(limit)
    assert all(task.attempts == 0 for task in outage.queue.tasks.values())
    outage.run(limit + LONGEST_PAUSE + 1.0)
    origin = outage.origin()
    assert origin is not None
    assert not origin.is_held
    assert all(task.attempts >= 1 for task in outage.queue.tasks.values())
    outage.run(limit + 1000.0)
    assert len(outage.queue.dead) == 20
    assert all(task.attempts == 4 for task in outage.queue.dead.values())
    assert outage.origin() is None


def test_the_hold_comes_back_after_an_answer() -> None:
    def target(task: Task, at: float) -> tuple[float, Outcome]:
        return QUICK, status(200) if 400.0 <= at < 500.0 else REFUSED

    outage = Outage(target, hold_limit=300.0)
    outage.push("old", max_retries=1000)
    outage.run(390.0)
    spent = outage.queue.tasks["old"].attempts
    assert spent > 0
    outage.run(510.0)
    assert outage.done["old"][0] > spent
    outage.push("new")
    outage.run(510.0 + 290.0)
    assert outage.queue.tasks["new"].attempts == 0


def test_without_a_limit_no_target_is_waited_for() -> None:
    outage = Outage(away_between(0.0, 1e8, REFUSED), hold_limit=0.0)
    outage.push(*names(10))
    outage.run()
    assert len(outage.queue.dead) == 10
    assert len(outage.requests) == 40


def test_a_restart_forgets_the_gates_and_counts_nothing_for_it() -> None:
    outage = Outage(away_between(0.0, 500.0, status(503)))
    outage.push(*names(50))
    outage.run(100.0)
    for moment in (100.0, 200.0, 300.0):
        outage.run(moment)
        assert not outage.queue.leased
        outage.restart()
        assert not any(o.gate for o in outage.queue.turns.origins.values())
    outage.run()
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    assert len(outage.done) == 50


def test_a_hold_can_be_lifted_by_hand() -> None:
    outage = Outage(away_between(0.0, 40.0, REFUSED))
    outage.push(*names(50))
    outage.run(41.0)
    assert not outage.done
    origin = outage.origin()
    assert origin is not None
    turns = outage.queue.turns
    turns.origins.lift(origin, turns.due_at(1))
    turns.settle(origin)
    outage.run(41.5)
    assert len(outage.done) == 50
    assert outage.origin() is None


def test_an_origin_for_which_nothing_waits_is_forgotten_with_its_gate() -> None:
    outage = Outage(away_between(0.0, 1e8, status(503)), hold_limit=1.0)
    for number in range(50):
        outage.push(f"t{number}", origin=f"http://{number}:80", max_retries=0)
    outage.run()
    assert len(outage.queue.dead) == 50
    assert not outage.queue.turns.origins


# --- one task that fails alone --------------------------------------------------------


def poisoned(poison: str = "p", outcome: Outcome = AWAY[2]) -> Target:
    """A target that answers all but the tasks that begin so."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        return QUICK, outcome if task.id.startswith(poison) else status(200)

    return target


def keep_busy(
    outage: Outage, *, every: float, until: float, queue: str = "default"
) -> None:
    """Push a task now and then."""
    for number in range(int(until / every)):
        push = partial(outage.push, f"g{number}", queue=queue)
        outage.at((number + 1) * every, push)


def delays(outage: Outage, every: float) -> list[float]:
    """How long after its push each of those was done."""
    return [at - (int(id[1:]) + 1) * every for id, (_, at) in outage.done.items()]


@pytest.mark.parametrize("outcome", AWAY[1:], ids=AWAY_NAMES[1:])
def test_a_handler_that_alone_answers_503_fails_as_ever(outcome: Outcome) -> None:
    """Its attempts count, it dies in the end, and it costs the others a pause, once."""
    outage = Outage(poisoned(outcome=outcome))
    outage.push("p")
    keep_busy(outage, every=0.05, until=300.0)
    outage.run()
    assert outage.queue.dead["p"].attempts == 4
    tried = [request.at for request in outage.requests if request.id == "p"]
    assert len(tried) == 5
    assert len(outage.done) == 6000
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    late = delays(outage, 0.05)
    assert max(late) <= FIRST_PAUSE + 0.2
    # Of all that time the others were kept for one pause.
    assert sum(delay > 0.1 for delay in late) <= FIRST_PAUSE / 0.05 + 2


def test_a_handler_that_fails_alone_does_so_in_the_other_queue_too() -> None:
    """What shares an origin shares its trouble, and no more than that."""
    outage = Outage(poisoned())
    outage.push("p", queue="bad")
    keep_busy(outage, every=0.05, until=200.0, queue="good")
    outage.run()
    assert outage.queue.dead["p"].attempts == 4
    assert len(outage.done) == 4000
    assert max(delays(outage, 0.05)) <= FIRST_PAUSE + 0.2


def test_a_queue_full_of_what_fails_does_not_starve_the_other() -> None:
    """Turns go around, so that a probe of the other queue comes second at latest."""
    outage = Outage(poisoned())
    outage.push(*names(1000, "p"), queue="bad")
    keep_busy(outage, every=0.5, until=3000.0, queue="good")
    outage.run()
    assert len(outage.done) == 6000
    assert len(outage.queue.dead) == 1000
    assert max(delays(outage, 0.5)) <= 5.0


def test_tasks_that_fail_alone_before_all_others_end_too() -> None:
    """Nobody can tell them from a target that is away, until it has been waited for as
    long as it may be."""
    outage = Outage(poisoned(), hold_limit=600.0)
    outage.push(*names(100, "p"))
    outage.push(*names(100, "g"))
    outage.run()
    assert len(outage.done) == 100
    assert {attempts for attempts, _ in outage.done.values()} == {1}
    assert max(at for _, at in outage.done.values()) <= 600.0 + LONGEST_PAUSE + 5.0
    assert len(outage.queue.dead) == 100


def test_among_many_that_are_answered_one_that_is_not_keeps_nobody() -> None:
    """In heavy traffic a handler that fails alone costs the others nothing at all."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if task.id == "p":
            return QUICK, status(503)
        return 0.2, status(200)

    outage = Outage(target)
    keep_busy(outage, every=0.02, until=20.0)
    outage.at(10.0, lambda: outage.push("p"))
    outage.run()
    assert outage.queue.dead["p"].attempts == 4
    assert max(delays(outage, 0.02)) <= 0.2 + 0.1


def test_one_broken_handler_among_many_requests_keeps_nobody() -> None:
    """Each of its tasks is tried once for nothing; that must not hold the others up,
    however many there are."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        broken = task.id.startswith("p")
        return (QUICK, status(504)) if broken else (0.2, status(200))

    outage = Outage(target)
    keep_busy(outage, every=0.02, until=30.0)
    for number in range(200):
        outage.at(5.0 + number / 10, partial(outage.push, f"p{number}"))
    outage.run()
    assert len(outage.queue.dead) == 200
    assert len(outage.done) == 1500
    assert max(delays(outage, 0.02)) <= 0.5


def test_an_answer_that_steers_is_one_whatever_its_status() -> None:
    """An application that says what shall become of the task is there."""

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if task.id.startswith("s") and at < 100.0:
            return QUICK, Outcome(False, 503, b"", snooze=100.0)
        if task.id.startswith("d"):
            return QUICK, Outcome(False, 503, b"", final=True)
        return QUICK, status(200)

    outage = Outage(target)
    outage.push(*names(20, "s"), *names(20, "d"), *names(20))
    outage.run(2.0)
    assert len(outage.queue.dead) == 20
    assert len(outage.done) == 20
    outage.run()
    assert {outage.done[id][0] for id in names(20, "s")} == {1}


# --- a target that has enough ---------------------------------------------------------


class Busy:
    """A target that does ``most`` at a time and answers 429 to whatever is more."""

    def __init__(self, most: int, *, takes: float = 0.1, retry_after: float = 0.0):
        self.most = most
        self._takes = takes
        self._refusal = status(429, retry_after=retry_after)
        self._ends: list[float] = []
        self.highest = 0

    def __call__(self, task: Task, at: float) -> tuple[float, Outcome]:
        self._ends = [end for end in self._ends if end > at + 1e-3]
        self.highest = max(self.highest, len(self._ends))
        if len(self._ends) >= self.most:
            return QUICK, self._refusal
        self._ends.append(at + self._takes)
        return self._takes, status(200)


def refused(outage: Outage, since: float, until: float) -> float:
    """Which part of the requests of that time was answered 429."""
    seen = [r.status for r in outage.requests if since <= r.at < until]
    return sum(one == 429 for one in seen) / max(len(seen), 1)


def test_a_target_that_has_enough_sees_fewer_at_once_until_it_has_not() -> None:
    busy = Busy(5)
    outage = Outage(busy, slots=256)
    outage.push(*names(3000), max_retries=1000)
    outage.run(40.0)
    assert refused(outage, 0.0, 0.005) > 0.8
    assert refused(outage, 10.0, 40.0) < 0.15
    # Between the complaints it gets what it can do.
    assert len(outage.done) >= 300
    busy.most = 1000
    outage.run()
    assert len(outage.done) == 3000


def test_what_is_under_way_counts_when_a_target_is_slowed() -> None:
    """Half as many at once are half of those that it has got, and not as many more."""
    under_way: list[tuple[float, float]] = []

    def target(task: Task, at: float) -> tuple[float, Outcome]:
        if task.id == "last":
            return QUICK, status(429)
        under_way.append((at, at + 60.0))
        return 60.0, status(200)

    outage = Outage(target, slots=10**4)
    outage.push(*names(20))
    outage.at(1.0, lambda: outage.push("last"))
    outage.at(2.0, lambda: outage.push(*names(40, "n")))
    outage.run(1.0 + PATIENCE)
    assert len(under_way) == 20
    # From then on half of those, and one more with each round that is answered.
    outage.run(100.0)
    assert 10 <= sum(begun <= 100.0 < ended for begun, ended in under_way) <= 25


def test_a_target_that_says_how_long_is_left_alone_for_so_long() -> None:
    busy = Busy(0, retry_after=120.0)
    outage = Outage(busy)
    outage.push(*names(50), max_retries=1000)
    outage.run(119.0)
    seen = len(outage.requests)
    assert {request.at for request in outage.requests} == {0.0}
    outage.run(120.5)
    assert len(outage.requests) <= seen + seen / 2
    busy.most = 1000
    outage.run()
    assert len(outage.done) == 50


def test_a_target_that_always_has_enough_is_asked_one_at_a_time_and_seldom() -> None:
    outage = Outage(Busy(0))
    outage.push(*names(50), max_retries=1000)
    outage.run(600.0)
    late = [request.at for request in outage.requests if request.at > 300.0]
    assert 5 <= len(late) <= 11
    # Nothing of that is free: whoever asks has spent an attempt.
    assert all(task.attempts >= 1 for task in outage.queue.tasks.values())


def test_a_status_that_is_expected_is_no_complaint() -> None:
    outage = Outage(lambda task, at: (QUICK, Outcome(True, 429, b"")))
    outage.push(*names(100))
    outage.run()
    assert outage.now <= 0.1
    assert SITE not in outage.queue.turns.origins


# --- several targets ------------------------------------------------------------------


def test_a_target_that_is_away_keeps_nobody_elses_tasks() -> None:
    def target(task: Task, at: float) -> tuple[float, Outcome]:
        return QUICK, REFUSED if task.id.startswith("dead") else status(200)

    outage = Outage(target, slots=8)
    outage.push(*names(1000, "dead"), origin="http://dead:80")
    outage.push(*names(1000, "live"), origin="http://live:80")
    outage.run(11.0)
    assert len(outage.done) == 1000
    assert {attempts for attempts, _ in outage.done.values()} == {1}


def test_a_group_waits_out_an_outage_in_its_order() -> None:
    outage = Outage(away_between(0.0, 100.0, REFUSED))
    outage.push(*names(10), group="g")
    outage.push(*names(10, "other"))
    outage.run()
    assert [id for id in outage.done if id in names(10)] == names(10)
    assert {attempts for attempts, _ in outage.done.values()} == {1}
