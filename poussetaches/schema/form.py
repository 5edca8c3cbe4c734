"""Bodies that may be a form as well as a JSON object: those of two ancestors."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from poussetaches.errors import InvalidInput
from poussetaches.schema.body import invalid_push
from poussetaches.schema.json import decoded

#: In a form; others than ours are ignored, but not any number of them.
MOST_FIELDS = 100

_FORM = "application/x-www-form-urlencoded"

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_fields(body: bytes, media_type: str) -> dict[str, Any]:
    """The fields that ``body`` has; all values of a form are text. ``media_type`` is in
    lower case. Raises InvalidInput."""
    # curl says form of everything that it is not told of.
    if media_type == _FORM and not body.lstrip().startswith(b"{"):
        return _form(body)
    try:
        return decoded(_decode, body, "The body")
    except msgspec.ValidationError as error:
        raise invalid_push(str(error), "The body, which is no form,") from None


def _form(body: bytes) -> dict[str, Any]:
    """The fields of a form; those left empty say nothing."""
    try:
        pairs = parse_qsl(
            body.decode(), max_num_fields=MOST_FIELDS, encoding="utf-8", errors="strict"
        )
    except UnicodeDecodeError:
        raise InvalidInput("The form is not UTF-8.") from None
    except ValueError:
        raise InvalidInput(f"A form has at most {MOST_FIELDS} fields.") from None
    return dict(pairs)
