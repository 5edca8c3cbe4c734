"""``headers``: what an application has us send along; and what of it is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from poussetaches.errors import InvalidInput
from poussetaches.model.request_head import OURS, encode_headers
from poussetaches.schema.words import invalid

Headers = tuple[tuple[str, str], ...]

MOST_HEADERS = 50
#: Of all names and values together, characters.
LONGEST_HEADERS = 8192

#: Names of headers whose values are for the target alone.
_SECRET = re.compile(
    r"cookie|authorization|.*(auth|token|secret|password|signature|api-?key).*",
    re.IGNORECASE,
)


def read_headers(given: Mapping[str, str] | None) -> Headers:
    """The headers that were given. Raises InvalidInput."""
    if not given:
        return ()
    headers = tuple(given.items())
    check_headers(headers)
    return headers


def check_headers(headers: Headers) -> None:
    """Raise InvalidInput for headers that cannot be sent, or are not theirs to set."""
    if len(headers) > MOST_HEADERS:
        raise invalid("headers", f"{len(headers)} are more than {MOST_HEADERS}")
    length = sum(len(name) + len(value) for name, value in headers)
    if length > LONGEST_HEADERS:
        raise invalid(
            "headers", f"{length} characters in all are more than {LONGEST_HEADERS}"
        )
    for name, _ in headers:
        if name.lower().startswith(OURS):
            raise invalid("headers", f"{name} is for the service itself to set")
    try:
        encode_headers(headers)
    except InvalidInput as error:
        raise invalid("headers", error.message) from None


def shown_headers(headers: Headers) -> dict[str, str]:
    """``headers`` as anybody may see them, who may see tasks."""
    return {
        name: "***" if _SECRET.fullmatch(name) else value for name, value in headers
    }
