"""What is wrong, in sentences: what stands on top of the page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

from poussetaches.api.web.wording import counted, sentence
from poussetaches.schema import OriginView
from poussetaches.when import span

#: A task that is due for longer than this, seconds, is late.
LATE = 30.0
#: A process that took the place of another is told of for so long, seconds.
RECENT = 600.0
#: A process may take so long to start, seconds.
START = 10.0
#: An older dump than this is told of if dumps have failed, seconds.
OLD_DUMP = 3600.0
#: Queues, and origins, that have a sentence of their own.
MOST = 5


class Trouble(NamedTuple):
    """One thing that is wrong."""

    #: It keeps work from being done, or accepted; others may be meant so.
    is_bad: bool
    text: str
    #: Where there is more of it, and what is asked there.
    path: str = ""
    query: Mapping[str, str] = {}


def troubles(
    stats: Mapping[str, Any], origins: Sequence[OriginView], now: float
) -> list[Trouble]:
    """The worst first. ``stats`` and ``origins`` are those of ``GET /stats`` and
    ``GET /origins``; ``now``: posix seconds."""
    found = [
        *_service(stats),
        *_queues(stats),
        *_origins(origins, stats["held_origins"], now),
        *_processes(stats),
        *_dumps(stats["store"], now),
    ]
    return sorted(found, key=lambda one: not one.is_bad)


def _service(stats: Mapping[str, Any]) -> Iterator[Trouble]:
    for said in dict.fromkeys([*stats["complaints"], *stats["obstacles"]]):
        yield Trouble(True, sentence(said))
    difference = stats["accounting_difference"]
    if difference:
        many = counted(abs(difference), "task")
        what = "missing" if difference > 0 else "there that were never accepted"
        yield Trouble(
            True,
            f"The numbers do not add up: {many} {_are(abs(difference))} {what}."
            " This is a bug: keep a copy of the data directory, and report it.",
        )
    if stats["paused"]:
        yield Trouble(False, f"Paused: {_that_wait(stats['waiting'])}.")


def _queues(stats: Mapping[str, Any]) -> Iterator[Trouble]:
    queues: Mapping[str, Mapping[str, Any]] = stats["queues"]
    for name, told in sorted(queues.items()):
        if told["paused"] and told["waiting"]:
            text = f"Queue {name} is paused: {_that_wait(told['waiting'])}."
            yield Trouble(False, text, "/ui/queues")
    if stats["paused"]:
        return
    late = [
        (told["oldest_due"], name)
        for name, told in queues.items()
        if not told["paused"] and (told["oldest_due"] or 0.0) > LATE
    ]
    late.sort(reverse=True)
    for seconds, name in late[:MOST]:
        text = f"Queue {name}: the oldest task that is due waits for {span(seconds)}."
        yield Trouble(True, text, "/ui/tasks", {"queue": name})
    if late[MOST:]:
        more = len(late) - MOST
        yield Trouble(True, f"{counted(more, 'more queue')} {_are(more)} late.")


def _origins(origins: Sequence[OriginView], held: int, now: float) -> Iterator[Trouble]:
    shown = [one for one in origins if one.state in ("held", "given up")]
    shown.sort(key=lambda one: -one.waiting)
    for one in shown[:MOST]:
        since = "" if one.since is None else f" since {_clock(one.since, now)}"
        if one.state == "held":
            then = f": {_that_wait(one.waiting)}"
            if one.next_probe is not None:
                then += f", it is tried again in {span(max(0.0, one.next_probe - now))}"
        else:
            then = ", and is waited for no more: its tasks spend their attempts"
        text = f"{one.origin} {_away(one.reason or '', since)}{then}."
        yield Trouble(True, text, "/ui/tasks", {"origin": one.origin})
    more = held - sum(one.state == "held" for one in shown[:MOST])
    if more > 0:
        yield Trouble(True, f"{counted(more, 'more origin')} {_are(more)} away.")
    for one in origins:
        if one.state == "slowed":
            text = (
                f"{one.origin} has asked for fewer requests: {_that_wait(one.waiting)}."
            )
            yield Trouble(False, text, "/ui/tasks", {"origin": one.origin})


def _processes(stats: Mapping[str, Any]) -> Iterator[Trouble]:
    children: Sequence[Mapping[str, Any]] = stats["children"]
    for role, restarts in stats["restarts_by_role"].items():
        ages = [one["uptime"] for one in children if one["role"] == role]
        if restarts and ages and min(ages) < RECENT:
            times = "once" if restarts == 1 else f"{restarts:,} times"
            yield Trouble(
                False,
                f"A process of role {role} was replaced {span(min(ages))} ago, {times}"
                " since the start. The log says how each ended.",
            )
    for one in children:
        if not one["ready"] and one["uptime"] > START:
            text = f"{one['name']} has been starting for {span(one['uptime'])}."
            yield Trouble(False, text)
    slots = sum(one["slots"] for one in children)
    if slots and stats["waiting"] and stats["in_flight"] >= slots:
        text = (
            f"All workers are busy: all of their {slots:,} attempts at once are used."
        )
        yield Trouble(False, text)


def _dumps(store: Mapping[str, Any], now: float) -> Iterator[Trouble]:
    failed, last = store["dumps"]["failed"], store["dumped_at"]
    if failed and (last is None or now - last > OLD_DUMP):
        since = "" if last is None else f" for {span(now - last)}"
        times = "once" if failed == 1 else f"{failed:,} times"
        yield Trouble(
            False,
            f"No dump was written{since}, it failed {times}: the journal grows. The log"
            " says why.",
        )


def _away(reason: str, since: str) -> str:
    """That an origin is, by what said so (see ``aftermath.heed``)."""
    if reason.startswith("connection refused"):
        return f"refuses connections{since}"
    if reason.startswith("answered "):
        return f"answers {reason.removeprefix('answered ')}{since}"
    return f"is away{since}" + (f" ({reason})" if reason else "")


def _that_wait(count: int) -> str:
    return f"{counted(count, 'task')} wait{'s' if count == 1 else ''}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _clock(at: float, now: float) -> str:
    """When, on the clock; with the day, if that was not in the last of them."""
    form = "%H:%M UTC" if now - at < 86_400 else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(at, timezone.utc).strftime(form)
