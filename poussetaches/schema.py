"""The public JSON: what comes in becomes a task, a task becomes what goes out.

The only file that knows public field names; the first ancestor's words (``tries``,
``next_run``, ``last_error_body`` ...) live here and nowhere else.
"""

from __future__ import annotations

import binascii
import codecs
import os
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

from poussetaches.errors import InvalidInput, TooLarge
from poussetaches.model.rules import Rules
from poussetaches.model.schedule import schedule_id
from poussetaches.model.target import parse_target
from poussetaches.model.task import PLAIN, Spec, Terms

#: A delay of a hundred years either way is a mistake; minutes.
LONGEST_DELAY = 100 * 366 * 24 * 60

#: More retries than that are as good as for ever (-1), and no sensible number.
MOST_RETRIES = 1_000_000

#: A status that can be waited for: any that ends an exchange.
FIRST_STATUS, LAST_STATUS = 200, 599

NANOSECONDS = 1_000_000_000

#: Of a task: 16 random bytes.
ID_BYTES = 16

#: In a batch. All of them happen at one moment, for which everything else waits.
MOST_PUSHES = 10_000
#: Among them: to find the first slot of one takes fifty times as long as a task does.
MOST_SCHEDULES = 100

#: Characters. A key is kept in memory for as long as it is known.
LONGEST_KEY = 255


T = TypeVar("T")


class PushBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /``. ``null`` stands for the default, as for the ancestor."""

    url: str
    #: Base64, or the values of its bytes; null: none.
    payload: str | list[Annotated[int, msgspec.Meta(ge=0, le=255)]] | None = None
    #: 0 is the ancestor's way to say 200.
    expected: int | None = 200
    schedule: str | None = ""
    #: Minutes.
    delay: int | None = 0
    #: Seconds; only where ``delay`` says nothing.
    countdown: float | None = None
    #: How many attempts may follow the first one, -1: any number; null: the backoff's.
    max_retries: Annotated[int, msgspec.Meta(ge=-1, le=MOST_RETRIES)] | None = None
    #: The same key again is the same task.
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_KEY)] | None = (
        None
    )


class PushRequest(NamedTuple):
    """A push that was found valid."""

    #: Of the task, or of the schedule.
    id: str
    spec: Spec
    #: Seconds.
    delay: float
    schedule: str
    terms: Terms = PLAIN


class TaskView(NamedTuple):
    """A task as the supervisor shows it; times in seconds of the wall clock."""

    id: str
    spec: Spec
    schedule: str
    #: 0.0: no slot.
    slot: float
    eta: float
    attempts: int
    #: 0.0: never.
    last_run_at: float
    error: bytes | None
    error_status: int
    state: str


_decoder = msgspec.json.Decoder(PushBody)
#: Of a batch, which is first taken apart: so it is known how many there are before
#: anything is made of them, and what is wrong with one is the same as without others.
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_lines = msgspec.json.Decoder(msgspec.Raw).decode_lines


@lru_cache(maxsize=4096)
def _origin(url: str) -> str:
    return parse_target(url).origin_text


def parse_push(
    body: bytes, rules: Rules, max_payload: int | None = None
) -> PushRequest:
    """What ``POST /`` asks for. Raises InvalidInput naming the field and the reason.

    ``max_payload``: bytes that a payload may have; None: any number.
    """
    given = _read(body, "The body")
    return _push(given, os.urandom(ID_BYTES).hex(), rules, max_payload)


def parse_batch(
    body: bytes, rules: Rules, max_payload: int | None = None, *, lines: bool = False
) -> Iterator[PushRequest]:
    """What ``POST /batch`` asks for, in order: a JSON array of pushes, or (``lines``)
    one JSON object a line.

    Raises InvalidInput naming the element, counted from 0, the field and the reason:
    for what cannot be read before the first of them, for the rest when it is its turn.
    """
    try:
        many = _decoded(_decode_lines if lines else _decode_array, body, "The body")
    except msgspec.ValidationError:
        raise InvalidInput("The body must be a JSON array of pushes.") from None
    if not 1 <= len(many) <= MOST_PUSHES:
        few = InvalidInput("A batch has at least one push.")
        raise TooLarge(f"A batch has at most {MOST_PUSHES} pushes.") if many else few
    ids = os.urandom(ID_BYTES * len(many)).hex()
    width = 2 * ID_BYTES
    schedules = 0
    for number, raw in enumerate(many):
        id = ids[number * width : (number + 1) * width]
        try:
            asked = _push(_read(raw, "It"), id, rules, max_payload)
        except InvalidInput as error:
            raise _of_element(number, error) from None
        schedules += asked.schedule != ""
        if schedules > MOST_SCHEDULES:
            raise TooLarge(f"A batch has at most {MOST_SCHEDULES} schedules.")
        yield asked


def _push(
    given: PushBody, id: str, rules: Rules, max_payload: int | None
) -> PushRequest:
    """``id``: of the task, if it does not become a schedule."""
    origin = _origin(given.url)
    payload = _payload(given.payload)
    if payload is not None and max_payload is not None and len(payload) > max_payload:
        raise TooLarge(
            f"payload: {len(payload)} bytes, more than {max_payload}", field="payload"
        )
    spec = Spec(given.url, payload, _expected(given.expected))
    delay = _delay(given.delay or 0, given.countdown)
    schedule = given.schedule or ""
    if schedule:
        rules.check(schedule)
        id = schedule_id(given.url, payload, schedule)
    terms = Terms(given.max_retries, _key(given.key, schedule), origin)
    return PushRequest(id, spec, delay, schedule, terms)


def task_json(task: TaskView) -> dict[str, Any]:
    """A task as the first ancestor lists it, field by field in its order."""
    spec = task.spec
    return {
        "id": task.id,
        "url": spec.url,
        "payload": _base64(spec.payload),
        "expected": spec.expected,
        "schedule": task.schedule,
        "next_scheduled_run": _nanoseconds(task.slot),
        "next_run": _nanoseconds(task.eta),
        "tries": task.attempts,
        "last_run": _nanoseconds(task.last_run_at),
        "last_error_body": _base64(_text(task.error)),
        "last_error_status_code": task.error_status,
    }


def encode(value: Any) -> bytes:
    """``value`` as JSON and a newline."""
    return msgspec.json.encode(value) + b"\n"


# --- reading ------------------------------------------------------------------------


def _read(body: bytes | msgspec.Raw, subject: str) -> PushBody:
    """``subject``: what ``body`` is, for people."""
    try:
        return _decoded(_decode_push, body, subject)
    except msgspec.ValidationError as error:
        raise _invalid_push(str(error), subject) from None


def _decode_push(body: bytes | msgspec.Raw) -> PushBody:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError:
        return msgspec.convert(_with_folded_keys(msgspec.json.decode(body)), PushBody)


def _decoded(decode: Callable[[Any], T], body: bytes | msgspec.Raw, subject: str) -> T:
    """Raises InvalidInput for what is no JSON, and msgspec.ValidationError."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{subject} is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidInput(f"{subject} is nested too deeply.") from None


def _with_folded_keys(given: Any) -> Any:
    """Our names in lower case: the ancestor reads ``URL`` as ``url``."""
    if not isinstance(given, dict):
        return given
    known = PushBody.__struct_fields__
    return {k.lower() if k.lower() in known else k: v for k, v in given.items()}


_AT_FIELD = re.compile(r" - at `\$\.(\w+)[^`]*`$")
_NAMED_FIELD = re.compile(r"field `([^`]*)`")


def _of_element(number: int, error: InvalidInput) -> InvalidInput:
    """What is wrong with one push of many."""
    field = None if error.field is None else f"[{number}].{error.field}"
    return type(error)(f"Element {number}: {error.message}", field=field)


def _invalid_push(text: str, subject: str) -> InvalidInput:
    """msgspec's finding in our words."""
    if found := _AT_FIELD.search(text):
        reason = text[: found.start()]
        return InvalidInput(f"{found[1]}: {_lower_first(reason)}", field=found[1])
    if found := _NAMED_FIELD.search(text):
        name = found[1][:100]
        problem = "is missing" if "missing" in text else "is not a field of a push"
        return InvalidInput(f"{name}: {problem}", field=name)
    if text.startswith("Expected `object`"):
        return InvalidInput(f"{subject} must be a JSON object.")
    return InvalidInput(f"{subject} cannot be read: {_lower_first(text)}.")


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _payload(given: str | list[int] | None) -> bytes | None:
    if given is None:
        return None
    if isinstance(given, list):
        return bytes(given)
    try:
        data = given.encode("ascii")
        if b"\n" in data or b"\r" in data:
            # The base64 command wraps its lines; the ancestor takes that, too.
            data = data.translate(None, b"\r\n")
        return b64decode(data, validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidInput(
            "payload: not valid base64 (standard alphabet, with padding)",
            field="payload",
        ) from None


def _expected(given: int | None) -> int:
    expected = given or 200
    if not FIRST_STATUS <= expected <= LAST_STATUS:
        raise InvalidInput(
            f"expected: {expected} is no status from {FIRST_STATUS} to {LAST_STATUS}",
            field="expected",
        )
    return expected


def _key(given: str | None, schedule: str) -> str:
    if given and schedule:
        raise InvalidInput(
            "key: a schedule needs none, pushing the same one again changes nothing",
            field="key",
        )
    return given or ""


def _delay(minutes: int, seconds: float | None) -> float:
    """Seconds, whichever field they were given in."""
    if seconds is None:
        if abs(minutes) > LONGEST_DELAY:
            raise InvalidInput(
                f"delay: {minutes} minutes is more than a hundred years", field="delay"
            )
        return minutes * 60.0
    if minutes:
        raise InvalidInput(
            "countdown: cannot be together with delay, give one of them",
            field="countdown",
        )
    if abs(seconds) > LONGEST_DELAY * 60:
        raise InvalidInput(
            f"countdown: {seconds:g} seconds is more than a hundred years",
            field="countdown",
        )
    return seconds


# --- writing ------------------------------------------------------------------------


def _nanoseconds(seconds: float) -> int:
    # Split, because a float of this size has no room for nanoseconds.
    whole = int(seconds // 1)
    return whole * NANOSECONDS + round((seconds - whole) * NANOSECONDS)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else binascii.b2a_base64(data, newline=False).decode()


def _text(data: bytes | None) -> bytes | None:
    """``data`` as valid UTF-8: the ancestor's client breaks on anything else.

    A character that the cap on answers has cut in two is left out.
    """
    if data is None:
        return None
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data).encode()
