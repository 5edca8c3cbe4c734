"""Headers that applications and queues have us send along: what they may be, and what
of them is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from poussetaches.errors import InvalidInput
from poussetaches.model.request_head import OURS, encode_headers

Headers = tuple[tuple[str, str], ...]

MOST_HEADERS = 50
#: Of all names and values together, characters.
LONGEST_HEADERS = 8192

#: What is shown for a secret.
MASK = "***"

#: Names of headers whose values are for the target alone. "key" only where a word ends,
#: and not the key by which a repetition is recognised, which is worth seeing.
_SECRET = re.compile(
    r".*(?:auth|bearer|cookie|credential|hmac|jwt|passw|secret|session|signature|token)"
    r".*"
    r"|(?!.*idempotency).*(?:api-?key.*|keys?(?![a-z]).*)",
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
        raise _invalid(f"{len(headers)} are more than {MOST_HEADERS}")
    length = sum(len(name) + len(value) for name, value in headers)
    if length > LONGEST_HEADERS:
        raise _invalid(f"{length} characters in all are more than {LONGEST_HEADERS}")
    seen: set[str] = set()
    for name, _ in headers:
        lower = name.lower()
        if lower.startswith(OURS):
            raise _invalid(f"{name:.100} is for the service itself to set")
        if lower in seen:
            raise _invalid(f"{name:.100} is there twice")
        seen.add(lower)
    try:
        encode_headers(headers)
    except InvalidInput as error:
        raise _invalid(error.message) from None


def is_secret(name: str) -> bool:
    """Whether the value of the header ``name`` is for the target alone."""
    return _SECRET.fullmatch(name) is not None


def shown_headers(headers: Headers) -> dict[str, str]:
    """``headers`` as anybody may see them, who may see tasks."""
    return {name: MASK if is_secret(name) else value for name, value in headers}


def _invalid(reason: str) -> InvalidInput:
    return InvalidInput(f"headers: {reason}", field="headers")
