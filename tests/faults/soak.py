"""Everything at once, for long; and what the processes hold at its end.

Cycles of three stretches: a storm, in which processes are ended at random, and two in
which none is, but the rest goes on: targets that fail, garbage at the port, a slow
disk, a clock that is set. After each of these two, at rest, it is looked what each
process holds: it must not grow from the one to the other, nor from cycle to cycle.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tests.faults import clients, clocks, disk, kills, stops
from tests.faults.fault import Fault, ServiceFault
from tests.faults.laboratory import QUICK, TASK, Laboratory
from tests.faults.trial import Trial
from tests.support.processes import Usage, usage
from tests.support.service import wait_until
from tests.support.sites import with_sites

#: How many cycles there are, unless they were shorter than so many seconds.
CYCLES = 4
SHORTEST = 90.0
#: The parts of a cycle: the storm, and the time in which what has started gets warm.
STORM = 0.3
WARM_UP = 0.3
#: What the api holds comes to its height by requests that are refused. So many times
#: some of them at the beginning of the warm-up bring it there.
HEATING = 80
#: Seconds between two injections, at most.
PAUSE = 1.5
#: A worker keeps a connection that it does not need for 10 seconds.
REST = 12.0
#: What must not be reached.
GROWTH = 0.05
SETTINGS: Mapping[str, object] = {
    **kills.SHORT_HEARTBEAT,
    # An attempt may be frozen for a while.
    "timeout": "4s",
    "concurrency": 32,
    "dump_interval": "2s",
    "retain_dead": 500,
}
SPECIALS: tuple[Mapping[str, object], ...] = (
    {"countdown": 0.3},
    {"path": f"{TASK}?status=500,503,200"},
    {"path": f"{TASK}?end=close,answer"},
    {"path": f"{TASK}?end=reset,answer"},
    {"path": f"{TASK}?end=drip,answer"},
    {"path": f"{TASK}?delay=0.7"},
)

#: By the name of a process.
Holdings = dict[str, Usage]


class Soak(Fault):
    name = "soak: all of these at random"
    times = 1
    #: Those that end processes, and those that do not.
    violent: ClassVar[list[type[ServiceFault]]] = [
        kills.SupervisorKilled,
        kills.ApiKilled,
        kills.WorkerKilled,
        kills.WorkerStopped,
        stops.Restarted,
        disk.SyncFails,
    ]
    gentle: ClassVar[list[type[ServiceFault]]] = [
        kills.Frozen,
        disk.SyncIsSlow,
        clients.GarbageAtPort,
        clocks.ClockStep,
    ]

    def run(self, trial: Trial) -> None:
        violent = [fault() for fault in self.violent]
        gentle = [fault() for fault in self.gentle]
        cycles = max(1, min(CYCLES, int(trial.soak / SHORTEST)))
        cycle = trial.soak / cycles
        heating = [clients.GarbageAtPort()] * HEATING
        growth = Growth()
        with self._laboratory(trial, [*violent, *gentle]) as lab:
            for fault in (*violent, *gentle):
                fault.prepare(lab)
            for _ in range(cycles):
                self._stretch(lab, [*violent, *gentle], cycle * STORM)
                self._stretch(lab, gentle, cycle * WARM_UP - REST, first=heating)
                growth.begin(at_rest(lab))
                self._stretch(lab, gentle, cycle * (1 - STORM - WARM_UP) - REST)
                growth.end(at_rest(lab))
            lab.stop()
        growth.judge(trial)

    def _stretch(
        self,
        lab: Laboratory,
        faults: Sequence[ServiceFault],
        seconds: float,
        first: Sequence[ServiceFault] = (),
    ) -> None:
        ends = time.monotonic() + seconds
        lab.begin()
        for fault in first:
            fault.inject(lab)
        while (left := ends - time.monotonic()) > 0:
            lab.let_run(min(left, lab.trial.dice.uniform(0.1, PAUSE)))
            lab.trial.dice.choice(faults).inject(lab)
            lab.trial.count()
        lab.conclude()

    def _laboratory(self, trial: Trial, faults: list[ServiceFault]) -> Laboratory:
        codes: dict[str, str] = {}
        for fault in faults:
            for role, code in fault.sites(trial.folder).items():
                codes[role] = codes.get(role, "") + code
        return Laboratory(
            trial,
            settings=SETTINGS,
            environment=with_sites(trial.folder, codes),
            path=QUICK,
            rate=300.0,
            specials=SPECIALS,
        )


class Growth:
    """What processes hold after each stretch in which none of them ended."""

    def __init__(self) -> None:
        self._first: Holdings = {}
        self._begun: Holdings = {}
        #: The most, as a part of what it was; by what it is that grew.
        self._most: dict[str, float] = {"memory": 0.0, "descriptors": 0.0}

    def begin(self, now: Holdings) -> None:
        """The processes are warm."""
        self._begun = now

    def end(self, now: Holdings) -> None:
        """They have worked since, and none of them was replaced."""
        self._first = self._first or now
        for before in (self._first, self._begun):
            for name, held in now.items():
                pairs = zip(self._most, before[name], held, strict=True)
                for what, was, is_now in pairs:
                    self._most[what] = max(self._most[what], is_now / was - 1)

    def judge(self, trial: Trial) -> None:
        """Write down the growth, and whether it is too much."""
        told = [f"{what} +{most:.1%}" for what, most in self._most.items()]
        trial.remark = ", ".join(told)
        for what, most in self._most.items():
            trial.expect(most < GROWTH, f"{what} grew by {most:.1%}")


def at_rest(lab: Laboratory) -> Holdings:
    """What every process of the service holds when nothing has happened for a while."""
    pids = {"supervisor": lab.service.pid, **lab.children()}
    rested = time.monotonic() + REST
    wait_until(lambda: time.monotonic() > rested, 2 * REST)
    return {name: usage(pid) for name, pid in pids.items()}
