"""The payload: bytes, which are base64 in JSON."""

from __future__ import annotations

import binascii
from base64 import b64decode

from poussetaches.errors import InvalidInput, TooLarge


def read_payload(given: str | list[int], most: int | None) -> bytes:
    """The bytes of a payload; ``most``: how many they may be, None: any number.

    Raises InvalidInput, or TooLarge.
    """
    payload = bytes(given) if isinstance(given, list) else _from_base64(given)
    check_size(payload, most, "payload")
    return payload


def check_size(payload: bytes, most: int | None, field: str) -> None:
    """Raise TooLarge for a payload of more than ``most`` bytes, which came in
    ``field``."""
    if most is not None and len(payload) > most:
        raise TooLarge(f"{field}: {len(payload)} bytes, more than {most}", field=field)


def base64(data: bytes | None) -> str | None:
    """``data`` as it stands in JSON."""
    return None if data is None else binascii.b2a_base64(data, newline=False).decode()


def _from_base64(given: str) -> bytes:
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
