"""A task with all that is known of it, as people read it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from poussetaches.cli.table import GAP, Column, lines
from poussetaches.plain import harmless, plain
from poussetaches.when import moment, relative, span

#: Characters of a payload or a result that are shown; --json has all of them.
LONGEST = 2000

#: Told in words of their own, or in another line.
TOLD = frozenset(
    (
        *("id", "state", "method", "url", "queue", "schedule", "timezone", "pushed"),
        *("payload", "json", "format", "expected", "result", "next_scheduled_run"),
        *("next_run", "last_run", "tries", "attempts", "attempts_dropped"),
        *("last_error_body", "last_error_status_code"),
    )
)

ATTEMPTS = (
    Column("#", right=True),
    Column("STARTED"),
    Column("TOOK", right=True),
    Column("OUTCOME"),
    Column("STATUS", right=True),
    Column("ERROR"),
    Column("WORKER"),
    Column("REQUEST"),
    Column("ANSWER", elastic=True),
)


def story(
    task: Mapping[str, Any],
    now: float,
    width: int | None = None,
    *,
    coloured: bool = False,
) -> Iterator[str]:
    """The lines about a task as ``GET /task/<id>`` shows it; the attempts in ``width``
    columns, if given and possible. ``now``: posix seconds."""
    facts = [*_facts(task, now)]
    longest = max(len(name) for name, _ in facts)
    for name, text in facts:
        first, *others = text
        yield f"{name:<{longest}}{GAP}{first}".rstrip()
        yield from (f"{'':<{longest}}{GAP}{line}".rstrip() for line in others)
    attempts = task.get("attempts", [])
    if not attempts:
        return
    yield ""
    rows = [[plain(cell) for cell in _attempt(one)] for one in attempts]
    yield from lines(ATTEMPTS, rows, width, coloured=coloured)
    if dropped := task.get("attempts_dropped"):
        yield f"{dropped} more after the first one are not kept."
    if any(one["outcome"] == "deferred" for one in attempts):
        yield "What is deferred does not count, and its number comes again."


def _facts(task: Mapping[str, Any], now: float) -> Iterator[tuple[str, Sequence[str]]]:
    yield "task", [plain(task["id"])]
    yield "state", [_state(task, now)]
    yield "target", [plain(f"{task.get('method', 'POST')} {task['url']}")]
    yield "queue", [plain(task["queue"])]
    if task["schedule"]:
        yield "schedule", [plain(f"{task['schedule']} {task.get('timezone', '')}")]
    if pushed := task.get("pushed"):
        yield "pushed", [_when(pushed, now)]
    yield from _payload(task)
    expected = task["expected"]
    if expected != 200:
        yield "expected", [_json(expected)]
    for name, value in task.items():
        if name not in TOLD:
            text = value if isinstance(value, str) else _json(value)
            yield plain(name), [plain(text)]
    if task.get("result") is not None:
        yield "result", _bytes(b64decode(task["result"]))
    # The attempts say it, if they are known.
    if task["last_error_body"] and not task.get("attempts"):
        status = task["last_error_status_code"]
        error = _bytes(b64decode(task["last_error_body"]))
        yield f"error {status}" if status > 0 else "error", error


def _state(task: Mapping[str, Any], now: float) -> str:
    state = "in flight" if task["state"] == "leased" else task["state"]
    tries = task["tries"]
    if state == "waiting":
        told = f"{state}, due {_when(task['next_run'] / 1e9, now)}"
    elif task["last_run"]:
        word = "since" if state == "in flight" else "last tried"
        told = f"{state}, {word} {_when(task['last_run'] / 1e9, now)}"
    else:
        told = state
    return f"{told}; {tries} {'attempt' if tries == 1 else 'attempts'}"


def _payload(task: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[str]]]:
    form = f" ({task['format']})" if "format" in task else ""
    if task.get("json") is not None:
        yield f"json{form}", _cut(json.dumps(task["json"], ensure_ascii=False))
    elif task["payload"] is not None:
        yield f"payload{form}", _bytes(b64decode(task["payload"]))


def _bytes(data: bytes) -> Sequence[str]:
    """Text as it is, other bytes in base64's place by their number."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [f"{len(data)} bytes that are no text (--json has them)"]
    return _cut(text) if text else ["empty"]


def _cut(text: str) -> Sequence[str]:
    shown = [harmless(line) for line in text[:LONGEST].splitlines()]
    if len(text) > LONGEST:
        shown.append(f"... {len(text)} characters (--json has them all)")
    return shown or [""]


def _attempt(one: Mapping[str, Any]) -> Sequence[object]:
    duration = one["duration"]
    return (
        one["number"],
        moment(one["started"]),
        "" if duration is None else span(duration),
        one["outcome"],
        one["status"] or "",
        # That it was another status than expected is seen beside it.
        "" if one["error"] in (None, "status") else one["error"],
        one["worker"] or "",
        one["request"] or "",
        one["response"] or "",
    )


def _when(at: float, now: float) -> str:
    return f"{moment(at)} ({relative(at, now)})"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
