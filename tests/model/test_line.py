"""The line, beside a list that is sorted again each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model import line
from poussetaches.model.line import Line, position


@dataclass
class Thing:
    eta: float
    order: int


#: Few values, so that many stand beside each other; one in three goes to the end.
ETAS = st.sampled_from([0.0, 1.0, 2.0, 2.5, -7.0]) | st.just(9.0)
DEEDS = st.lists(
    st.tuples(st.sampled_from(["add", "add", "add", "remove", "pop"]), ETAS)
    | st.tuples(st.just("remove"), st.integers(0, 99)),
    max_size=80,
)


def check(of: Line[Thing], things: list[Thing]) -> None:
    things = sorted(things, key=position)
    assert list(of.beyond(None)) == things
    assert len(of) == len(things)
    assert of.first() == (things[0] if things else None)
    assert all(of._chunks)
    between = [(0.5, 3), (-99.0, 0), (99.0, 0), (1.0, -1)]
    for after in between + [position(thing) for thing in things]:
        beyond = [thing for thing in things if position(thing) > after]
        assert list(of.beyond(after)) == beyond
        assert [*of.until(after), *beyond] == things


@pytest.fixture(autouse=True, scope="module")
def short_chunks() -> Iterator[None]:
    """So that a few things make many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "CHUNK", 3)
        yield


@given(deeds=DEEDS)
def test_a_line_is_a_sorted_list(deeds: list[tuple[str, float]]) -> None:
    of: Line[Thing] = Line()
    things: list[Thing] = []
    for order, (what, value) in enumerate(deeds):
        ordered = sorted(things, key=position)
        if what == "add":
            thing = Thing(value, order)
            things.append(thing)
            assert of.add(thing) == (min(things, key=position) is thing)
        elif things:
            pick = 0 if what == "pop" else int(value) % len(things)
            assert of.remove(ordered[pick]) == (pick == 0)
            things.remove(ordered[pick])
        check(of, things)


@given(etas=st.lists(ETAS, max_size=30))
def test_a_line_is_loaded_in_any_order(etas: list[float]) -> None:
    things = [Thing(eta, order) for order, eta in enumerate(etas)]
    of: Line[Thing] = Line()
    of.load(reversed(things))
    check(of, things)


def test_what_does_not_stand_in_a_line_cannot_be_removed() -> None:
    of: Line[Thing] = Line()
    with pytest.raises(LookupError):
        of.remove(Thing(1.0, 1))
    of.load([Thing(1.0, 1), Thing(2.0, 2)])
    for stranger in (Thing(0.0, 0), Thing(1.0, 1), Thing(2.0, 2), Thing(3.0, 3)):
        with pytest.raises(LookupError):
            of.remove(stranger)
    assert len(of) == 2
