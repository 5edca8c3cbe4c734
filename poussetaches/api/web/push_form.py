"""The form of a push: its fields, the body of a push that is filled in in them, and how
they are filled in for a push that there was. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import msgspec

from poussetaches.api.web.browser import Form
from poussetaches.api.web.fields import Field, Group
from poussetaches.errors import InvalidInput
from poussetaches.model.request_head import METHODS
from poussetaches.push_text import is_json, read_expected, read_header, read_waits
from poussetaches.schema import check_json, encode, meant_headers, meant_url

JSON, TEXT, BASE64 = "json", "text", "base64"
#: How a payload is filled in.
KINDS = ((JSON, "JSON"), (TEXT, "Text"), (BASE64, "Base64"))

#: What may become of missed runs of a schedule, and of one that comes while another is
#: under way; the first is usual.
MISSED = {
    "one": "one run for all of them",
    "none": "not made up for",
    "all": "all are made up for",
}
OVERLAP = {"skip": "the next one is left out", "queue": "the next one waits"}


def _choices(words: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Of which the first need not be said."""
    (_, usual), *others = words.items()
    return (("", usual), *others)


_ADDRESS = "A full URL, or a path where the queue has a base_url."
_MOMENT = "2026-12-01 09:30 (UTC, unless it says +01:00), or posix seconds."
_USUAL = ("", "as usual")

GROUPS = (
    Group(
        "What",
        (
            Field("url", "URL", _ADDRESS, long=True),
            Field("queue", "Queue", "Left empty: default."),
            Field("kind", "Payload is", kind="choice", choices=KINDS),
            Field(
                "payload",
                "Payload",
                "Left empty, there is none.",
                kind="area",
                errors=("json",),
                rows=5,
            ),
        ),
    ),
    Group(
        "When",
        (
            Field("countdown", "Countdown", "Seconds until the first attempt."),
            Field("eta", "Not before", _MOMENT),
            Field("expires", "Expires", _MOMENT),
        ),
    ),
    Group(
        "Schedule",
        (
            Field("schedule", "Recurs", "*/5 * * * *, @daily, @every 1h30m ..."),
            Field("name", "Name", "By which it is changed later."),
            Field("timezone", "Time zone", "Europe/Paris ..."),
            Field(
                "missed",
                "Missed runs",
                kind="choice",
                choices=_choices(MISSED),
            ),
            Field(
                "overlap",
                "While a run is under way",
                kind="choice",
                choices=_choices(OVERLAP),
            ),
        ),
    ),
    Group(
        "Success and failure",
        (
            Field("expected", "Expected", "200 if left empty; 204, 2xx, 200, 404 ..."),
            Field("max_retries", "Retries", "At most; -1: any number."),
            Field(
                "backoff",
                "Backoff",
                'Seconds: 1, 10, 60; or {"min": 1, "max": 60, "doublings": 4}.',
            ),
            Field("timeout", "Timeout", "Seconds that an attempt may take."),
            Field("on_success", "On success", "URL that is told."),
            Field(
                "roll_back", "Roll back", "URL that is told when it dies or expires."
            ),
            Field("keep_result", "Keep the answer that means success", kind="check"),
        ),
    ),
    Group(
        "Order and repetition",
        (
            Field("key", "Key", "The same key again is the same task."),
            Field("group", "Group", "Delivered in order, one at a time."),
        ),
    ),
    Group(
        "Request",
        (
            Field(
                "method",
                "Method",
                kind="choice",
                choices=(_USUAL, *((one, one) for one in sorted(METHODS))),
            ),
            Field(
                "format",
                "Body",
                kind="choice",
                choices=(("", "envelope"), ("raw", "the payload as it is")),
            ),
            Field("headers", "Headers", "Name: value, one a line.", kind="area"),
            Field("metadata", "Metadata", "Any JSON, carried along.", kind="area"),
        ),
    ),
)


# --- from the form to the push --------------------------------------------------------


def push_body(form: Form) -> bytes:
    """The body of the push that is filled in, in our order of fields; what is left
    empty it does not say.

    Raises InvalidInput for what has no meaning in JSON, or stands for a secret that is
    not shown: all else is for who reads a push to say.
    """
    fields: dict[str, Any] = {}
    for group in GROUPS:
        for field in group.fields:
            text = form.get(field.name).replace("\r\n", "\n")
            if field.name == "payload":
                fields |= _payload(form.get("kind"), text)
            elif field.name != "kind" and text.strip():
                read = _READ.get(field.name, str)
                fields[field.name] = read(text.strip())
    return encode(fields)[:-1]


def _payload(kind: str, text: str) -> dict[str, Any]:
    if not text or (kind != TEXT and not text.strip()):
        return {}
    if kind == TEXT:
        return {"payload": b64encode(text.encode()).decode()}
    if kind == BASE64:
        return {"payload": "".join(text.split())}
    return {"json": _json("json")(text)}


def _json(name: str) -> Callable[[str], msgspec.Raw]:
    def read(text: str) -> msgspec.Raw:
        raw = text.strip().encode()
        check_json(raw, name)
        return msgspec.Raw(raw)

    return read


def _number(text: str) -> Any:
    """What is none stays text, of which is said what is wrong with it."""
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[+-]?[0-9]{0,18}\.[0-9]{1,18}", text) else text


def _moment(name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        number = _number(text)
        if not isinstance(number, str):
            return number
        plain = re.sub(r" ?(Z|UTC)$", "", text, flags=re.IGNORECASE)
        try:
            there = datetime.fromisoformat(plain)
            at = (
                there if there.tzinfo else there.replace(tzinfo=timezone.utc)
            ).timestamp()
        except (ValueError, OverflowError):
            raise InvalidInput(
                f"{name}: must be a moment such as 2026-12-01 09:30, or posix seconds",
                field=name,
            ) from None
        return int(at) if at.is_integer() else at

    return read


def _backoff(text: str) -> Any:
    return _json("backoff")(text) if is_json(text) else read_waits(text)


def _headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in filter(str.strip, text.split("\n")):
        try:
            name, value = read_header(line)
        except InvalidInput:
            raise InvalidInput(
                "headers: each line must be 'Name: value'", field="headers"
            ) from None
        if name in headers:
            raise InvalidInput(f"headers: {name:.100} is there twice", field="headers")
        headers[name] = value
    return dict(meant_headers(tuple(headers.items()), ()))


def _url(name: str) -> Callable[[str], str]:
    return lambda text: meant_url(text, "", name)


_READ: Mapping[str, Callable[[str], Any]] = {
    "url": _url("url"),
    "countdown": _number,
    "eta": _moment("eta"),
    "expires": _moment("expires"),
    "expected": read_expected,
    "max_retries": _number,
    "backoff": _backoff,
    "timeout": _number,
    "on_success": _url("on_success"),
    "roll_back": _url("roll_back"),
    "headers": _headers,
    "metadata": _json("metadata"),
    "keep_result": lambda text: True,
}


# --- and back -------------------------------------------------------------------------


def filled(push: Mapping[str, Any]) -> Form:
    """The form, filled in for a push of these fields (``schema.push_json``)."""
    texts = {"kind": JSON}
    for name, value in push.items():
        if name == "json":
            texts["payload"] = _pretty(value)
        elif name == "payload":
            texts |= _payload_texts(value)
        else:
            texts[name] = _text(value)
    return Form([*texts.items()])


def _payload_texts(payload: str) -> dict[str, str]:
    try:
        text = b64decode(payload).decode()
        if text and text.replace("\n", "").isprintable():
            return {"kind": TEXT, "payload": text}
    except UnicodeDecodeError:
        pass
    return {"kind": BASE64, "payload": payload}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, msgspec.Raw):
        return _pretty(value)
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, int | float):
        whole = isinstance(value, float) and value.is_integer()
        return f"{value:.0f}" if whole else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if all(isinstance(one, str) for one in value.values()):
        return "\n".join(f"{name}: {one}" for name, one in value.items())
    return encode(value).decode().strip()


def _pretty(value: msgspec.Raw) -> str:
    return msgspec.json.format(bytes(value), indent=2).decode()
