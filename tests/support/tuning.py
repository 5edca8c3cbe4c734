"""Applications as tables: what a setting would measure with them."""

from __future__ import annotations

from collections.abc import Callable

from poussetaches.cli.tune_plan import Plan, Point, Setting

#: Tasks a second that a setting does.
Rate = Callable[[Setting], float]


def point(
    workers: int,
    concurrency: int,
    rate: float,
    *,
    latency: float = 0.02,
    failed: int = 0,
    seconds: float = 2.0,
) -> Point:
    """What was measured: ``rate`` in tasks a second, ``latency`` in seconds."""
    succeeded = round(rate * seconds)
    return Point(
        setting=Setting(workers, concurrency),
        seconds=seconds,
        succeeded=succeeded,
        failed=failed,
        busy=latency * (succeeded + failed),
        cpu=1.0,
        memory=100_000_000,
    )


def explore(plan: Plan, rate: Rate) -> list[Point]:
    """All that a plan tries of an application."""
    points: list[Point] = []
    while (setting := plan.next(points)) is not None:
        points.append(point(*setting, rate(setting)))
    return points


def tried(points: list[Point]) -> list[Setting]:
    """The settings of points."""
    return [point.setting for point in points]
