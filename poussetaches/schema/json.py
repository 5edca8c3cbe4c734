"""JSON itself, whatever it says: read with our errors, written with a newline."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from poussetaches.errors import InvalidInput

T = TypeVar("T")


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


def readable(data: bytes) -> str:
    """``data``, which may be anything, as text that stands in JSON.

    A character that the cap on answers has cut in two is left out.
    """
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)
