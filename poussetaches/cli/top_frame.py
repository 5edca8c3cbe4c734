"""What ``top`` shows at one moment, as lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from poussetaches.cli.table import Column, cut, lines
from poussetaches.plain import harmless, plain
from poussetaches.when import relative, span

#: The rates shown are those of the last minute.
WINDOW = "1m"
#: Lines of each table but the first that are shown at least, with a head and a gap.
LEAST = 5

QUEUES = (
    Column("QUEUE", elastic=True),
    Column("STATE"),
    Column("WAITING", right=True),
    Column("IN FLIGHT", right=True),
    Column("LATE", right=True),
    Column("PUSHED/s", right=True),
    Column("DONE/s", right=True),
    Column("FAILED/s", right=True),
    # Since the start, also those that were retried meanwhile.
    Column("DIED", right=True),
)
PROCESSES = (
    Column("PROCESS"),
    Column("STATE"),
    Column("IN FLIGHT", right=True),
    Column("CPU", right=True),
    Column("MEMORY", right=True),
    Column("UP", right=True),
)
ORIGINS = (
    Column("ORIGIN IN TROUBLE", elastic=True, keeps_end=True),
    Column("STATE"),
    Column("WAITING", right=True),
    Column("IN FLIGHT", right=True),
    Column("FOR", right=True),
    Column("NEXT"),
)

Table = tuple[Sequence[Column], list[tuple[str, ...]]]


class Sample(NamedTuple):
    """What the service said. ``at``: posix seconds."""

    at: float
    #: ``GET /stats``.
    stats: Mapping[str, Any]
    #: ``origins`` of ``GET /origins``.
    origins: Sequence[Mapping[str, Any]]


def frame(
    sample: Sample,
    before: Sample | None,
    width: int | None = None,
    height: int | None = None,
    *,
    coloured: bool = False,
    trouble: str = "",
) -> list[str]:
    """The lines, within ``width`` and ``height`` if there are such. ``before``: the
    sample before this one, for what is told of the time between; ``trouble``: why there
    is no newer one."""
    head = [harmless(line) for line in _head(sample)]
    complaints = [trouble] if trouble else sample.stats.get("complaints", [])
    troubles = [plain(line) for line in complaints]
    tables = [
        (QUEUES, _queues(sample.stats)),
        (PROCESSES, _processes(sample, before)),
        (ORIGINS, _origins(sample)),
    ]
    found = [cut(line, width) if width else line for line in [*head, *troubles]]
    if coloured:
        found = [
            *(click.style(line, bold=True) for line in found[:1]),
            *found[1 : len(head)],
            *(click.style(line, fg="red") for line in found[len(head) :]),
        ]
    tables = [(columns, rows) for columns, rows in tables if rows]
    left = None if height is None else height - len(found)
    for (columns, rows), room in zip(tables, _rooms(tables, left), strict=True):
        if room is not None and room < 1:
            continue
        drawn = lines(columns, rows, width, coloured=coloured)
        if room is not None and len(rows) > room:
            more = f"and {len(rows) - room + 1} more"
            drawn = [*drawn[:room], more]
        found += ["", *drawn]
    return found


def _rooms(tables: Sequence[Table], left: int | None) -> list[int | None]:
    """How many rows of each table are shown: the first has what the others leave."""
    if left is None:
        return [None] * len(tables)
    rooms: list[int | None] = []
    # Each has a head, and a gap before it.
    left -= 2 * len(tables)
    for _, rows in reversed(tables[1:]):
        room = min(len(rows), max(LEAST, left // len(tables)), max(0, left))
        rooms.append(room)
        left -= room
    return [left, *reversed(rooms)] if tables else []


def _head(sample: Sample) -> list[str]:
    stats = sample.stats
    words = [f"poussetaches {stats['version']}", f"up {span(stats['uptime'])}"]
    if stats["paused"]:
        words.append("PAUSED")
    words.append(time.strftime("%H:%M:%S", time.localtime(sample.at)))
    oldest = stats["oldest_due"]
    late = "nothing is late" if oldest is None else f"late {span(oldest['seconds'])}"
    counts = [f"waiting {stats['waiting']}", f"in flight {stats['in_flight']}", late]
    counts += [f"{name} {stats[name]}" for name in ("succeeded", "dead", "expired")]
    rates = stats["rates"][WINDOW]
    told = [f"{name} {_rate(rates[name])}/s" for name in rates]
    return ["   ".join(words), "   ".join(counts), "   ".join(told)]


def _queues(stats: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Those with the most trouble first."""
    queues = dict(stats["queues"])
    if stats["other_queues"] is not None:
        # Of many queues those beyond the hundredth or so are counted together.
        queues["(others)"] = {**stats["other_queues"], "paused": False}
    found = sorted(queues.items(), key=lambda item: (*_urgency(item[1]), item[0]))
    return [_queue(name, told) for name, told in found]


def _urgency(queue: Mapping[str, Any]) -> tuple[float, int]:
    return -(queue.get("oldest_due") or 0.0), -(queue["waiting"] + queue["in_flight"])


def _queue(name: str, told: Mapping[str, Any]) -> tuple[str, ...]:
    oldest, rates = told.get("oldest_due"), told["rates"][WINDOW]
    return (
        plain(name),
        "paused" if told["paused"] else "",
        str(told["waiting"]),
        str(told["in_flight"]),
        "" if oldest is None else span(oldest),
        *(_rate(rates[name]) for name in ("accepted", "succeeded", "failed")),
        str(told["ended"]["dead"]),
    )


def _processes(sample: Sample, before: Sample | None) -> list[tuple[str, ...]]:
    earlier = {} if before is None else _by_pid(before)
    return [
        (
            one["name"],
            "" if one["ready"] else "starting",
            f"{one['in_flight']}/{one['slots']}" if one["slots"] else "",
            _share(sample, before, one, earlier.get(one["pid"])),
            f"{one['memory'] / 1e6:.0f} MB" if one["memory"] else "",
            span(one["uptime"]),
        )
        for one in _by_pid(sample).values()
    ]


def _by_pid(sample: Sample) -> dict[int, Mapping[str, Any]]:
    stats = sample.stats
    first = {
        **stats["supervisor"],
        "name": "supervisor",
        "ready": True,
        "slots": 0,
        "uptime": stats["uptime"],
    }
    return {one["pid"]: one for one in [first, *stats["children"]]}


def _share(
    sample: Sample,
    before: Sample | None,
    one: Mapping[str, Any],
    earlier: Mapping[str, Any] | None,
) -> str:
    """Of a processor, since the sample before or, without one, in all its life."""
    used, during = one["cpu"] or 0.0, one["uptime"]
    if before is not None and earlier is not None:
        used, during = used - (earlier["cpu"] or 0.0), sample.at - before.at
    return f"{max(0.0, 100 * used / during):.0f} %" if during > 0 else ""


def _origins(sample: Sample) -> list[tuple[str, ...]]:
    return [
        (
            plain(one["origin"]),
            one["state"],
            str(one["waiting"]),
            str(one["in_flight"]),
            "" if one["since"] is None else span(max(0.0, sample.at - one["since"])),
            ""
            if one["next_probe"] is None
            else relative(max(one["next_probe"], sample.at), sample.at),
        )
        for one in sample.origins
        if one["state"] != "open"
    ]


def _rate(rate: float) -> str:
    """With as many places as tell something."""
    if rate == 0:
        return "0"
    return (
        f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"
    )
