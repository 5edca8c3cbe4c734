"""Somebody sets the clock of the machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import TASK, Laboratory
from tests.support.service import wait_until

#: Has the supervisor's wall clock ahead by the seconds that a file says.
SHIFTED = """
import time
def shifted(clock=time.time):
    try:
        with open({path!r}) as file:
            return clock() + float(file.read() or 0)
    except FileNotFoundError:
        return clock()
time.time = shifted
"""
HOUR, DAY = 3600.0, 86400.0
STEPS = (HOUR, DAY, -HOUR, -DAY)
#: What was due may arrive so much later, seconds: the machine is busy.
LATE = 2.0
#: A delay that must hold whatever the clock does, seconds.
DELAY = 3.0
#: Two runs of a schedule of each second are never nearer, seconds, unless the machine
#: was busy for long.
NEAREST = 0.2


class ClockStep(ServiceFault):
    """Forth or back, from wherever it is."""

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"supervisor": SHIFTED.format(path=str(folder / "clock"))}

    def prepare(self, lab: Laboratory) -> None:
        self._offset = 0.0

    def inject(self, lab: Laboratory) -> None:
        others = [step for step in STEPS if step != self._offset]
        self._set(lab, lab.trial.dice.choice(others))

    def _set(self, lab: Laboratory, offset: float) -> None:
        self._offset = offset
        told = lab.service.log.count("the wall clock was set")
        file = lab.trial.folder / "clock"
        unfinished = file.with_suffix(".new")
        unfinished.write_text(str(offset))
        unfinished.rename(file)
        wait_until(lambda: lab.service.log.count("the wall clock was set") > told)


class ClockSet(ClockStep):
    name = "clock set by an hour, by a day"
    times = 5
    # A retry is a delay, too.
    path = f"{TASK}?status=500,200"
    rate = 100.0
    pause = (0.8, 1.3)

    def prepare(self, lab: Laboratory) -> None:
        super().prepare(lab)
        for path, rule in (("/every", "@every 1s"), ("/cron", "* * * * * *")):
            # It lives on when the load has ended.
            del lab.load.accepted[lab.push(path=path, schedule=rule).task]
        self._began = time.monotonic()
        #: Until when the tasks of ``DELAY`` must have arrived; monotonic seconds.
        self._promised: dict[str, float] = {}

    def inject(self, lab: Laboratory) -> None:
        before = time.monotonic()
        task = lab.push(countdown=DELAY).task
        lab.load.due[task] = before + DELAY
        self._promised[task] = time.monotonic() + DELAY + LATE
        super().inject(lab)

    def verify(self, lab: Laboratory) -> None:
        self._set(lab, 0.0)
        lab.let_run(1.0)
        seconds = time.monotonic() - self._began
        lab.service.request("DELETE", "/cron").raise_for_status()
        lab.harvest()
        for path in ("/every", "/cron"):
            runs = [one.at for one in lab.others if one.path == path]
            said = f"{path}: {len(runs)} runs in {seconds:.1f} s"
            nearest = min((b - a for a, b in pairwise(runs)), default=NEAREST)
            if path == "/every":
                # It counts from run to run, whatever the wall clock says.
                lab.trial.expect(nearest >= NEAREST, f"{said}, two within {nearest} s")
                lab.trial.expect(seconds - LATE <= len(runs) <= seconds + 2, said)
            else:
                # What was missed when the clock was set ahead is one run, made at once.
                lab.trial.expect(len(runs) <= seconds + 2 + lab.trial.injected, said)

    def judge(self, lab: Laboratory) -> None:
        first: dict[str, float] = {}
        for one in lab.arrivals:
            first.setdefault(one.task, one.at)
        late = [task for task, by in self._promised.items() if first.get(task, by) > by]
        lab.trial.expect(not late, f"{len(late)} delayed tasks were late")
