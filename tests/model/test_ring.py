"""The rings, against a list of everything that ever happened."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from poussetaches.model.ring import (
    COUNTED,
    QUANTILES,
    SERIES,
    SPANS,
    Rings,
    Sample,
)
from tests.support.queues import NOW

BOUNDS = (0.01, 0.1, 1.0, 10.0)
SILENCE = 12.0
#: The shortest step: so exact is when a service fell silent.
STEP = SPANS["5m"].step


class Turn(NamedTuple):
    """Of the loop: how long after the one before, and what happens in it."""

    after: float
    counted: tuple[int, ...] = (0,) * len(COUNTED)
    took: tuple[float, ...] = ()
    waiting: int = 0
    in_flight: int = 0
    #: When the oldest task is due; None: there is none.
    due_in: float | None = None


class History:
    """Rings that are filled by turns, and the turns themselves."""

    def __init__(self, *turns: Turn) -> None:
        self.began_at = self.now = self.latest = NOW
        self._counts = [0] * len(COUNTED)
        self._buckets = [0] * (len(BOUNDS) + 1)
        self.samples = [self._sample(Turn(0.0))]
        self.turns = [Turn(0.0)]
        #: When each turn was; of a clock that went back, when it went.
        self.moments = [NOW]
        self.rings = Rings(BOUNDS, NOW, self.samples[0], silence=SILENCE)
        for turn in turns:
            self.turn(turn)

    def turn(self, turn: Turn) -> None:
        """As the loop does it."""
        self.now += turn.after
        self.latest = max(self.latest, self.now)
        self.look()
        for place, count in enumerate(turn.counted):
            self._counts[place] += count
        for seconds in turn.took:
            self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self.samples.append(self._sample(turn))
        self.turns.append(turn)
        self.moments.append(self.latest)

    def look(self) -> None:
        """Another turn begins."""
        if self.now >= self.rings.due_at:
            self.rings.note(self.now, self.samples[-1])

    def _sample(self, turn: Turn) -> Sample:
        due_at = math.inf if turn.due_in is None else self.now + turn.due_in
        counts, buckets = [*self._counts], [*self._buckets]
        return Sample(counts, turn.waiting, turn.in_flight, due_at, buckets)


quarters = st.integers(0, 40) | st.integers(0, 4000) | st.integers(0, 10**6)
turns = st.builds(
    Turn,
    after=st.one_of(quarters, quarters, quarters.map(lambda n: -n)).map(
        lambda n: n / 4
    ),
    counted=st.tuples(*[st.integers(0, 9)] * len(COUNTED)),
    took=st.lists(st.floats(0, 20), max_size=5).map(tuple),
    waiting=st.integers(0, 9),
    in_flight=st.integers(0, 9),
    due_in=st.none() | st.integers(-100, 100).map(float),
)


@given(past=st.lists(turns, max_size=30))
@example(past=[Turn(1.0)] * 400)
@example(past=[Turn(3600.0 * 24 * 30, (1,) * 5), Turn(0.0), Turn(300.0)])
@example(past=[Turn(4.0, (1,) * 5), Turn(-3600.0, (1,) * 5), Turn(3610.0)])
def test_a_point_says_what_happened_in_its_step(past: list[Turn]) -> None:
    history = History(*past)
    history.now = history.latest
    history.look()
    for span, (step, points) in SPANS.items():
        ring = history.rings[span]
        series = ring.series()
        assert tuple(series) == SERIES
        assert {len(one) for one in series.values()} == {points}
        first = ring.begins_at()
        assert first % step == 0
        # The last point is the last that has come.
        assert first + (points - 1) * step <= history.now < first + points * step
        for place, found in enumerate(zip(*series.values(), strict=True)):
            is_so(history, first + place * step, step, found)


def is_so(history: History, at: float, step: float, row: tuple[float, ...]) -> None:
    """``row``: what is said of the step that ended ``at``."""
    moments = history.moments
    # What happened at the moment when a step ends belongs to the next.
    begin, end = bisect_left(moments, at - step), bisect_left(moments, at)
    is_known = not math.isnan(row[0])
    if end == 0:
        assert all(map(math.isnan, row))
        return
    if begin == end:
        silence = [*moments, history.now][end] - moments[end - 1]
        if not is_known:
            assert all(map(math.isnan, row))
            assert silence > SILENCE - STEP
            return
        assert silence <= SILENCE
    within = history.turns[begin:end]
    found = dict(zip(SERIES, row, strict=True))
    for place, name in enumerate(COUNTED):
        assert is_near(found[name] * step, sum(turn.counted[place] for turn in within))
    state = history.samples[end - 1]
    assert found["waiting"] == state.waiting
    assert found["in_flight"] == state.in_flight
    assert found["oldest_due"] == max(0.0, at - state.due_at)
    took = sorted(seconds for turn in within for seconds in turn.took)
    for name, share in QUANTILES.items():
        if math.isnan(found[name]):
            assert not took
        else:
            exact = took[math.ceil(share * len(took)) - 1]
            bucket = bisect_left(BOUNDS, exact)
            lower = (0.0, *BOUNDS)[bucket]
            assert lower <= found[name] <= (*BOUNDS, lower)[bucket]


def is_near(one: float, other: float) -> bool:
    return math.isclose(one, other, abs_tol=1e-9)


@given(past=st.lists(turns.filter(lambda turn: abs(turn.after) < 8), max_size=30))
def test_all_that_was_counted_is_in_the_points(past: list[Turn]) -> None:
    """In each of the spans, as long as it goes back so far."""
    history = History(*past)
    for span, (step, _) in SPANS.items():
        history.now = history.latest + step
        history.look()
        series = history.rings[span].series()
        for place, name in enumerate(COUNTED):
            said = sum(value for value in series[name] if not math.isnan(value))
            assert is_near(said * step, history.samples[-1].counts[place])


def test_a_service_that_was_not_there_is_not_one_that_had_nothing_to_do() -> None:
    busy = Turn(1.0, (1,) * len(COUNTED), (0.5,), waiting=3, in_flight=2, due_in=0.0)
    history = History(busy, Turn(SILENCE - STEP, due_in=None), busy)
    idle = history.rings["5m"].series()
    assert not any(math.isnan(value) for value in idle["pushed"][-4:])
    assert idle["waiting"][-5:] == [3.0, 3.0, 3.0, 3.0, 0.0]
    history = History(busy, Turn(SILENCE * 10), busy)
    away = history.rings["5m"].series()
    known = [not math.isnan(value) for value in away["pushed"]]
    # The step in which it went away, and what had been counted by then; and the one in
    # which it is back.
    assert (sum(known), known[-1]) == (2, True)
    assert away["pushed"][known.index(True)] == 1 / STEP


def test_the_time_without_anybody_is_not_worth_much_time() -> None:
    """Years of it neither take any, nor leave anything of what was before."""
    history = History(Turn(1.0, (1,) * len(COUNTED)), Turn(1e9))
    for span in SPANS:
        series = history.rings[span].series()
        assert all(math.isnan(value) for one in series.values() for value in one)


def test_the_spans_are_what_they_are_called() -> None:
    lasting = {name: step * points for name, (step, points) in SPANS.items()}
    assert lasting == {"5m": 300.0, "1h": 3600.0, "1d": 86_400.0}
    steps = sorted(step for step, _ in SPANS.values())
    for shorter, longer in pairwise(steps):
        assert longer % shorter == 0
