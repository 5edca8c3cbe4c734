"""JSON of a file, read with our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from poussetaches.errors import InvalidInput

T = TypeVar("T")


def decoded(decode: Callable[[bytes], T], data: bytes) -> T:
    """What ``decode`` makes of ``data``. Raises InvalidInput."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not whole JSON: {error}") from None
    except RecursionError:
        raise InvalidInput("nested too deeply") from None
