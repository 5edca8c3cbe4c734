"""Turns go around between queues with due work, whatever stands in them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.caps import Caps
from poussetaches.model.line import Line
from poussetaches.model.task import Task, Terms
from poussetaches.model.turns import Turns
from tests.support.lineup import Lineup
from tests.support.queues import NOW

QUEUES = ["default", "q1", "q2", "q3"]
ORIGINS = ["http://a:80", "http://b:80"]

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "begin", "begin", "begin", "end", "pause", "wait"]),
        st.integers(0, 999),
    ),
    max_size=120,
)


def may_begin(scene: Lineup) -> set[str]:
    """The queues with due work that nothing keeps."""
    return {
        name
        for name, queue in scene.turns.queues.items()
        if queue.opens_at <= scene.now
        and (task := queue.first(scene.free)) is not None
        and task.eta <= scene.now
    }


@given(deeds=DEEDS, backlog=st.lists(st.integers(0, 40), min_size=4, max_size=4))
def test_over_any_stretch_turns_of_two_queues_differ_by_one_at_most(
    deeds: list[tuple[str, int]], backlog: list[int]
) -> None:
    """A stretch: as long as both have due work that may run. What came before, a rest
    or a queue's own limits, is neither saved up nor held against it."""
    scene = Lineup(slots=500)
    scene.set("q2", rate=[3, "s"], burst=2)
    scene.set("q3", concurrency=2)
    paused = False
    for name, length in zip(QUEUES, backlog, strict=True):
        for number in range(length):
            scene.add(name, ORIGINS[number % 2])
    #: Of each pair, how many turns more the first had since their stretch began, and
    #: the most and the least of that.
    stretches: dict[tuple[str, str], tuple[int, int, int]] = {}
    for what, pick in deeds:
        if what == "add":
            scene.add(QUEUES[pick % 4], ORIGINS[pick % 2])
        elif what == "end" and scene.in_flight:
            scene.end(scene.in_flight[pick % len(scene.in_flight)])
        elif what == "pause":
            paused = not paused
            scene.set("q1", paused=paused)
        elif what == "wait":
            scene.now += [0.1, 1.0, 5.0][pick % 3]
        able = may_begin(scene)
        begun = scene.begin() if what == "begin" else None
        assert begun is None or begun.terms.queue in able
        assert what != "begin" or begun is not None or not able
        for one in QUEUES:
            for other in QUEUES:
                if one not in able or other not in able:
                    stretches.pop((one, other), None)
                    continue
                ahead, least, most = stretches.get((one, other), (0, 0, 0))
                if begun is not None:
                    ahead += begun.terms.queue == one
                    ahead -= begun.terms.queue == other
                least, most = min(least, ahead), max(most, ahead)
                assert most - least <= 1
                stretches[one, other] = ahead, least, most


def test_a_queue_that_was_quiet_has_one_turn_and_not_all() -> None:
    scene = Lineup()
    for _ in range(100):
        scene.add("busy")
    for _ in range(50):
        scene.begin()
    for _ in range(10):
        scene.add("quiet")
    begun = [scene.begin() for _ in range(10)]
    names = [task.terms.queue for task in begun if task is not None]
    assert Counter(names) == {"busy": 5, "quiet": 5}
    assert names[:2] == ["quiet", "busy"]


def test_a_queue_that_its_rate_kept_has_not_lost_its_place() -> None:
    scene = Lineup()
    scene.set("slow", rate=[1, "s"], burst=1)
    for _ in range(100):
        scene.add("busy")
        scene.add("slow")
    for _ in range(20):
        scene.begin()
    scene.now += 1.0
    names = [task.terms.queue for _ in range(10) if (task := scene.begin())]
    assert names == ["slow", *["busy"] * 9]


def test_a_queue_full_of_old_tasks_does_not_keep_a_new_one() -> None:
    """No longer than each of the other queues needs for one turn."""
    turns = Turns()
    old = [
        Task(f"{number}", b"", "", 0.0, NOW - 9e6 + number, number, terms=terms)
        for number in range(30_000)
        for terms in [Terms.of((None, "", "http://a:80", QUEUES[number % 3]))]
    ]
    turns.load(old, last_order=30_000)
    new = Task("new", b"", "", 0.0, NOW, 0, terms=Terms.of((None, "", "", "q3")))
    turns.add(new)
    for _ in range(len(QUEUES)):
        task = turns.next(NOW, 10**6)
        assert task is not None
        turns.begin(task, NOW)
        if task is new:
            break
    assert task is new


def test_attempts_of_all_queues_count_for_the_origin_they_share() -> None:
    """Eight slots for one origin alone are one for each, whatever queue it is in."""
    scene = Lineup(slots=64)
    for number in range(100):
        scene.add(QUEUES[number % 4], "http://hangs:80")
    assert len(scene.begin_all()) == 8
    assert Counter(task.terms.queue for task in scene.in_flight) == dict.fromkeys(
        QUEUES, 2
    )
    scene.add("q1", "http://other:80")
    assert [task.terms.origin for task in scene.begin_all()] == ["http://other:80"]


def test_a_cap_holds_over_all_queues_whatever_is_free() -> None:
    scene = Lineup(caps=Caps(None, {"http://a:80": 3}))
    for number in range(20):
        scene.add(QUEUES[number % 4], "http://a:80")
        scene.add(QUEUES[number % 4], "http://b:80")
    begun = Counter(task.terms.origin for task in scene.begin_all())
    assert begun == {"http://a:80": 3, "http://b:80": 20}
    for _ in range(17):
        one = next(t for t in scene.in_flight if t.terms.origin == "http://a:80")
        scene.end(one)
        assert [t.terms.origin for t in scene.begin_all()] == ["http://a:80"]
    assert scene.begin() is None


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_queue_never_has_more_under_way_than_it_may(concurrency: int) -> None:
    scene = Lineup()
    scene.set("q1", concurrency=concurrency)
    for number in range(10):
        scene.add("q1", ORIGINS[number % 2])
    assert len(scene.begin_all()) == concurrency
    # Who lowers it waits until enough have ended, and who lifts it does not.
    scene.set("q1", concurrency=1)
    while len(scene.in_flight) > 1:
        assert scene.begin() is None
        scene.end(scene.in_flight[0])
    assert scene.begin() is None
    scene.set("q1", concurrency=None)
    assert len(scene.begin_all()) == 10 - concurrency


# --- when ---------------------------------------------------------------------------


MOMENTS = st.lists(
    st.tuples(
        st.sampled_from(QUEUES),
        st.sampled_from([*ORIGINS, "http://c:80"]),
        st.sampled_from([-5.0, 0.0, 0.25, 1.0, 7.5, 100.0]),
    ),
    max_size=25,
)


@given(
    moments=MOMENTS,
    begun=st.integers(0, 6),
    slots=st.sampled_from([1, 2, 8, 1000]),
    held=st.lists(st.sampled_from(ORIGINS), max_size=4),
)
def test_a_turn_comes_when_it_was_said_to_and_not_before(
    moments: list[tuple[str, str, float]], begun: int, slots: int, held: list[str]
) -> None:
    """Whoever sleeps until then misses nothing, and does not wake up for nothing for
    ever."""
    scene = Lineup(slots=slots, caps=Caps(None, {"http://c:80": 1}))
    scene.set("q1", rate=[21.5, "m"], burst=2)
    scene.set("q2", concurrency=1)
    scene.set("q3", paused=True)
    for queue, origin, delay in moments:
        scene.add(queue, origin, delay)
    turns = scene.turns
    for _ in range(begun):
        scene.begin()
    for name in held:
        if name in turns.origins:
            turns.origins.hold(scene.origin(name), scene.now, 3600.0, unreached=True)
            turns.settle(scene.origin(name))
    for _ in range(3 * len(moments) + 10):
        due_at = turns.due_at(scene.free)
        if due_at > scene.now:
            assert turns.next(scene.now, scene.free) is None
            until = min(due_at, scene.now + 1e6)
            for part in (0.5, 0.999):
                between = scene.now + part * (until - scene.now)
                if scene.now < between < due_at:
                    assert turns.next(between, scene.free) is None
            if due_at == float("inf"):
                return
            scene.now = due_at
        scene.begin()
    raise AssertionError("it never comes to rest")


def test_without_a_free_slot_nothing_is_due() -> None:
    """Not even a gate to look at: it would be looked at without a pause."""
    scene = Lineup(slots=1)
    scene.add(origin="http://a:80")
    scene.add(origin="http://b:80")
    scene.turns.origins.hold(
        scene.origin("http://a:80"), scene.now, 3600.0, unreached=True
    )
    scene.turns.settle(scene.origin("http://a:80"))
    hangs = scene.begin()
    assert hangs is not None
    assert hangs.terms.origin == "http://b:80"
    scene.now += 100.0
    assert scene.turns.due_at(scene.free) == float("inf")
    scene.end(hangs)
    assert scene.turns.due_at(scene.free) <= scene.now
    assert scene.begin() is not None


# --- what it costs ------------------------------------------------------------------


def deeds_of_100_turns(scene: Lineup, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a line is joined or left during 100 attempts, one after another."""
    for _ in range(100):
        scene.add("busy", "http://busy:80")
    deeds: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("add", "remove"):
            original = getattr(Line, name)

            def counted(line: Line[Task], thing: Task, original=original) -> bool:  # type: ignore[no-untyped-def]
                deeds.append("")
                return bool(original(line, thing))

            patch.setattr(Line, name, counted)
        for _ in range(100):
            task = scene.begin()
            assert task is not None
            assert task.terms.queue == "busy"
            scene.end(task)
    return len(deeds)


def test_a_turn_costs_the_same_beside_much_that_is_shut_or_not_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = deeds_of_100_turns(Lineup(), monkeypatch)
    scene = Lineup()
    for number in range(300):
        name = f"http://shut-{number}:80"
        scene.add("busy", name)
        scene.turns.origins.hold(scene.origin(name), scene.now, 3600.0, unreached=True)
        scene.turns.settle(scene.origin(name))
        scene.add(f"later-{number}", f"http://later-{number}:80", 1000.0)
        scene.set(f"paused-{number}", paused=True)
        scene.add(f"paused-{number}", f"http://paused-{number}:80")
    assert deeds_of_100_turns(scene, monkeypatch) <= alone + 10


def test_many_attempts_at_a_full_gate_leave_no_trail() -> None:
    """What is to be looked at again is as long as there are gates."""
    scene = Lineup()
    scene.add(delay=1e6)
    origin = scene.origin()
    scene.turns.origins.slow(origin, scene.now, 0.0)
    scene.turns.settle(origin)
    scene.now += 10.0
    for _ in range(1000):
        scene.add()
        task = scene.begin()
        assert task is not None
        scene.end(task)
        scene.now += 0.001
    assert len(scene.turns.origins._alarms) < 10
