"""A run of ``tune``: everything measured in its turn, and said as it is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from poussetaches.cli import tune_disk, tune_report
from poussetaches.cli.tune_choice import Choice, choose
from poussetaches.cli.tune_disk import SyncTimes
from poussetaches.cli.tune_display import Display
from poussetaches.cli.tune_plan import Plan, Point
from poussetaches.cli.tune_pusher import Pushed
from poussetaches.cli.tune_trial import Trials
from poussetaches.errors import PousseTachesError, StartupError


class Session:
    """Has what was measured so far at any moment, also after an exception."""

    def __init__(self, plan: Plan, display: Display) -> None:
        self._plan = plan
        self._display = display
        self.syncs: SyncTimes | None = None
        self.pushed: Pushed | None = None
        self.points: list[Point] = []
        #: Whether nothing more is to be learnt.
        self.complete = False

    @property
    def choice(self) -> Choice | None:
        """What is best of what was measured."""
        return choose(self.points, self._plan) if self.points else None

    def measure_disk(
        self, folder: Path, seconds: float, pause: Callable[[float], object]
    ) -> None:
        """How long a sync takes. ``pause`` is called with seconds, and may raise.
        Raises StartupError if the disk takes nothing."""
        self._display.begin(self._plan.most_left([]) + 1, "the disk")
        self._display.tell("syncing", 0.0)
        try:
            self.syncs = tune_disk.measure(
                folder, seconds=min(1.0, seconds), check=lambda: pause(0)
            )
        except OSError as error:
            raise StartupError(
                f"{folder.parent} cannot be written to: {error.strerror}"
            ) from error
        self._display.end()
        for line in tune_report.machine(self.syncs, str(folder.parent)):
            self._display.say(line)

    def measure_service(self, trials: Trials) -> None:
        """What the service does with one setting after the other. Raises as Trials, and
        PousseTachesError if the target does nothing but fail."""
        self._display.begin(self._plan.most_left([]), "pushes")
        self.pushed = trials.measure_pushes()
        self._display.end()
        self._display.say(f"{tune_report.pushes(self.pushed)}\n")
        self._display.say(tune_report.HEADER)
        while (setting := self._plan.next(self.points)) is not None:
            self._display.begin(
                self._plan.most_left(self.points) - 1,
                f"{setting} (workers x concurrency)",
            )
            best = max((point.rate for point in self.points), default=0.0)
            point = trials.measure(setting, best)
            if point is None:
                self._display.say("\nAll the requests that were granted are made.")
                break
            self._display.end()
            self.points.append(point)
            self._display.say(tune_report.row(point))
        self.complete = True
        if self.points and self.points[-1].is_failing:
            self._display.say(f"\nAttempts fail there: {trials.failure}")
            if self.choice is None:
                raise PousseTachesError(
                    f"the target fails at once, so there is nothing to measure:"
                    f" {trials.failure}"
                )

    def conclude(self) -> None:
        """Say what all this means."""
        if not self.points:
            return
        choice = self.choice
        self._display.say("\ntasks/s by workers x concurrency:\n")
        for line in tune_report.chart(self.points, choice):
            self._display.say(line)
        if choice:
            self._display.say("")
            for line in tune_report.recommendation(choice):
                self._display.say(line)
