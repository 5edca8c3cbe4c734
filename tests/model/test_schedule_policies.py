"""What becomes of runs that are missed, or whose time comes while another is under way:
on a moved clock, with exact counts and times."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poussetaches.model import decisions, endings, recurrence
from poussetaches.model.events import Event, Leased, Recurred
from poussetaches.model.queue import TaskQueue
from poussetaches.model.rules import Rules
from poussetaches.model.task import Special, Submission, Task, Terms
from tests.support.queues import FAILURE, NOW, OK, POLICY, apply, ranked
from tests.support.schedules import HOUR, JUMPS, slots

RULES = Rules("UTC")
MISSED = ("one", "none", "all")
OVERLAP = ("skip", "queue")


class Wish(NamedTuple):
    """What a push says about its schedule."""

    text: str
    zone: str = ""
    missed: str = "one"
    overlap: str = "skip"

    @property
    def terms(self) -> Terms:
        return Terms(
            special=Special(None, None, None, (), None, "", "", "", "s", *self[1:])
        )


class Run(NamedTuple):
    """One run: when it began and ended, and for which slot. Seconds from NOW."""

    began: float
    ended: float
    slot: float


class Down(NamedTuple):
    """From when to when the service does nothing. Seconds from NOW."""

    begins: float
    ends: float


@dataclass
class House:
    """A queue with one schedule, and what it takes to begin it again."""

    queue: TaskQueue = field(default_factory=TaskQueue)
    journal: list[Event] = field(default_factory=list)

    def happen(self, events: Sequence[Event]) -> None:
        apply(self.queue, events)
        self.journal += events

    def restart(self, *, from_dump: bool) -> None:
        """The service begins again with what is on disk."""
        before = ranked(self.queue)
        again = TaskQueue()
        if from_dump:
            old = copy.deepcopy(self.queue)
            again.load(
                tasks=[*old.tasks.values()],
                schedules=[*old.schedules.values()],
                succeeded=[*old.succeeded.values()],
                dead=[*old.dead.values()],
                counts=old.counts,
                paused=old.paused,
                skew=old.skew,
                latest=old.latest,
            )
        else:
            apply(again, self.journal)
        assert ranked(again) == before
        self.queue = again


def begin(house: House, now: float) -> Task | None:
    """Lease the run that is due, as whoever leases has to."""
    run = house.queue.tasks["s"]
    while run.eta <= now:
        skipped = recurrence.skip_missed(house.queue, run, now, RULES)
        if not skipped:
            house.happen([Leased("s", now, run.attempts + 1)])
            return run
        house.happen(skipped)
        run = house.queue.tasks["s"]
    return None


def runs(
    wish: Wish,
    seconds: float,
    lasting: Sequence[float] = (0.0,),
    downs: Sequence[Down] = (),
    *,
    start: float = NOW,
    from_dump: bool = False,
) -> list[Run]:
    """The runs of a schedule that begin in so many seconds from ``start``; the first
    takes as long as the first of ``lasting`` says, and so on, around and around. What
    the service is stopped in the middle of is begun again when it is back."""
    house = House()
    asked = Submission("s", b"spec", 0.0, wish.text, wish.terms)
    house.happen(decisions.push(house.queue, asked, start, POLICY))
    takes = itertools.cycle(lasting)
    found: list[Run] = []
    now = start
    while True:
        now = up_at(max(now, house.queue.tasks["s"].eta), downs, start)
        if now > start + seconds:
            return found
        run = begin(house, now)
        if run is None:
            continue
        began, slot, left = now, run.slot, next(takes)
        while (ends := now + left) > (stop := stops_at(now, downs, start)):
            house.restart(from_dump=from_dump)
            run = house.queue.tasks["s"]
            now = up_at(stop, downs, start)
            house.happen(endings.hand_back(house.queue, run, now, POLICY))
            assert begin(house, now) is run, "what has begun is never skipped"
        now = ends
        found.append(Run(began - start, now - start, slot - start))
        house.happen(endings.conclude(house.queue, run, OK, now, 0.5, POLICY))
        last = house.queue.schedules["s"].last
        assert last is not None
        assert (last.slot, last.at, last.outcome) == (slot, now, "succeeded")


def up_at(now: float, downs: Sequence[Down], start: float) -> float:
    """The first moment from ``now`` on at which the service is there."""
    for down in sorted(downs):
        if start + down.begins <= now < start + down.ends:
            now = start + down.ends
    return now


def stops_at(now: float, downs: Sequence[Down], start: float) -> float:
    """When the service stops next."""
    coming = [start + down.begins for down in downs if start + down.begins > now]
    return min(coming, default=float("inf"))


# --- examples, as the documents draw them ---------------------------------------------

EVERY_10 = "@every 10s"
AFTERWARDS = [(130, 130), (140, 140)]


def brief(found: list[Run]) -> list[tuple[float, float]]:
    """Begin and slot of each."""
    return [(run.began, run.slot) for run in found]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("one", [(10, 10), (125, 20), *AFTERWARDS]),
        ("none", [(10, 10), *AFTERWARDS]),
        (
            "all",
            [(10, 10), *((125, slot) for slot in range(20, 130, 10)), *AFTERWARDS],
        ),
    ],
)
def test_of_runs_missed_while_the_service_is_down(
    missed: str, expected: list[tuple[float, float]]
) -> None:
    """One of them is made up for, none, or every one."""
    wish = Wish(EVERY_10, missed=missed)
    assert brief(runs(wish, 140.0, downs=[Down(15.0, 125.0)])) == expected


@pytest.mark.parametrize(
    ("missed", "overlap", "expected"),
    [
        ("one", "skip", [(10, 10), (40, 40), (50, 50), (60, 60)]),
        # 20 and 30 were overlapped. 20 comes late; by then 30 has been missed, too.
        ("one", "queue", [(10, 10), (35, 20), (40, 40), (50, 50), (60, 60)]),
        ("all", "skip", [(10, 10), (40, 40), (50, 50), (60, 60)]),
        ("all", "queue", [(10, 10), (35, 20), (35, 30), (40, 40), (50, 50), (60, 60)]),
        # It waited for the one before it, not for the service.
        ("none", "queue", [(10, 10), (35, 20), (40, 40), (50, 50), (60, 60)]),
    ],
)
def test_of_runs_whose_time_comes_during_another(
    missed: str, overlap: str, expected: list[tuple[float, float]]
) -> None:
    """They are left out, or one waits for its end, or each does."""
    wish = Wish(EVERY_10, missed=missed, overlap=overlap)
    lasting = [25.0, *[0.0] * 10]
    assert brief(runs(wish, 60.0, lasting)) == expected


def test_one_that_was_queued_behind_a_long_run_is_not_taken_for_missed() -> None:
    wish = Wish(EVERY_10, missed="none", overlap="queue")
    found = runs(wish, 500.0, [400.0, *[0.0] * 100])
    assert brief(found)[:3] == [(10, 10), (410, 20), (420, 420)]


@pytest.mark.parametrize(("late", "is_run"), [(60.0, True), (60.5, False)])
def test_a_minute_late_is_in_time(late: float, is_run: bool) -> None:
    wish = Wish("@every 1h", missed="none")
    found = runs(wish, 3 * HOUR, downs=[Down(HOUR - 1, HOUR + late)])
    first = [(HOUR + late, HOUR)] if is_run else []
    assert brief(found) == [*first, (2 * HOUR, 2 * HOUR), (3 * HOUR, 3 * HOUR)]


def test_a_skipped_run_is_known_as_the_last_one() -> None:
    """Who asks why a night has no report finds it."""
    house = House()
    wish = Wish("@every 1h", missed="none")
    asked = Submission("s", b"spec", 0.0, wish.text, wish.terms)
    house.happen(decisions.push(house.queue, asked, NOW, POLICY))
    at = NOW + HOUR + 61.0
    assert begin(house, at) is None
    last = house.queue.schedules["s"].last
    assert last == (NOW + HOUR, at, "skipped", 0, 0)
    assert house.queue.counts.cancelled == 1
    assert house.queue.difference() == 0


def test_a_run_that_is_retried_is_not_skipped() -> None:
    """It began in time; how long it takes is for its backoff to say."""
    house = House()
    wish = Wish("@every 1h", missed="none")
    asked = Submission("s", b"spec", 0.0, wish.text, wish.terms)
    house.happen(decisions.push(house.queue, asked, NOW, POLICY))
    now = NOW + HOUR
    run = begin(house, now)
    assert run is not None
    house.happen(endings.conclude(house.queue, run, FAILURE, now, 0.5, POLICY))
    assert begin(house, now + 600.0) is run
    assert run.attempts == 2


# --- properties -----------------------------------------------------------------------


def expected_runs(
    named: Sequence[float],
    wish: Wish,
    seconds: float,
    lasting: Sequence[float],
    downs: Sequence[Down],
) -> list[Run]:
    """The same by the words of the documents, from a list of all slots there are."""
    takes = itertools.cycle(lasting)
    found: list[Run] = []
    free = 0.0
    left = named
    while left:
        slot = left[0]
        since = max(slot, free)
        began = up_at(since, downs, 0.0)
        if began > seconds:
            return found
        if wish.missed == "none" and began - since > recurrence.IN_TIME:
            left = [other for other in named if other > began]
            continue
        ended, rest = began, next(takes)
        while ended + rest > (stop := stops_at(ended, downs, 0.0)):
            ended = up_at(stop, downs, 0.0)
        ended += rest
        found.append(Run(began, ended, slot))
        free = ended
        left = [
            other
            for other in named
            if (slot < other <= began and wish.missed == "all")
            or (began < other <= ended and wish.overlap == "queue")
            or other > ended
        ]
    return found


ZONES = ("Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "UTC")
WISHES = st.builds(
    Wish,
    st.sampled_from(["*/5 * * * *", "@hourly", "15,45 0-5 * * *", "30 2 * * *"]),
    st.sampled_from(ZONES),
    st.sampled_from(MISSED),
    st.sampled_from(OVERLAP),
)
LASTING = st.lists(
    st.sampled_from([0.0, 0.0, 1.0, 59.0, 61.0, 400.0, 3700.0, 8000.0]),
    min_size=1,
    max_size=5,
)
PAUSES = st.lists(
    st.tuples(
        st.sampled_from([1.0, 300.0, 3599.0, 7200.0]),
        st.sampled_from([0.5, 60.0, 61.0, 900.0, 20_000.0]),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=120)
@given(
    wish=WISHES,
    lasting=LASTING,
    pauses=PAUSES,
    jump=st.integers(0, 50),
    before=st.sampled_from([0.0, 7200.0, 40_000.0]),
    from_dump=st.booleans(),
)
def test_runs_are_those_that_missed_and_overlap_ask_for(
    wish: Wish,
    lasting: list[float],
    pauses: list[tuple[float, float]],
    jump: int,
    before: float,
    from_dump: bool,
) -> None:
    """Over changes of the clocks, long runs, and restarts in the midst of them."""
    jumps = JUMPS[wish.zone] or [int(NOW)]
    start = float(jumps[jump % len(jumps)]) - before
    downs: list[Down] = []
    end = 0.0
    for after, lasts in pauses:
        downs.append(Down(end + after, end + after + lasts))
        end += after + lasts
    seconds = 100_000.0
    named = itertools.takewhile(
        lambda slot: slot <= start + 2 * seconds,
        slots(RULES.read(wish.text, wish.zone), start),
    )
    expected = expected_runs(
        [slot - start for slot in named], wish, seconds, lasting, downs
    )
    found = runs(wish, seconds, lasting, downs, start=start, from_dump=from_dump)
    assert found == expected
    if wish.missed == "all" and wish.overlap == "queue":
        for one, other in itertools.pairwise(found):
            following = RULES.first(wish.text, start + one.slot, wish.zone)
            assert start + other.slot == following, "every slot, once"


@given(
    text=st.sampled_from([EVERY_10, "@every 7s"]),
    missed=st.sampled_from(MISSED),
    overlap=st.sampled_from(OVERLAP),
    lasting=LASTING,
    downtime=st.sampled_from([0.0, 30.0, 59.0, 200.0]),
)
def test_an_interval_keeps_its_beat(
    text: str, missed: str, overlap: str, lasting: list[float], downtime: float
) -> None:
    """Whatever is left out or late: slots are whole periods from the first one."""
    period = float(text[7:-1])
    downs = [Down(100.0, 100.0 + downtime)]
    wish = Wish(text, missed=missed, overlap=overlap)
    found = runs(wish, 2000.0, lasting, downs)
    assert [run.slot % period for run in found] == [0.0] * len(found)
    named = [period * n for n in range(1, 2000)]
    assert found == expected_runs(named, wish, 2000.0, lasting, downs)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_clock_that_is_set_moves_what_waits_for_a_time_and_not_a_snooze(
    step: float,
) -> None:
    """A run that has begun is not begun anew because the clock says so."""
    queue = TaskQueue()
    paris = Terms(special=Special(timezone="Europe/Paris"))
    asked = Submission("s", b"spec", 0.0, "30 2 * * *", paris)
    apply(queue, decisions.push(queue, asked, NOW, POLICY))
    slot = queue.tasks["s"].slot
    apply(queue, recurrence.step_clock(queue, step, NOW + 1, RULES))
    assert queue.tasks["s"].eta == slot - step
    apply(queue, [Leased("s", slot - step, 1)])
    snooze = OK._replace(ok=False, snooze=60.0)
    run, at = queue.tasks["s"], slot - step
    apply(queue, endings.conclude(queue, run, snooze, at, 0.5, POLICY))
    assert len(recurrence.step_clock(queue, 0.0, at, RULES)) == 1


def test_the_next_run_is_by_the_clock_of_its_own_zone() -> None:
    """Two schedules of one rule, in two zones, and a service in a third."""
    queue = TaskQueue()
    policy = POLICY._replace(rules=Rules("Asia/Kolkata"))
    for zone in ("Europe/Paris", "America/New_York"):
        terms = Terms(special=Special(timezone=zone))
        asked = Submission(zone, b"", 0.0, "0 12 * * *", terms)
        apply(queue, decisions.push(queue, asked, NOW, policy))
    assert queue.tasks["Europe/Paris"].slot == NOW + 11 * HOUR
    assert queue.tasks["America/New_York"].slot == NOW + 17 * HOUR
    run = queue.tasks["Europe/Paris"]
    now = run.eta
    apply(queue, [Leased(run.id, now, 1)])
    (_, coming) = endings.conclude(queue, run, OK, now, 0.5, policy)
    assert isinstance(coming, Recurred)
    assert coming.slot == NOW + 35 * HOUR
