"""The origins: what is known of every one for which a task waits or is in flight.

The gates are kept in memory only; whoever changes one has its lanes settled
(``Turns.settle``).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import chain, count, islice

from poussetaches.model.caps import Caps
from poussetaches.model.gate import Gate
from poussetaches.model.lane import Lane
from poussetaches.model.origin import Origin


class Origins(dict[str, Origin]):
    """By name."""

    def __init__(self, caps: Caps) -> None:
        super().__init__()
        self._caps = caps
        #: Those that have a gate, and those of them that are held, by name.
        self.troubled: dict[str, Origin] = {}
        self.held: set[str] = set()
        #: Those to look at again, and when.
        self._alarms: list[tuple[float, int, Origin]] = []
        self._numbers = count()
        #: When ``wake`` may find one, on the timeline.
        self.due_at = math.inf

    def of(self, name: str) -> Origin:
        """The origin of that name, new if it has to be."""
        origin = self.get(name)
        if origin is None:
            origin = self[name] = Origin(name, self._caps.of(name))
        return origin

    def lanes_of(self, name: str) -> list[Lane]:
        """Those in which something waits for the origin of that name."""
        origin = self.get(name)
        return [] if origin is None else [*origin.lanes.values()]

    def drop(self, origin: Origin) -> None:
        """Nothing waits for it or is in flight any more: know nothing of it."""
        del self[origin.name]
        if origin.gate is not None:
            self._forget(origin)

    def hold(
        self,
        origin: Origin,
        now: float,
        hold_limit: float,
        *,
        unreached: bool,
        reason: str = "",
    ) -> None:
        """An attempt found that ``origin`` is not there (see Gate), and by what."""
        origin.reason = reason
        if origin.gate is None:
            origin.gate = Gate(now)
        origin.gate.hold(now, origin.in_flight, hold_limit, unreached=unreached)
        self._shut(origin, now)

    def slow(self, origin: Origin, now: float, asked: float) -> None:
        """``origin`` has enough, and asked to be left alone for so many seconds, 0.0:
        it did not say."""
        if origin.gate is None:
            origin.gate = Gate(now)
        origin.gate.slow(now, origin.in_flight, asked)
        self._shut(origin, now)

    def answer(self, origin: Origin, now: float) -> None:
        """``origin`` has answered an attempt."""
        gate = origin.gate
        if gate is None or gate.is_probed:
            origin.answered_at = now
        if gate is not None:
            if gate.answer(now):
                origin.gate = None
            self._shut(origin, now)

    def lift(self, origin: Origin, now: float) -> None:
        """Let attempts through again as if there had been no trouble."""
        origin.gate = None
        self._shut(origin, now)

    def note_begin(self, origin: Origin, id: str, now: float) -> None:
        """An attempt at task ``id`` of ``origin``, which has a gate, began."""
        assert origin.gate is not None
        origin.gate.begin(id, now)
        self._set_alarm(origin)

    def worst(self, most: int) -> list[Origin]:
        """At most so many of them, by name: first those that are held, then those in
        other trouble, those that have a cap of their own, and the others as they came.
        """
        troubled = sorted(self.troubled, key=lambda name: (name not in self.held, name))
        capped = [name for name in sorted(self._caps.own) if name in self]
        names = dict.fromkeys(chain(troubled, capped))
        others = (name for name in self if name not in names)
        return [self[name] for name in islice(chain(names, others), most)]

    def wake(self, now: float) -> Iterator[Origin]:
        """Those that may see another attempt because time has passed."""
        while self._alarms and self._alarms[0][0] <= now:
            at, _, origin = heapq.heappop(self._alarms)
            if at != origin.alarm_at:
                continue  # an earlier one has been set since
            origin.alarm_at = math.inf
            gate = origin.gate
            if gate is None or self.get(origin.name) is not origin:
                continue
            gate.reopen(now)
            origin.rests = origin.rests and now < gate.opens_at
            self._set_alarm(origin)
            yield origin
        self.due_at = self._alarms[0][0] if self._alarms else math.inf

    def _shut(self, origin: Origin, now: float) -> None:
        """The gate of ``origin`` is another than before, or gone."""
        if origin.gate is None:
            origin.rests = False
            self._forget(origin)
            return
        origin.rests = now < origin.gate.opens_at
        self.troubled[origin.name] = origin
        if origin.is_held:
            self.held.add(origin.name)
        else:
            self.held.discard(origin.name)
        self._set_alarm(origin)

    def _forget(self, origin: Origin) -> None:
        """``origin`` is in trouble no more, or not known any more."""
        self.troubled.pop(origin.name, None)
        self.held.discard(origin.name)

    def _set_alarm(self, origin: Origin) -> None:
        gate = origin.gate
        if gate is None:
            return
        at = gate.opens_at if origin.rests else gate.reopens_at
        # One that comes too early is set again: there are as many as there are origins,
        # and not as many as there are attempts.
        if at < origin.alarm_at:
            origin.alarm_at = at
            heapq.heappush(self._alarms, (at, next(self._numbers), origin))
            self.due_at = self._alarms[0][0]
