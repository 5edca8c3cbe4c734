"""JSON itself, whatever it says: read with our errors, written with a newline."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from poussetaches.errors import InvalidInput

T = TypeVar("T")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def encode(value: Any) -> bytes:
    """``value`` as JSON and a newline."""
    return msgspec.json.encode(value) + b"\n"


def decoded(decode: Callable[[Any], T], body: bytes | msgspec.Raw, subject: str) -> T:
    """What ``decode`` makes of ``body``; ``subject``: what that is, for people.

    Raises InvalidInput for what is no JSON, and msgspec.ValidationError.
    """
    try:
        return decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{subject} is not valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidInput(f"{subject} is nested too deeply.") from None


def read_object(body: bytes) -> dict[str, Any]:
    """The object that ``body`` is, any values in it. Raises InvalidInput."""
    try:
        return decoded(_decode_object, body, "The body")
    except msgspec.ValidationError as error:
        if str(error).startswith("Expected `object`"):
            raise InvalidInput("The body must be a JSON object.") from None
        raise InvalidInput(f"The body cannot be read: {error}.") from None


def readable(data: bytes) -> str:
    """``data``, which may be anything, as text that stands in JSON.

    A character that the cap on answers has cut in two is left out.
    """
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)
