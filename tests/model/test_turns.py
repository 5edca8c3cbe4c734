"""Turns: no target takes everything, and nobody waits who need not."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.caps import Caps
from poussetaches.model.line import Line, Position, position
from poussetaches.model.named_queue import REST, SHARES
from poussetaches.model.task import Special, State, Task, Terms
from poussetaches.model.turns import Turns

#: When everything that waits is due.
NOW = 1000.0
ORIGINS = ["", "http://a:80", "http://b:80", "http://c:80", "http://d:80"]


class Scene:
    """Turns, and the same kept as plain lists."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.waiting: list[Task] = []
        self.in_flight: list[Task] = []
        self._count = 0

    def add(self, origin: str, eta: float = 0.0) -> Task:
        self._count += 1
        terms = Terms.of((None, "", origin))
        task = Task(f"t{self._count}", b"", "", 0.0, eta, 0, terms=terms)
        self.turns.add(task)
        self.waiting.append(task)
        return task

    def begin(self, free: int) -> Task | None:
        """Begin what is next, and check that it is."""
        task = self.turns.next(NOW, free)
        may = [one for one in self.waiting if REST * self.flying(one) < free]
        assert task is min(may, key=position, default=None)
        if task is not None:
            self.turns.begin(task, NOW)
            task.state = State.LEASED
            self.waiting.remove(task)
            self.in_flight.append(task)
        return task

    def flying(self, task: Task) -> int:
        return sum(one.terms.origin == task.terms.origin for one in self.in_flight)

    def end(self, task: Task) -> None:
        self.turns.end(task, NOW)
        self.turns.leave(task)
        self.in_flight.remove(task)

    def check(self) -> None:
        """Nothing is left behind, and every list is as it should be."""
        turns = self.turns
        live = [*self.waiting, *self.in_flight]
        assert set(turns.origins) == {task.terms.origin for task in live}
        in_order = sorted(self.waiting, key=position)
        assert turns.first() is (in_order[0] if in_order else None)
        places: list[Position | None] = [None, (0.5, 0), (99.0, 0)]
        for after in places + [position(task) for task in in_order]:
            beyond = [t for t in in_order if after is None or position(t) > after]
            for most in (1, 2, len(in_order) + 1):
                page = islice(turns.beyond(after, most), most)
                assert list(page) == beyond[:most]


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "begin", "begin", "begin", "end", "remove"]),
        st.integers(0, 99),
        st.sampled_from([0.0, 0.0, 1.0, -1.0]),
    ),
    min_size=5,
    max_size=70,
)


@given(deeds=DEEDS, slots=st.sampled_from([1, 2, 5, 8, 20, 90]))
def test_the_next_is_the_first_of_those_that_may(
    deeds: list[tuple[str, int, float]], slots: int
) -> None:
    """Those whose target has less in flight than its part of what is free; the number
    of slots may change, as workers come and go."""
    scene = Scene()
    for what, pick, eta in deeds:
        if what == "add":
            scene.add(ORIGINS[pick % len(ORIGINS)], eta)
        elif what == "begin":
            changed = slots + (pick - 50 if pick % 7 == 0 else 0)
            scene.begin(changed - len(scene.in_flight))
        elif what == "end" and scene.in_flight:
            scene.end(scene.in_flight[pick % len(scene.in_flight)])
        elif what == "remove" and scene.waiting:
            task = scene.waiting.pop(pick % len(scene.waiting))
            scene.turns.remove(task)
            scene.turns.leave(task)
        scene.check()


@given(deeds=DEEDS)
def test_turns_are_loaded_as_they_were(deeds: list[tuple[str, int, float]]) -> None:
    scene = Scene()
    for what, pick, eta in deeds:
        if what == "begin":
            scene.begin(8 - len(scene.in_flight))
        else:
            scene.add(ORIGINS[pick % len(ORIGINS)], eta)
    tasks = [*scene.waiting, *scene.in_flight]
    random.Random(len(deeds)).shuffle(tasks)
    again = Scene()
    again.turns.load(tasks, last_order=1000)
    again.waiting, again.in_flight = [*scene.waiting], [*scene.in_flight]
    again.check()
    assert again.add("").order == 1001
    while again.begin(8 - len(again.in_flight)) is not None:
        again.check()
    for task in [*again.in_flight]:
        again.end(task)
    again.check()


def in_flight(scene: Scene, *origins: str) -> list[int]:
    flying = [task.terms.origin for task in scene.in_flight]
    return [flying.count(origin) for origin in origins]


def test_whoever_comes_beside_those_that_hang_finds_a_slot() -> None:
    """The first gets one share of all slots, the next one share of the rest ..."""
    scene = Scene()
    slots = SHARES * 32
    hanging = [f"http://{number}:80" for number in range(5)]
    for origin in hanging:
        for _ in range(100):
            scene.add(origin)
        while scene.begin(slots - len(scene.in_flight)) is not None:
            pass
    assert in_flight(scene, *hanging) == [32, 28, 25, 22, 19]
    assert slots - len(scene.in_flight) == 130
    scene.add("http://quick:80", 99.0)
    quick = scene.begin(slots - len(scene.in_flight))
    assert quick is not None
    assert quick.terms.origin == "http://quick:80"


def test_a_target_that_ends_one_begins_one() -> None:
    scene = Scene()
    for _ in range(20):
        scene.add("http://a:80")
    slots = SHARES * 4
    while scene.begin(slots - len(scene.in_flight)) is not None:
        pass
    assert in_flight(scene, "http://a:80") == [4]
    scene.end(scene.in_flight[0])
    assert scene.begin(slots - len(scene.in_flight)) is not None
    assert scene.begin(slots - len(scene.in_flight)) is None


def test_a_target_alone_on_one_slot_has_it() -> None:
    scene = Scene()
    scene.add("http://a:80")
    assert scene.begin(0) is None
    assert scene.begin(1) is not None


def test_a_turn_costs_the_same_beside_many_that_may_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody looks at them again because a slot is free."""
    scene = Scene()
    turns, slots = scene.turns, 400
    for number in range(3 * 300):
        scene.add(f"http://{number % 300}:80")
    in_flight: list[Task] = []
    while (task := turns.next(NOW, slots - len(in_flight))) is not None:
        turns.begin(task, NOW)
        in_flight.append(task)
    deeds: list[str] = []
    for name in ("add", "remove"):
        original = getattr(Line, name)

        def counted(line: Line[Task], thing: Task, original=original) -> bool:  # type: ignore[no-untyped-def]
            deeds.append("")
            return bool(original(line, thing))

        monkeypatch.setattr(Line, name, counted)
    for _ in range(100):
        turns.end(in_flight.pop(0), NOW)
        task = turns.next(NOW, slots - len(in_flight))
        assert task is not None
        turns.begin(task, NOW)
        in_flight.append(task)
    assert len(deeds) <= 5 * 100


def test_the_first_of_all_may_be_kept_by_its_target_or_its_group() -> None:
    turns = Turns(Caps(usual=1))

    def add(eta: float, origin: str, group: str = "") -> Task:
        terms = Terms(0, "", origin, special=Special(group=group) if group else None)
        task = Task(f"{origin} {eta}", b"", "", 0.0, eta, 0, terms=terms)
        turns.add(task)
        return task

    flying = add(1.0, "http://a:80")
    turns.begin(flying, NOW)
    flying.state = State.LEASED
    last = add(9.0, "http://b:80", "g")
    assert turns.first() is last
    third = add(8.0, "http://c:80")
    assert turns.first() is third
    # Its target sees one attempt and may see no other.
    capped = add(7.0, "http://a:80")
    assert turns.first() is capped
    # Another one of its group is to go first.
    grouped = add(6.0, "http://d:80", "g")
    assert turns.first() is grouped
