"""Targets that fail, hang up, reset the connection, or drip: under load.

The first attempt of every task meets with it, the second one does not. Each task must
have arrived exactly twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import TASK, Laboratory


class BadTarget(ServiceFault):
    """``times``: half seconds of load. What counts as injected is each bad answer."""

    times = 2
    rate = 150.0
    settings: ClassVar[Mapping[str, object]] = {"timeout": "1s", "concurrency": 100}
    pause = (0.5, 0.5)

    def inject(self, lab: Laboratory) -> None:
        """The target is like that all the time."""

    def judge(self, lab: Laboratory) -> None:
        found = [one for one in lab.arrivals if one.path == self.path]
        arrivals = Counter(one.task for one in found)
        wrong = [task for task, count in arrivals.items() if count != 2]
        lab.trial.expect(not wrong, f"{len(wrong)} tasks did not arrive just twice")
        lab.trial.injected = sum(one.status != 200 for one in found)


class Answers500(BadTarget):
    name = "target answers 500"
    path = f"{TASK}?status=500,200"


class ClosesWithoutAnswer(BadTarget):
    name = "target hangs up, no answer"
    path = f"{TASK}?end=close,answer"


class ResetsInAnswer(BadTarget):
    name = "target resets in its answer"
    path = f"{TASK}?end=reset,answer"


class Drips(BadTarget):
    name = "target drips past the deadline"
    path = f"{TASK}?end=drip,answer"
