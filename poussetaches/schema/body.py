"""The body of a push: the fields it may have, and what is wrong with others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec

from poussetaches.errors import InvalidInput
from poussetaches.schema.expected import Given
from poussetaches.schema.json import decoded
from poussetaches.schema.special import GrowthBody

#: More retries than that are as good as for ever (-1), and no sensible number.
MOST_RETRIES = 1_000_000

#: Characters. A key is kept in memory for as long as it is known.
LONGEST_KEY = 255

#: A value that is kept as it was given, of a push that has none.
NO_JSON = msgspec.Raw()


class PlainBody(msgspec.Struct, forbid_unknown_fields=True):
    """What most pushes say. ``null`` stands for the default, as for the ancestor."""

    url: str
    #: Base64, or the values of its bytes; null: none.
    payload: str | list[Annotated[int, msgspec.Meta(ge=0, le=255)]] | None = None
    #: 0 is the ancestor's way to say 200.
    expected: Given = 200
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
    queue: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class PushBody(PlainBody, forbid_unknown_fields=True):
    """All that a push may say: the body of ``POST /``."""

    #: Any value, instead of ``payload``.
    json: msgspec.Raw = NO_JSON
    #: Posix seconds, instead of ``delay`` and ``countdown``.
    eta: float | None = None
    #: Posix seconds.
    expires: float | None = None
    backoff: GrowthBody | list[float] | None = None
    #: Seconds.
    timeout: float | None = None
    #: URLs; full, or relative as ``url``.
    roll_back: str | None = None
    on_success: str | None = None
    #: Any value.
    metadata: msgspec.Raw = NO_JSON
    method: str | None = None
    headers: dict[str, str] | None = None
    format: str | None = None
    keep_result: bool | None = None
    group: str | None = None
    #: Of a schedule.
    name: str | None = None
    timezone: str | None = None
    missed: str | None = None
    overlap: str | None = None


# What most pushes are is tried first: to make an object of all fields for each, and to
# look at every one of them, would take half as long again.
_decode_plain = msgspec.json.Decoder(PlainBody).decode
_decode_whole = msgspec.json.Decoder(PushBody).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_body(body: bytes | msgspec.Raw, subject: str) -> PlainBody:
    """The fields of a push; a PushBody if there are more than most have.

    ``subject``: what ``body`` is, for people. Raises InvalidInput.
    """
    try:
        return _decode_plain(body)
    except (ValueError, RecursionError):
        pass  # it may be more than plain, or what is wrong with it is found below
    try:
        return decoded(_decode_more, body, subject)
    except msgspec.ValidationError as error:
        raise invalid_push(str(error), subject) from None


def read_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Some fields of a push as they stand there, by our names. Raises InvalidInput for
    what is no object, and for a field that no push has."""
    try:
        given = decoded(_decode_fields, body, "The body")
    except msgspec.ValidationError as error:
        raise invalid_push(str(error), "The body") from None
    folded = _folded(given)
    for name in folded.keys() - PushBody.__struct_fields__:
        reason = "is not a field of a push"
        raise InvalidInput(f"{name[:100]}: {reason}", field=name[:100])
    return folded


def is_given(value: msgspec.Raw) -> bool:
    """Whether a push says something in this field."""
    return bytes(value) not in (b"", b"null")


def _decode_more(body: bytes | msgspec.Raw) -> PushBody:
    try:
        return _decode_whole(body)
    except msgspec.ValidationError as error:
        folded = _with_folded_keys(body)
        if folded is None:
            raise error
        return _decode_whole(folded)


def _with_folded_keys(body: bytes | msgspec.Raw) -> bytes | None:
    """With our names in lower case, as the ancestor reads ``URL`` as ``url``; None if
    there is nothing to fold."""
    try:
        given = _decode_fields(body)
    except msgspec.ValidationError:
        return None  # it is no object
    folded = _folded(given)
    return None if folded == given else msgspec.json.encode(folded)


def _folded(given: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    known = PushBody.__struct_fields__
    return {k.lower() if k.lower() in known else k: v for k, v in given.items()}


_AT_FIELD = re.compile(r" - at `\$\.(\w+)[^`]*`$")
_NAMED_FIELD = re.compile(r"field `([^`]*)`")
_TYPES = re.compile(r"(Expected |got )`([a-z |]+)`")
#: What msgspec calls a kind of JSON value, for people.
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}


def invalid_push(text: str, subject: str) -> InvalidInput:
    """msgspec's finding in our words; ``subject``: what was read, for people."""
    if found := _AT_FIELD.search(text):
        reason = _TYPES.sub(_in_words, text[: found.start()])
        return InvalidInput(f"{found[1]}: {_lower_first(reason)}", field=found[1])
    if found := _NAMED_FIELD.search(text):
        name = found[1][:100]
        problem = "is missing" if "missing" in text else "is not a field of a push"
        return InvalidInput(f"{name}: {problem}", field=name)
    if text.startswith("Expected `object`"):
        return InvalidInput(f"{subject} must be a JSON object.")
    return InvalidInput(f"{subject} cannot be read: {_lower_first(text)}.")


def _in_words(types: re.Match[str]) -> str:
    """The kinds of value that msgspec names; null, which is the default everywhere, is
    not told of among others."""
    kinds = types[2].split(" | ")
    told = [one for one in kinds if one != "null" or len(kinds) == 1]
    return types[1] + " or ".join(_KINDS.get(one, one) for one in told)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
