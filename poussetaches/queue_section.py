"""The settings of a queue as text: a section of a file, or words of a command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from poussetaches.errors import ConfigError, InvalidInput
from poussetaches.model import queue_fields
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.setting import SWITCH, Kind, Setting, duration, or_word, whole

#: What the name of a section begins with that is a queue's.
PREFIX = "queue:"
#: What the name of a setting begins with that is a header.
HEADER = "header."

#: Beyond what any field may have: what is out of bounds is said in one place.
_ANY_WHOLE = whole(-(10**18), 10**18)
_TEXT = Kind(str, str, "TEXT")


def _kind(name: str, kind: Kind, word: Any = None) -> Kind:
    """``kind`` for the text of field ``name``, and the check of that field; ``word``:
    what None stands for there."""

    def parse(text: str) -> Any:
        value = kind.parse(text)
        value = word if value is None else value
        queue_fields.CHECKS[name](value)
        return value

    def show(value: Any) -> str:
        return str(value) if value == word else kind.show(value)

    return Kind(parse, show, kind.metavar)


_WAIT = duration(0, queue_fields.LONGEST)
_NO_LIMIT = queue_fields.NO_LIMIT

#: How the text of each field is read and shown; the values are those of JSON.
_KINDS: Mapping[str, Kind] = {
    "concurrency": _kind(
        "concurrency",
        or_word(queue_fields.UNLIMITED, _ANY_WHOLE),
        queue_fields.UNLIMITED,
    ),
    "rate": _kind("rate", _TEXT),
    "burst": _kind("burst", _ANY_WHOLE),
    "retry_limit": _kind("retry_limit", _ANY_WHOLE),
    "min_backoff_seconds": _kind("min_backoff_seconds", _WAIT),
    "max_backoff_seconds": _kind(
        "max_backoff_seconds", or_word(str(_NO_LIMIT), _WAIT), _NO_LIMIT
    ),
    "max_doublings": _kind("max_doublings", _ANY_WHOLE),
    "timeout": _kind(
        "timeout", duration(queue_fields.SHORTEST_TIMEOUT, queue_fields.LONGEST)
    ),
    "base_url": _kind("base_url", _TEXT),
    "paused": _kind("paused", SWITCH),
}


def read_fields(given: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """Values by the names of ``queue_fields``, from name, text and source of what was
    given. Headers stand as ``header.NAME``. Raises ConfigError."""
    values: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for name, text, source in given:
        header = name[len(HEADER) :]
        if name.startswith(HEADER):
            row = Setting(name, _header_kind(header, headers), "", "", secret=True)
            headers[header] = row.parse(text, source)
        elif name in _KINDS:
            is_secret = name == "base_url"
            row = Setting(name, _KINDS[name], "", "", secret=is_secret)
            values[name] = row.parse(text, source)
        else:
            near = queue_fields.nearest(name, (*_KINDS, HEADER + "NAME"))
            raise ConfigError(
                f"there is no setting {json.dumps(name, ensure_ascii=False)} of a queue"
                f" (from {source}){near}",
                field=name,
            )
    if headers:
        values["headers"] = headers
    return values


def _header_kind(name: str, before: Mapping[str, str]) -> Kind:
    """For the text of one header: with those ``before`` it, they may be too many, or
    one of them twice."""

    def parse(text: str) -> str:
        if name in before:
            raise ValueError("is set twice")
        queue_fields.CHECKS["headers"]({**before, name: text})
        return text

    return Kind(parse, str, "TEXT")


def read_section(name: str, given: Iterable[tuple[str, str, str]]) -> QueueSettings:
    """The settings of queue ``name``. Raises ConfigError."""
    try:
        queue_fields.check_name(name)
        return QueueSettings.from_wire(queue_fields.change({}, {}, read_fields(given)))
    except InvalidInput as error:
        raise ConfigError(error.message, field=error.field) from None
    except ConfigError as error:
        told = f"queue {name}: {error.message}"
        raise ConfigError(told, field=error.field) from None


def describe(settings: QueueSettings) -> dict[str, str]:
    """What was said of a queue, as it would stand in its section; secrets masked."""
    return describe_shown(queue_fields.shown(settings.to_wire()))


def describe_shown(shown: Mapping[str, Any]) -> dict[str, str]:
    """The same of what ``queue_fields.shown`` made, or the public JSON has."""
    told: dict[str, str] = {}
    for name, value in shown.items():
        if name == "headers":
            told |= {HEADER + header: text for header, text in value.items()}
        else:
            told[name] = _KINDS[name].show(value)
    return told
