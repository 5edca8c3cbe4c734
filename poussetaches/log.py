"""Logging for one process: a line per event on standard error, text or JSON.

Each process calls ``setup`` once, with its role, before anything else can go wrong::

    log.setup("worker-1", config.log_level, config.log_format)

A module logs with the standard library, and puts what a program may want to search for
into named fields instead of the sentence::

    logger = logging.getLogger(__name__)
    logger.info("attempt failed", extra=fields(task=task.id, status=503))

    2026-01-02 03:04:05.678 worker-1[4242] INFO attempt failed task=6f1c status=503

Targets, payloads and errors of strangers end up in messages and fields. Whatever they
hold, one event stays one line; only a traceback adds lines, and those are indented.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

#: Line breaks and other controls, those that reorder text, and what is no text at all.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: What would make a value in a text line ambiguous.
_AMBIGUOUS = re.compile(r'[\s"=\\]')
#: From which level up which of syslog's priorities, highest first.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)


def fields(**values: object) -> dict[str, object]:
    """Named values for the ``extra`` of a logging call; any name, any type."""
    return {"fields": values}


#: The request that is being handled, "": none that anybody could name.
_request: ContextVar[str] = ContextVar("request", default="")


@contextmanager
def about(request: str) -> Iterator[None]:
    """What is logged inside is about the api request of that id, and has it as the
    field ``request``."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def setup(
    role: str, level: str = "info", format: str = "text", stream: TextIO | None = None
) -> None:
    """Log this process's messages from ``level`` up; a second call replaces the first.

    ``role`` is what people call the process, such as ``worker-1``; ``format`` is
    ``text`` or ``json``; ``stream`` is standard error unless given. A stream that leads
    to the journal gets the priority journald reads, and no time: journald has its own.
    """
    stream = sys.stderr if stream is None else stream
    formatter = _FORMATTERS[format](role, journal=_is_journal(stream))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, _Formatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def escape(text: str) -> str:
    """``text`` on one line: what could break or disguise the line, as ``\\n``."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Formatter(logging.Formatter):
    """What both formats share."""

    def __init__(self, role: str, *, journal: bool) -> None:
        super().__init__()
        self._role = role
        self._journal = journal

    def _priority(self, record: logging.LogRecord) -> str:
        """journald's ``<n>``, syslog's numbers, or nothing."""
        if not self._journal:
            return ""
        return next(f"<{n}>" for level, n in _PRIORITIES if record.levelno >= level)

    def _traceback(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info and record.exc_info[0]:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


class TextFormatter(_Formatter):
    """``time role[pid] LEVEL message name=value ...``; the time is local."""

    def format(self, record: logging.LogRecord) -> str:
        line = (
            f"{self._role}[{record.process}] {record.levelname}"
            f" {escape(record.getMessage())}"
        )
        if not self._journal:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
            line = f"{moment}.{int(record.msecs):03d} {line}"
        for name, value in _fields_of(record).items():
            line += f" {name}={_quoted(value)}"
        # Indented, so that no exception's text can pass for an event of ours.
        trace = ["    " + escape(part) for part in self._traceback(record).splitlines()]
        # journald takes every line for a message of its own.
        return "\n".join(self._priority(record) + part for part in [line, *trace])


class JsonFormatter(_Formatter):
    """One object: time (UTC), level, role, pid, logger, message, fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "role": self._role,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := self._traceback(record):
            event["traceback"] = trace
        for name, value in _fields_of(record).items():
            # A field named as one of ours stands beside it; neither is lost.
            event[f"{name}_" if name in event else name] = _plain(value)
        return self._priority(record) + json.dumps(event)


_FORMATTERS: Mapping[str, type[_Formatter]] = {
    "text": TextFormatter,
    "json": JsonFormatter,
}


def _fields_of(record: logging.LogRecord) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(record, "fields", {})
    request = _request.get()
    # A field of that name is about another request: that of a delivery.
    return (
        {**found, "request": request} if request and "request" not in found else found
    )


def _quoted(value: object) -> str:
    text = str(value)
    if text and not _AMBIGUOUS.search(text) and not _UNSAFE.search(text):
        return text
    return escape(json.dumps(text, ensure_ascii=False))


def _plain(value: object) -> object:
    """``value`` if JSON has such a thing, else its text. JSON has no NaN."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd connected this stream to the journal: it names device and inode,
    so a stream that was redirected since is not mistaken for it.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
