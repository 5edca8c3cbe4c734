"""Many targets: what one of them that never answers takes from the others."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import programs
from bench.backlog import backlog
from bench.figure import Figure, Found, Note, ratio_at_least
from bench.figures import progress
from bench.scaling import DELAY, wait
from bench.settings import Settings

TARGETS, TASKS_EACH = 16, 200
OTHERS = TARGETS - 1
#: After so long the others are said to stand still, seconds.
PATIENCE = 6.0


def measure(settings: Settings) -> Iterator[Found]:
    """The same backlog twice, for all targets in turn."""
    calm, _ = _others(settings, hanging=0)
    rate, arrived = _others(settings, hanging=1)
    yield Figure(
        "targets.others",
        f"tasks of {OTHERS} targets while a 16th hangs",
        rate,
        "/s",
        calm,
        "no target hangs",
        ratio_at_least(0.8),
    )
    if arrived < OTHERS * TASKS_EACH:
        yield Note(
            f"The others stood still: {arrived:,} of their {OTHERS * TASKS_EACH:,}"
            f" tasks had arrived after {PATIENCE:.0f} s."
        )


def _others(settings: Settings, *, hanging: int) -> tuple[float, int]:
    """What arrived at those that answer in both runs: a second, and in all."""
    tasks = OTHERS * TASKS_EACH
    # What hangs is not to be waited for at the end, nor to be warned of.
    flags = settings.flags("--start-paused", "yes", "--drain-timeout", "0s")
    flags += ["--log-level", "error"]
    with programs.program("bench.slow_receiver", DELAY, TARGETS, hanging) as receiver:
        targets = [f"http://127.0.0.1:{port}/task" for port in receiver.ask("ports")]
        with (
            backlog(TARGETS * TASKS_EACH, targets) as directory,
            programs.service(flags, directory) as service,
        ):
            progress(f"{TARGETS} targets, {hanging or 'none'} of which hangs")
            began = time.monotonic()
            service.post("/resume")
            try:
                took = wait(receiver, tasks, PATIENCE, OTHERS) - began
            except TimeoutError:
                arrived = sum(receiver.ask("counts")[:OTHERS])
                return arrived / PATIENCE, arrived
    return tasks / took, tasks
