"""The report: what a callback (``roll_back``, ``on_success``) is told."""

from __future__ import annotations

from typing import Any

import msgspec

from poussetaches.channel.messages import unseal
from poussetaches.model.task import How, Report
from poussetaches.schema.json import readable
from poussetaches.schema.mask import shown_url
from poussetaches.schema.payload import base64

_USUAL = How()


def report_json(report: Report) -> bytes:
    """``report`` as the document that is delivered::

        {"event": "dead", "task": {...}, "error": {...} or null, "at": posix seconds}

    Raises ChannelError for the spec of a task that this version cannot open.
    """
    return msgspec.json.encode(
        {
            "event": report.event,
            "task": _task(report),
            "error": _error(report),
            "at": report.at,
        }
    )


def _task(report: Report) -> dict[str, Any]:
    spec = unseal(report.spec)
    how = spec.how or _USUAL
    told: dict[str, Any] = {
        "id": report.id,
        "url": shown_url(spec.url),
        "payload": base64(spec.payload),
        "queue": report.queue,
        "attempts": report.attempts,
        "metadata": msgspec.Raw(how.metadata.encode()) if how.metadata else None,
    }
    if how.is_json and spec.payload is not None:
        # Of a task that was given "json", so it need not be decoded twice.
        told["json"] = msgspec.Raw(spec.payload)
    return told


def _error(report: Report) -> dict[str, Any] | None:
    """Of the last failed attempt, unless all has ended well."""
    if report.event == "succeeded" or report.error is None:
        return None
    return {"status": report.status, "body": readable(report.error)}
