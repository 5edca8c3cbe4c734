"""What ``tune`` found, for people and for machines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from poussetaches.cli.tune_choice import Choice, milliseconds
from poussetaches.cli.tune_disk import SyncTimes
from poussetaches.cli.tune_plan import Point
from poussetaches.cli.tune_pusher import Pushed

#: Characters of the longest bar.
WIDTH = 40

HEADER = (
    f"{'workers':>7}  {'concurrency':>11}  {'tasks/s':>8}  {'attempt':>9}"
    f"  {'CPU/task':>9}  {'memory':>7}  {'failed':>6}"
)


def row(point: Point) -> str:
    """A line under HEADER."""
    attempt = milliseconds(point.latency) if point.attempts else "-"
    return (
        f"{point.setting.workers:>7}  {point.setting.concurrency:>11}"
        f"  {point.rate:>8,.0f}  {attempt:>9}"
        f"  {point.cpu_per_task * 1e6:>6,.0f} us  {point.memory / 1e6:>4,.0f} MB"
        f"  {point.failed:>6,}"
    )


def chart(points: Sequence[Point], choice: Choice | None) -> Iterator[str]:
    """A bar for every setting; the one that is recommended is marked."""
    most = max((point.rate for point in points), default=0.0)
    for point in points:
        bar = "#" * round(WIDTH * point.rate / most) if most else ""
        mark = "  <--" if choice and point is choice.point else ""
        yield f"{point.setting!s:>9}  {bar:<{WIDTH}} {point.rate:>8,.0f}/s{mark}"


def machine(syncs: SyncTimes, folder: str) -> Iterator[str]:
    """What the disk does."""
    yield (
        f"a sync of {folder} takes {milliseconds(syncs.median)} in the median,"
        f" {milliseconds(syncs.p99)} at 99 %"
    )
    if syncs.is_no_disk:
        yield (
            "  that is memory, no disk: --data-dir names a directory where the disk of"
            " the data is"
        )


def pushes(pushed: Pushed) -> str:
    """What the service takes."""
    return f"{pushed.rate:,.0f} single pushes/s are taken, each on disk before its 201"


def recommendation(choice: Choice) -> Iterator[str]:
    """The reasons, and lines to paste."""
    yield from choice.reasons
    yield ""
    yield "Recommended, for poussetaches.ini:"
    yield ""
    yield "[poussetaches]"
    yield f"workers = {choice.point.setting.workers}"
    yield f"concurrency = {choice.point.setting.concurrency}"


def as_json(
    terms: Mapping[str, Any],
    syncs: SyncTimes | None,
    pushed: Pushed | None,
    points: Sequence[Point],
    choice: Choice | None,
    *,
    complete: bool,
) -> dict[str, Any]:
    """Everything; times in seconds, sizes in bytes. ``terms``: what was asked for."""
    return {
        "terms": dict(terms),
        "complete": complete,
        "sync": syncs and syncs._asdict(),
        "pushes": pushed and {**pushed._asdict(), "rate": pushed.rate},
        "points": [_point_json(point) for point in points],
        "recommendation": choice
        and {**choice.point.setting._asdict(), "reasons": [*choice.reasons]},
    }


def _point_json(point: Point) -> dict[str, Any]:
    return {
        **point.setting._asdict(),
        "seconds": point.seconds,
        "succeeded": point.succeeded,
        "failed": point.failed,
        "rate": point.rate,
        # JSON has no word for an attempt that never ended.
        "attempt": point.latency if point.attempts else None,
        "cpu_per_task": point.cpu_per_task,
        "memory": point.memory,
        "failing": point.is_failing,
    }
