"""What ``tune`` recommends, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from poussetaches.cli.tune_plan import (
    GROWTH,
    NEAR,
    Plan,
    Point,
    rates_of,
)

#: An attempt may take so many times as long as in the quietest setting.
SLOWER = 2.0
#: Attempts as short as this may take longer than that: nobody notices; seconds.
SHORT = 0.01
#: Attempts that must have followed each other in what was measured.
IN_A_ROW = 3
#: Seconds to measure, as multiples of an attempt, where it was too short.
LONG_ENOUGH = 10


class Choice(NamedTuple):
    """A recommendation."""

    point: Point
    #: Sentences.
    reasons: tuple[str, ...]


def choose(points: Sequence[Point], plan: Plan) -> Choice | None:
    """The smallest setting that is nearly as good as the best; None if none works.

    Fewer workers are smaller, then fewer attempts at once. Good is a high rate without
    failures, and without attempts that take much longer than in the quietest setting.
    """
    working = [point for point in points if not point.is_failing]
    if not working:
        return None
    quietest = min(point.latency for point in working)
    bearable = max(SLOWER * quietest, SHORT)
    quiet = [point for point in working if point.latency <= bearable]
    best = max(quiet, key=lambda point: point.rate)
    chosen = min(
        (point for point in quiet if point.rate >= NEAR * best.rate),
        key=lambda point: point.setting,
    )
    return Choice(chosen, tuple(_reasons(points, chosen, best, quietest, plan)))


def _reasons(
    points: Sequence[Point], chosen: Point, best: Point, quietest: float, plan: Plan
) -> Iterator[str]:
    if len(points) == 1:
        yield f"{_doing(chosen)}; nothing else was measured."
    elif chosen is best:
        yield f"{_doing(chosen)}: nothing that was tried does more without drawbacks."
    else:
        share = int(100 * chosen.rate / best.rate)
        yield (
            f"{_doing(chosen)}: {share} % of the {best.rate:,.0f}/s of {best.setting},"
            f" with {_saving(chosen, best)}."
        )
    working = [point for point in points if not point.is_failing]
    fastest = max(working, key=lambda point: point.rate)
    if fastest.rate > best.rate * GROWTH:
        yield (
            f"{_doing(fastest)}, but an attempt takes {milliseconds(fastest.latency)}"
            f" there and {milliseconds(quietest)} when it is quiet: more at once mostly"
            " makes tasks wait inside the application."
        )
    for point in points:
        if point.is_failing:
            yield (
                f"With {point.setting}, {point.failed:,} of {point.attempts:,} attempts"
                " failed, so no more than that was tried."
            )
    if not points[-1].is_failing and _grows_at_the_bound(points, best, plan):
        yield (
            "The rate still grew with the most attempts at once that were tried:"
            f" --concurrency {plan.most_concurrency * 2} tries more."
        )
    if chosen.latency * IN_A_ROW > chosen.seconds:
        yield (
            f"An attempt takes {milliseconds(chosen.latency)}, so little was seen in"
            f" {chosen.seconds:.1f} s: measure with"
            f" --seconds {max(1, round(chosen.latency * LONG_ENOUGH))}."
        )


def _doing(point: Point) -> str:
    return f"{point.setting} does {point.rate:,.0f} tasks/s"


def _saving(chosen: Point, best: Point) -> str:
    fewer, more = chosen.setting, best.setting
    if fewer.workers < more.workers:
        return f"{_counted(fewer.workers, 'worker')} instead of {more.workers}"
    return f"{_counted(fewer.at_once, 'attempt')} at once instead of {more.at_once}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _grows_at_the_bound(points: Sequence[Point], best: Point, plan: Plan) -> bool:
    """Whether more at once than was allowed might do more still."""
    rates = [*rates_of(points, best.setting.workers).values()]
    if best.setting.at_once < max(point.setting.at_once for point in points):
        return False
    at_bound = best.setting.concurrency * 2 > plan.most_concurrency
    return at_bound and len(rates) > 1 and rates[-1] >= max(rates[:-1]) * GROWTH


def milliseconds(seconds: float) -> str:
    """For people: three figures of it."""
    value = seconds * 1e3
    return f"{value:.2f} ms" if value < 10 else f"{value:,.0f} ms"
