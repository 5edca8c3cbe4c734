"""The form of a queue: its settings as text, and the changes that were filled in. Pure.

Each field is sent along as it was shown, so that what somebody else has changed since
then, and this one has not, stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from poussetaches.api.web.browser import Form
from poussetaches.api.web.fields import Field
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_fields import check_field
from poussetaches.schema import meant_url

#: What the field of what was shown begins with.
WAS = "was-"

#: Of a new one.
NAME = Field(
    "name", "Name", "Letters, digits, and _ . : -; at most 100.", errors=("queue",)
)

FIELDS = (
    Field("rate", "Rate", "Attempts that begin: 10/s, 21.5/m, 5/h, 1/d; or unlimited."),
    Field("burst", "Burst", "How many may begin at once after a quiet time."),
    Field("concurrency", "Concurrency", "Attempts at once; or unlimited."),
    Field("retry_limit", "Retries", "Attempts after the first one; -1: any number."),
    Field("min_backoff_seconds", "Backoff, least", "Seconds."),
    Field("max_backoff_seconds", "Backoff, most", "Seconds; -1: no limit."),
    Field("max_doublings", "Backoff, doublings", "-1: no limit."),
    Field("timeout", "Timeout", "Seconds that an attempt may take."),
    Field("base_url", "Base URL", "What a path that is pushed is relative to."),
    Field("paused", "Paused: nothing of it is delivered", kind="check"),
)


def texts(shown: Mapping[str, Any]) -> dict[str, str]:
    """Settings as they are filled in; of what is not said, nothing. ``shown``: those of
    the public JSON."""
    return {one.name: _text(shown[one.name]) for one in FIELDS if one.name in shown}


def limits(shown: Mapping[str, Any]) -> str:
    """The same in one line, less what is told elsewhere."""
    said = texts(shown)
    return ", ".join(
        f"{one.label.lower()} {said[one.name]}"
        for one in FIELDS
        if one.name in said and one.name not in ("paused", "base_url")
    )


def changes(form: Form) -> dict[str, Any]:
    """Each field that was filled in otherwise than it was shown, with its value in
    JSON; None: it was emptied."""
    changed: dict[str, Any] = {}
    for one in FIELDS:
        text, was = form.get(one.name).strip(), form.get(WAS + one.name)
        if text == was:
            continue
        if one.kind == "check":
            changed[one.name] = bool(text)
        else:
            changed[one.name] = _value(text) if text else None
    return changed


def mistakes(changed: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each field of which something is, in the sentence of the
    API."""
    wrong: dict[str, str] = {}
    for name, value in changed.items():
        if value is None:
            continue
        try:
            if name == "base_url":
                meant_url(value, "", name)  # what is masked is not known here
            check_field(name, value)
        except InvalidInput as error:
            wrong[name] = error.message
    return wrong


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


def _value(text: str) -> Any:
    """What is no number stays text: whoever reads it says whether that will do."""
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?[0-9]{0,18}\.[0-9]{1,18}", text) else text
