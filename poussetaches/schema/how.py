"""How a task is delivered: ``method``, ``headers``, ``format``, ``json``,
``metadata``, ``keep_result``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from poussetaches.model.headers import check_headers, shown_headers
from poussetaches.model.request_head import BODILESS, METHODS
from poussetaches.model.task import How, Spec
from poussetaches.schema.words import check_word, invalid

#: Of ``metadata``, as ASCII: it may travel in a header.
LONGEST_METADATA = 4096

FORMATS = ("envelope", "raw")

USUAL = How()

_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e]")


def compact_json(given: msgspec.Raw, field: str) -> bytes:
    """The JSON of ``field`` without blanks, else as it was given: numbers that no float
    can hold stay what they are. Raises InvalidInput."""
    text = bytes(given)
    check_json(text, field)
    return msgspec.json.format(text, indent=-1)


def check_json(text: bytes, field: str) -> None:
    """Raise InvalidInput for what is no JSON: what is passed on unread was not looked
    at closely."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(field, f"not valid JSON: {error}") from None
    except RecursionError:
        raise invalid(field, "nested too deeply") from None


def read_metadata(given: msgspec.Raw) -> str:
    """``metadata`` as a header can have it. Raises InvalidInput."""
    return header_json(compact_json(given, "metadata").decode())


def header_json(text: str) -> str:
    """JSON as a header can have it: what is not plain ASCII is escaped."""
    return _NOT_IN_A_HEADER.sub(_escaped, text)


def check_how(how: How, payload: bytes | None) -> None:
    """Raise InvalidInput for what no push may ask for."""
    check_word("method", how.method, sorted(METHODS))
    if how.method in BODILESS and payload is not None:
        field = "json" if how.is_json else "payload"
        raise invalid(field, f"a {how.method} carries none")
    check_headers(how.headers)
    if len(how.metadata) > LONGEST_METADATA:
        raise invalid(
            "metadata",
            f"{len(how.metadata)} bytes as ASCII are more than {LONGEST_METADATA}",
        )


def how_json(spec: Spec) -> dict[str, Any]:
    """What is shown of how ``spec`` is delivered: what a push must say for it."""
    how = spec.how
    if how is None:
        return {}
    shown: dict[str, Any] = {}
    if how.is_json and spec.payload is not None:
        shown["json"] = msgspec.Raw(spec.payload)
    if how.method != USUAL.method:
        shown["method"] = how.method
    if how.headers:
        shown["headers"] = shown_headers(how.headers)
    if how.raw:
        shown["format"] = "raw"
    if how.metadata:
        shown["metadata"] = msgspec.Raw(how.metadata.encode())
    if how.keep_result:
        shown["keep_result"] = True
    return shown


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
