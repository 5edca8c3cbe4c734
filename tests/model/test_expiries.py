"""Which task ceases to be wanted next: as a sorted list would say."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.expiries import SLACK, Expiries, expires_at
from poussetaches.model.task import Special, Task, Terms


def task(id: str, moment: float | None) -> Task:
    special = None if moment is None else Special(expires=moment)
    return Task(id, b"", "", 0.0, 0.0, 0, terms=Terms(special=special))


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "drop", "due"]),
        st.integers(0, 9),
        st.sampled_from([None, 1.0, 2.0, 2.0, 3.0, 50.0]),
    ),
    max_size=100,
)


@given(deeds=DEEDS, most=st.sampled_from([1, 2, 100]))
def test_the_next_is_the_first_of_those_that_wait(
    deeds: list[tuple[str, int, float | None]], most: int
) -> None:
    """A task waits, is leased, and waits again: it stands there once, or not at all."""
    expiries = Expiries()
    waiting: dict[str, float] = {}
    for what, number, moment in deeds:
        id = f"t{number}"
        if what == "add":
            expiries.drop(task(id, moment))
            expiries.add(task(id, moment))
            waiting.pop(id, None)
            if moment is not None:
                waiting[id] = moment
        elif what == "drop":
            expiries.drop(task(id, moment))
            waiting.pop(id, None)
        in_order = sorted((at, id) for id, at in waiting.items())
        assert expiries.next() == (in_order[0] if in_order else None)
        now = 2.0 if moment is None else moment
        due = [id for at, id in in_order if at <= now]
        # Asked twice, it answers twice: nothing has happened in between.
        assert expiries.due(now, most) == due[:most]
        assert expiries.due(now, most) == due[:most]
        assert expiries.due(math.inf, 100) == [id for _, id in in_order]


def test_those_that_wait_no_more_take_no_room() -> None:
    expiries = Expiries()
    for number in range(10_000):
        one = task(f"t{number}", 1e9 + number)
        expiries.add(one)
        if number >= 10:
            expiries.drop(one)
    assert len(expiries._heap) <= 2 * 10 + SLACK + 1
    assert len(expiries.due(math.inf, 100)) == 10


def test_who_asks_for_no_end_is_always_wanted() -> None:
    expiries = Expiries()
    for one in (task("a", None), Task("b", b"", "", 0.0, 0.0, 0, terms=Terms())):
        assert expires_at(one) == math.inf
        expiries.add(one)
    assert expiries.next() is None
    assert expiries.due(math.inf, 10) == []
