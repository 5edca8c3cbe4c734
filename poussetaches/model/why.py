"""Why a task is not running: what keeps it, in words and in numbers, and until when.

Pure, as the decisions: it looks at the queue and changes nothing.

**The expected start** is the latest moment of all that is known: its own time, that of
its target, that of its queue's rate. What stands before it in its queue is reckoned by
the pace at which that queue moves, attempts begun per second lately, but not faster
than its rate allows. Nobody knows it (None) where somebody must do something first, or
where it depends on the end of other attempts and nothing has moved lately.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice, takewhile
from typing import Any, NamedTuple

from poussetaches.model.groups import group_of
from poussetaches.model.line import position
from poussetaches.model.lookup import IN_WORDS
from poussetaches.model.named_queue import REST, Queue
from poussetaches.model.origin import Origin
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, State, Task

#: Lanes that are looked into, and tasks of a group that are counted, at most.
MOST_LANES = 200
MOST_OF_A_GROUP = 1000

_UNITS = (
    ("d", 86_400, "h", 3600),
    ("h", 3600, "m", 60),
    ("m", 60, "s", 1),
)

#: When a reason ends that does so when an attempt does, and one that nobody knows.
SOON = -math.inf
UNKNOWN = math.inf


class Service(NamedTuple):
    """What the queue does not know of itself."""

    #: Attempts that all workers together can make at once, and could begin now.
    slots: int
    free: int
    is_stopping: bool = False
    #: Nothing begins, because the disk has no room to note that.
    is_full: bool = False
    #: Attempts that the task's queue has begun per second lately; 0.0: none.
    pace: float = 0.0


class Reason(NamedTuple):
    """One thing that keeps a task."""

    #: For programs.
    code: str
    #: For people.
    sentence: str
    #: When it ends, on the timeline; or SOON or UNKNOWN.
    until: float
    #: What the sentence says, by name.
    numbers: Mapping[str, Any]


class Why(NamedTuple):
    """All that keeps a task. What binds first stands first."""

    reasons: list[Reason]
    #: When its next attempt is expected to begin, on the timeline.
    expected: float | None


def why(queue: TaskQueue, task: Task, now: float, service: Service) -> Why:
    """Why ``task``, live or remembered, is not running ``now``. At least one reason."""
    if task.state is not State.WAITING:
        return Why([_not_waiting(task, now)], None)
    reasons = [*_lifted_by_hand(queue, task, service)]
    head = queue.turns.groups.head(group_of(task.terms)) or task
    if head is not task:
        reasons.append(_behind_its_group(queue, task, head, now, service))
        return _why([*reasons, *_own_time(task, now)], now, service)
    one = queue.turns.queues[task.terms.queue]
    origin = queue.turns.origins[task.terms.origin]
    of_target = [*_of_target(origin, now), *_share(origin, service)]
    passing = [*_busy(service), *of_target, *_of_queue(one, now)]
    if task.eta > now:
        # What will be over by then does not keep it.
        reasons += _own_time(task, now)
        reasons += [reason for reason in passing if reason.until > task.eta]
        return _why(reasons, now, service)
    found = _why([*reasons, *passing], now, service)
    if of_target:
        # Others of its queue overtake it, those for the same target do not.
        before, is_all = origin.lanes[one.name].count_before(position(task)), True
    else:
        before, is_all = _before(one, task, service.free)
    if before:
        return _after(before, is_all, one, found, now, service)
    return found if found.reasons else Why([_next(one)], now)


def _why(reasons: list[Reason], now: float, service: Service) -> Why:
    return Why(reasons, _latest([one.until for one in reasons], now, service.pace))


def _latest(moments: list[float], now: float, pace: float) -> float | None:
    """When the last of ``moments`` has come; None: nobody knows."""
    latest = max([now, *moments])
    if SOON in moments:
        if not pace:
            return None
        latest = max(latest, now + 1 / pace)
    return latest if latest < UNKNOWN else None


# --- what keeps it --------------------------------------------------------------------


def _not_waiting(task: Task, now: float) -> Reason:
    if task.state is State.LEASED:
        sentence = f"Attempt {task.attempts} is under way."
        given: dict[str, Any] = {"attempt": task.attempts}
        if task.leased_at:
            given["seconds"] = round(now - task.leased_at, 3)
            so_far = in_words(now - task.leased_at)
            sentence = f"Attempt {task.attempts} has been under way for {so_far}."
        return Reason("in_flight", sentence, UNKNOWN, given)
    sentence = f"The task {IN_WORDS[task.state]}."
    if task.state is State.DEAD:
        sentence = f"The task is dead, after {_count(task.attempts, 'attempt')}."
    numbers = {"ended": task.state.value, "attempts": task.attempts}
    return Reason("ended", sentence, UNKNOWN, numbers)


def _lifted_by_hand(queue: TaskQueue, task: Task, service: Service) -> Iterator[Reason]:
    if service.is_stopping:
        sentence = "The service is stopping: the task waits for its next start."
        yield Reason("stopping", sentence, UNKNOWN, {})
    if queue.paused:
        sentence = "The service is paused: nothing begins until it is resumed."
        yield Reason("paused", sentence, UNKNOWN, {})
    name = task.terms.queue
    if queue.turns.queues[name].settings.paused:
        yield Reason("queue_paused", f"Queue {name} is paused.", UNKNOWN, {})
    if not service.slots:
        yield Reason("no_worker", "No worker is ready.", UNKNOWN, {})
    if service.is_full:
        sentence = "The disk is full: there is no room to note that an attempt begins."
        yield Reason("disk_full", sentence, UNKNOWN, {})


def _behind_its_group(
    queue: TaskQueue, task: Task, head: Task, now: float, service: Service
) -> Reason:
    group = group_of(task.terms)
    members = islice(queue.turns.groups.members(group), MOST_OF_A_GROUP)
    before = sum(1 for _ in takewhile(lambda member: member is not task, members))
    told = f"Task {head.id}"
    if before > 1:
        more = "more than " if before >= MOST_OF_A_GROUP else ""
        told += f" and {more}{_count(before - 1, 'other task')}"
    numbers: dict[str, Any] = {"group": group, "task": head.id, "before": before}
    attempt = head.attempts
    until = UNKNOWN
    state = f"attempt {attempt} is under way"
    if head.state is State.WAITING:
        attempt += 1
        expected = why(queue, head, now, service).expected
        until = UNKNOWN if expected is None else expected
        state = f"attempt {attempt} waits"
        if head.eta > now:
            state = f"attempt {attempt} in {in_words(head.eta - now)}"
    numbers["attempt"] = attempt
    verb = "are" if before > 1 else "is"
    sentence = f"{told} of its group {verb} before it: {state}."
    return Reason("group", sentence, until, numbers)


def _own_time(task: Task, now: float) -> Iterator[Reason]:
    if task.eta <= now:
        return
    rest = in_words(task.eta - now)
    numbers: dict[str, Any] = {"seconds": round(task.eta - now, 3)}
    last = task.past[-1] if task.past else None
    does_not_count = last is not None and last.outcome == "deferred"
    if not task.attempts and not does_not_count:
        yield Reason("not_due", f"It is due in {rest}.", task.eta, numbers)
        return
    status = str(task.error_status)
    if task.error_status == NO_ANSWER:
        status = (last and last.kind) or "no answer"
    told = f"Attempt {task.attempts} failed"
    if does_not_count:
        told = "The last attempt does not count"
    numbers |= {"attempt": task.attempts, "status": task.error_status}
    sentence = f"{told} ({status}); the next one is in {rest}."
    yield Reason("backoff", sentence, task.eta, numbers)


def _of_target(origin: Origin, now: float) -> Iterator[Reason]:
    name, in_flight = origin.name or "The target", origin.in_flight
    gate = origin.gate
    if gate is not None:
        is_away = gate.since is not None
        code = "origin_held" if is_away else "origin_slowed"
        said = "is away" if is_away else "has enough"
        if not is_away and not gate.slows:
            said = "has just come back"
        if origin.rests and now < gate.opens_at:
            rest = gate.opens_at - now
            sentence = f"{name} {said}; asked again in {in_words(rest)}."
            numbers = {"seconds": round(rest, 3)}
            yield Reason(code, sentence, gate.opens_at, numbers)
        elif gate.is_full:
            under_way = _count(in_flight, "attempt")
            sentence = f"{name} {said}; {under_way} at once must do for now."
            yield Reason(code, sentence, SOON, {"in_flight": in_flight})
    if origin.cap is not None and in_flight >= origin.cap:
        sentence = (
            f"{name} is to have {origin.cap} attempts at once at most, and"
            f" {in_flight} are in flight."
        )
        numbers = {"in_flight": in_flight, "limit": origin.cap}
        yield Reason("origin_limit", sentence, SOON, numbers)


def _of_queue(one: Queue, now: float) -> Iterator[Reason]:
    most = one.settings.concurrency
    if most is not None and one.in_flight >= most:
        sentence = (
            f"Queue {one.name} has {one.in_flight} of at most {most} attempts in"
            " flight."
        )
        numbers = {"in_flight": one.in_flight, "limit": most}
        yield Reason("queue_concurrency", sentence, SOON, numbers)
    if one.limiter is not None and one.limiter.opens_at > now:
        opens_at, rate = one.limiter.opens_at, str(one.settings.rate)
        turn: dict[str, Any] = {"rate": rate, "seconds": round(opens_at - now, 3)}
        sentence = (
            f"The rate limit of queue {one.name} ({rate}) has its next free turn in"
            f" {in_words(opens_at - now)}."
        )
        yield Reason("rate", sentence, opens_at, turn)


def _busy(service: Service) -> Iterator[Reason]:
    if service.slots and service.free <= 0:
        slots = service.slots
        sentence = f"All {_count(slots, 'slot')} of the workers are taken."
        yield Reason("busy", sentence, SOON, {"slots": slots})


def _share(origin: Origin, service: Service) -> Iterator[Reason]:
    slots, free, in_flight = service.slots, service.free, origin.in_flight
    if 0 < free <= REST * in_flight:
        sentence = (
            f"Its target has its share of the slots: {in_flight} are in flight to it,"
            f" and the {free} of {slots} that are free are for others."
        )
        numbers = {"in_flight": in_flight, "free": free, "slots": slots}
        yield Reason("share", sentence, SOON, numbers)


def _next(one: Queue) -> Reason:
    sentence = f"It is the next one of queue {one.name}, and nothing keeps it."
    return Reason("next", sentence, SOON, {"queue": one.name})


# --- what stands before it ------------------------------------------------------------


def _before(one: Queue, task: Task, free: int) -> tuple[int, bool]:
    """How many tasks of its queue have their turn before ``task``, and whether that is
    all of them: so many lanes are looked into at most. Those of targets that are kept,
    or have their share of the slots, have no turn."""
    where = position(task)
    lanes = (
        lane
        for in_flight, line in one.lines.items()
        if free <= 0 or REST * in_flight < free
        for lane in line.until(where)
    )
    some = [*islice(lanes, MOST_LANES + 1)]
    before = sum(lane.count_before(where) for lane in some[:MOST_LANES])
    return before, len(some) <= MOST_LANES


def _after(
    before: int, is_all: bool, one: Queue, found: Why, now: float, service: Service
) -> Why:
    """What is known of a due task, with what stands before it in its queue."""
    more = "" if is_all else "More than "
    verb = "is" if before == 1 else "are"
    told = f"{more}{_count(before, 'task')} of queue {one.name} {verb} before it."
    reason = Reason("behind", told, SOON, {"before": before, "is_all": is_all})
    interval = _interval(one, service)
    expected = found.expected
    if expected is not None:
        if interval and is_all:
            expected += before * interval
        elif not is_all or before >= service.free:
            expected = None
    return Why([*found.reasons, reason], expected)


def _interval(one: Queue, service: Service) -> float:
    """Seconds from one attempt of a queue to the next; 0.0: nobody knows."""
    interval = 1 / service.pace if service.pace else 0.0
    rate = one.settings.rate
    return interval if rate is None else max(interval, rate.interval)


# --- words ----------------------------------------------------------------------------


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def in_words(seconds: float) -> str:
    """How long that is, for people: ``2.1 s``, ``41 s``, ``2 m 10 s``, ``3 h 5 m``."""
    if seconds < 9.95:
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    for unit, length, smaller, part in _UNITS:
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole} s"
