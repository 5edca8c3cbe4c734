"""A task with all that is known of it, in the order people read it: what
``cli/story.py`` is for a terminal. Pure."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

#: Characters of one value that are shown; the JSON has all of them.
LONGEST = 20_000
#: Longer ones, characters, have a place of their own.
LONGEST_FACT = 120

#: Told in words of their own, or in another place.
TOLD = frozenset(
    (
        *("id", "state", "method", "url", "queue", "schedule", "timezone", "pushed"),
        *("payload", "json", "format", "expected", "result", "next_scheduled_run"),
        *("next_run", "last_run", "tries", "attempts", "attempts_dropped", "group"),
        *("last_error_body", "last_error_status_code", "expires", "eta"),
    )
)
#: Names of other fields, where the public word says less.
NAMES = {"max_retries": "retries at most", "roll_back": "told if it dies"}


class Fact(NamedTuple):
    """One thing that is short."""

    name: str
    text: str = ""
    #: A moment, posix seconds, instead.
    at: float | None = None
    #: Where there is more of it.
    path: str = ""
    query: Mapping[str, str] = {}


class Block(NamedTuple):
    """One that may be long."""

    name: str
    text: str
    #: How it is to be read: "JSON", "text", "bytes".
    form: str


def facts(task: Mapping[str, Any]) -> Iterator[Fact]:
    """Of a task as ``task_json`` makes it."""
    yield Fact("Target", f"{task.get('method', 'POST')} {task['url']}")
    queue = task["queue"]
    yield Fact("Queue", queue, path="/ui/tasks", query={"queue": queue})
    if task["schedule"]:
        rule = f"{task['schedule']} {task.get('timezone', '')}".strip()
        yield Fact("Schedule", rule, path="/ui/schedules")
    if group := task.get("group"):
        yield Fact("Group", group, path="/ui/tasks", query={"text": group})
    if task.get("pushed"):
        yield Fact("Pushed", at=task["pushed"])
    if task["state"] in ("waiting", "leased"):
        yield Fact("Due", at=task["next_run"] / 1e9)
    if task["last_run"]:
        yield Fact("Last tried", at=task["last_run"] / 1e9)
    yield Fact("Attempts", str(task["tries"]))
    if task["expected"] != 200:
        yield Fact("Expected answer", _json(task["expected"]))
    for name in ("eta", "expires"):
        if task.get(name) is not None:
            yield Fact(_title(name), at=task[name])
    for name, value in _others(task):
        if not _is_long(value):
            yield Fact(_title(name), _text(value))


def blocks(task: Mapping[str, Any]) -> Iterator[Block]:
    """Payload, result, error, and what else is long."""
    form = f", {task['format']}" if "format" in task else ""
    if task.get("json") is not None:
        yield _long(f"Payload{form}", task["json"])
    elif task["payload"] is not None:
        yield _decoded(f"Payload{form}", task["payload"])
    for name, value in _others(task):
        if _is_long(value):
            yield _long(_title(name), value)
    if task.get("result") is not None:
        yield _decoded("Result", task["result"])
    if task["last_error_body"]:
        status = task["last_error_status_code"]
        name = f"Last error: answered {status}" if status > 0 else "Last error"
        yield _decoded(name, task["last_error_body"])


def _others(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in task.items() if name not in TOLD)


def _title(name: str) -> str:
    text = NAMES.get(name, name.replace("_", " "))
    return text[:1].upper() + text[1:]


def _is_long(value: Any) -> bool:
    text = _text(value)
    is_several = text[:1] in ("{", "[") and not isinstance(value, str)
    return is_several or len(text) > LONGEST_FACT


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _long(name: str, value: Any) -> Block:
    if isinstance(value, str):
        return Block(name, _cut(value), "text")
    text = _json(value)
    return Block(name, _cut(_laid_out(text) or text), "JSON")


def _laid_out(text: str) -> str | None:
    """JSON on several lines; None if it is none, or so long or deep that it takes time
    or cannot be: it is cut then anyway."""
    if len(text) > 10 * LONGEST:
        return None
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None


def _decoded(name: str, base64: str) -> Block:
    """What stands in base64, as far as it can be read."""
    data = b64decode(base64)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        told = f"{len(data):,} bytes that are no text: {data[:64].hex(' ')}"
        return Block(name, told + (" ..." if len(data) > 64 else ""), "bytes")
    laid_out = _laid_out(text) if text[:1] in ("{", "[") else None
    if laid_out is not None:
        return Block(name, _cut(laid_out), "JSON")
    return Block(name, _cut(text) or "empty", "text")


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n... {len(text):,} characters, the JSON has them all"
