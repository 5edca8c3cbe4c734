"""Stops as a service manager asks for them, under load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import TASK, Laboratory


class Restarted(ServiceFault):
    name = "restarted (SIGTERM, start)"
    times = 3

    def inject(self, lab: Laboratory) -> None:
        """Nothing is cut off: that no attempt is made twice is checked."""
        lab.stop()
        lab.service.start()
        lab.wait_until_replaced(0)


class StoppedInHaste(ServiceFault):
    name = "stopped with slow deliveries"
    times = 2
    settings: ClassVar[Mapping[str, object]] = {
        "drain_timeout": "0.3s",
        "concurrency": 64,
    }
    path = f"{TASK}?delay=1,0"
    rate = 80.0
    pause = (0.5, 0.8)

    def inject(self, lab: Laboratory) -> None:
        """What is not done when the patience ends is handed back."""
        with lab.interruption():
            lab.stop()
            lab.service.start()
            lab.wait_until_replaced(0)

    def verify(self, lab: Laboratory) -> None:
        handed_back = lab.service.log.count(" handed back ")
        lab.trial.expect(handed_back, "every delivery had ended in time: none was slow")
