"""A ``taskqueue.ini``, the file of mentat/taskqueue, read as it is.

There a section is a queue, and the address of RabbitMQ stands somewhere beside them. We
take the queues as that program documents them, not as it treated them: it read half of
the settings and never used them.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from poussetaches.errors import ConfigError, InvalidInput
from poussetaches.model import queue_fields
from poussetaches.model.backoff import FOR_EVER, LEAST_WAIT
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.target import hide_password
from poussetaches.queue_section import read_fields

#: The settings of a queue there, and what each is where it is not said.
DEFAULTS = {
    "concurrency": "1",
    "rate": "1/s",
    "retry_limit": "-1",
    "min_backoff_seconds": "0",
    "max_backoff_seconds": "-1",
    "max_doublings": "-1",
}
#: Those of the program, and what becomes of them here.
OF_THE_PROGRAM = {
    "server": "tasks from RabbitMQ are not taken yet",
    "backend": "ignored, tasks are kept in data_dir",
    "tombstone_delay": "ignored, see key_ttl",
}
#: Sections that may hold these and be no queue.
NO_QUEUES = frozenset({"", "DEFAULT", "main", "server", "taskqueue"})

#: Names as like each other as this are taken for one.
ALIKE = 0.8

_UNIT_WORDS = {"s": "a second", "m": "a minute", "h": "an hour", "d": "a day"}


class Found(NamedTuple):
    """What such a file says."""

    queues: Mapping[str, QueueSettings]
    warnings: tuple[str, ...]
    #: A line for each of its lines, in words.
    meanings: tuple[str, ...]


class Line(NamedTuple):
    """One setting."""

    number: int
    name: str
    text: str


def is_one(text: str, own: tuple[str, str]) -> bool:
    """Whether ``text`` is such a file: it has none of our ``own`` sections (a name, and
    what others begin with), not even misspelt, and settings of the other program."""
    ours, prefix = own
    sections = re.findall(r"^\[(.*?)\]", text, re.MULTILINE)
    for name in sections:
        likeness = difflib.SequenceMatcher(None, name, ours).ratio()
        if likeness > ALIKE or name.startswith(prefix):
            return False
    # Without any section, the others could be meant for ours.
    names = "|".join([*DEFAULTS, *OF_THE_PROGRAM] if sections else ["server"])
    return bool(re.search(rf"^[ \t]*(?:{names})[ \t]*[=:]", text, re.MULTILINE))


def read(text: str, path: str) -> Found:
    """The queues of a file. Raises ConfigError."""
    queues: dict[str, QueueSettings] = {}
    warnings = [
        f"{path} is read as a taskqueue.ini: it has neither [poussetaches] nor"
        " [queue:NAME]"
    ]
    meanings: list[str] = []
    for section, lines in _sections(text, path).items():
        theirs = [line for line in lines if line.name in OF_THE_PROGRAM]
        for line in theirs:
            shown = hide_password(line.text)
            where = f"[{section}] " if section else ""
            meaning = f"{where}{line.name} = {shown}: {OF_THE_PROGRAM[line.name]}"
            meanings.append(meaning)
            warnings.append(f"{path}:{line.number} {meaning}")
        if section in NO_QUEUES and len(theirs) == len(lines):
            continue
        given = {line.name: line for line in lines if line not in theirs}
        values = _read_queue(section, given, path)
        layer = queue_fields.change({}, {}, values)
        queues[section] = QueueSettings.from_wire(layer)
        meanings += _meanings(section, given, values)
    return Found(queues, tuple(warnings), tuple(meanings))


def _sections(text: str, path: str) -> dict[str, list[Line]]:
    """The lines of each section, "" for those before the first."""
    found: dict[str, list[Line]] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        if head := re.fullmatch(r"\[(.*)\]\s*(?:[#;].*)?", line):
            section = head[1].strip()
            if section in found:
                raise ConfigError(f"{path}:{number}: [{section}] stands twice")
            found[section] = []
            continue
        parts = re.fullmatch(r"([A-Za-z_]+)\s*[=:]\s*(.*?)(?:\s[#;].*)?", line)
        if parts is None:
            raise ConfigError(
                f'{path}:{number}: this is neither "name = value" nor a comment'
            )
        lines = found.setdefault(section, [])
        name = parts[1].lower()
        if any(name == other.name for other in lines):
            raise ConfigError(f"{path}:{number}: {name} is set twice")
        value = parts[2].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        lines.append(Line(number, name, value))
    return found


def _read_queue(section: str, given: Mapping[str, Line], path: str) -> dict[str, Any]:
    """The values of a queue by the names of ``queue_fields``."""
    try:
        queue_fields.check_name(section)
        return read_fields(_rows(section, given, path))
    except InvalidInput as error:
        raise ConfigError(f"{path}: {error.message}", field=error.field) from None
    except ConfigError as error:
        told = f"queue {section}: {error.message}"
        raise ConfigError(told, field=error.field) from None


def _rows(
    section: str, given: Mapping[str, Line], path: str
) -> Iterator[tuple[str, str, str]]:
    for line in given.values():
        source = f"{path}:{line.number} [{section}]"
        if line.name not in DEFAULTS:
            near = queue_fields.nearest(line.name, (*DEFAULTS, *OF_THE_PROGRAM))
            raise ConfigError(
                f"there is no setting {json.dumps(line.name)} in a taskqueue.ini (from"
                f" {source}){near or ', and ours would stand in [poussetaches]'}",
                field=line.name,
            )
        yield line.name, line.text, source
    for name, text in DEFAULTS.items():
        if name not in given:
            yield name, text, "taskqueue's defaults"


# --- in words -------------------------------------------------------------------------


def _meanings(
    section: str, given: Mapping[str, Line], values: Mapping[str, Any]
) -> Iterator[str]:
    for name, default in DEFAULTS.items():
        text = given[name].text if name in given else f"{default} (not said)"
        yield f"[{section}] {name} = {text}: {_meaning(name, values[name])}"


def _meaning(name: str, value: Any) -> str:
    if name == "rate":
        rate = queue_fields.read_rate(value)
        few = f"{rate.attempts:g} attempt{'' if rate.attempts == 1 else 's'}"
        spread = f"one every {rate.interval:.4g} s"
        return f"at most {few} {_UNIT_WORDS[rate.unit]}, {spread}"
    if name == "concurrency":
        return f"at most {value} at once"
    if name == "retry_limit":
        if value == FOR_EVER:
            return "a task is tried until it succeeds"
        return f"a task is dead when {value} retries after the first attempt failed"
    if name == "min_backoff_seconds":
        first = max(value, LEAST_WAIT)
        return f"the first retry comes {first:g} s after a failure"
    if name == "max_backoff_seconds":
        if value == queue_fields.NO_LIMIT:
            return "a wait may be of any length"
        return f"no wait is longer than {value:g} s"
    if value == queue_fields.NO_LIMIT:
        return "the wait doubles with every failure"
    return f"the wait doubles {value} times, then grows by as much each time"
