"""Targets that fail, hang up, reset the connection, or drip: under load.

The first attempt of every task meets with it, the second one does not. There must have
been exactly two. (One over a connection that was kept, and that ends without a byte of
an answer, does not count, and is made again: see ``worker/transport.py``.)

And one that goes away and comes back, which costs no attempt at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import TASK, Laboratory

#: Seconds for which an application is away when it is redeployed, at least and at most.
AWAY = (0.1, 1.0)


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
        attempts = Counter(
            task for task, _ in {(one.task, one.attempt) for one in found}
        )
        wrong = [task for task, count in attempts.items() if count != 2]
        lab.trial.expect(not wrong, f"{len(wrong)} tasks had not just two attempts")
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


class Redeployed(ServiceFault):
    """What is away is waited for, and no attempt is spent on that."""

    name = "application redeployed"
    times = 4
    pause = (0.3, 1.0)

    def inject(self, lab: Laboratory) -> None:
        lab.receiver.leave(lab.trial.dice.uniform(*AWAY))

    def judge(self, lab: Laboratory) -> None:
        spent = sum(one.attempt > 1 for one in lab.arrivals)
        lab.trial.expect(
            spent == 0, f"{spent} deliveries were not at the first attempt"
        )
        held = lab.service.log.count("target is away")
        lab.trial.expect(held, "the target was never found to be away")
