"""What a fault is: a name that people understand, and a way to inject it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.faults.laboratory import QUICK, Laboratory
from tests.faults.trial import Trial
from tests.support.sites import with_sites


class Fault(ABC):
    """``times``: how often it is injected in one round."""

    name: ClassVar[str]
    times: ClassVar[int]

    @abstractmethod
    def run(self, trial: Trial) -> None:
        """Inject it, and write down what was found."""


class ServiceFault(Fault):
    """Befalls the real program while clients push."""

    #: Of the program, beside those of every laboratory.
    settings: ClassVar[Mapping[str, object]] = {}
    #: Of the target.
    path: ClassVar[str] = QUICK
    #: Pushes a second.
    rate: ClassVar[float] = 600.0
    #: Seconds of load before each injection, at least and at most.
    pause: ClassVar[tuple[float, float]] = (0.1, 0.5)
    #: Whether a bug is to be seen in the log by its traceback, or is what is injected.
    may_raise: ClassVar[bool] = False

    @abstractmethod
    def inject(self, lab: Laboratory) -> None:
        """Once; returns when the program is as it was before."""

    def sites(self, folder: Path) -> Mapping[str, str]:
        """Code that the processes of each role run at their start."""
        return {}

    def launcher(self, folder: Path) -> list[str]:
        """A command that runs the program. Raises Skipped if it cannot."""
        return []

    def prepare(self, lab: Laboratory) -> None:
        """Before the first injection."""

    def verify(self, lab: Laboratory) -> None:
        """After the last one, while clients still push."""

    def judge(self, lab: Laboratory) -> None:
        """After everything has ended."""

    def run(self, trial: Trial) -> None:
        with self.laboratory(trial) as lab:
            lab.begin()
            self.prepare(lab)
            for _ in range(self.times * trial.rounds):
                lab.let_run(trial.dice.uniform(*self.pause))
                self.inject(lab)
                trial.count()
            lab.let_run(self.pause[0])
            self.verify(lab)
            lab.conclude()
            self.judge(lab)
            lab.stop()

    def laboratory(self, trial: Trial) -> Laboratory:
        """Where it is injected; not begun yet."""
        sites = self.sites(trial.folder)
        return Laboratory(
            trial,
            settings=self.settings,
            environment=with_sites(trial.folder, sites) if sites else {},
            launcher=self.launcher(trial.folder),
            path=self.path,
            rate=self.rate,
            may_raise=self.may_raise,
        )
