"""The head of the HTTP request that carries a task: which methods and header fields may
be asked for, and how they become bytes. Pure: the api checks with it, the worker writes
with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from poussetaches.errors import InvalidInput
from poussetaches.model.target import Target

#: CONNECT and TRACE are left out: the one changes what follows on the connection, the
#: other sends the secret headers back.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

#: Fields (lower case) that say where a request ends or what its connection is for. Only
#: the transport writes them: a second opinion about the length is request smuggling.
RESERVED_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

#: How the names (lower case) of what a delivery says of itself begin. Nobody else may
#: set them: an application has to be able to trust them.
OURS = ("poussetaches-", "webhook-")

Headers = Sequence[tuple[str, str]]

#: Methods whose requests carry no body.
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_AUTHORIZATION = re.compile(rb"^authorization:", re.IGNORECASE | re.MULTILINE)
#: Deleted from a block of header lines, these leave exactly its line ends.
_LINE = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))


def encode_headers(headers: Headers) -> bytes:
    """*headers* as lines, each with its CRLF.

    Raises :class:`InvalidInput` (field ``headers``) for a name that is no token or is
    the transport's own, and for a value with CR, LF, NUL, another control character, or
    anything outside latin-1.
    """
    _check_names(tuple([name for name, _ in headers]))
    try:
        block = "".join([f"{name}: {value}\r\n" for name, value in headers]).encode(
            "latin-1"
        )
    except UnicodeEncodeError:
        block = b""
    if block.translate(None, _LINE) != b"\r\n" * len(headers):
        raise InvalidInput(
            "A header has a value with a line break, a control character, or a letter "
            "outside latin-1.",
            field="headers",
        )
    return block


# The same few sets of names come back with every delivery.
@lru_cache(maxsize=256)
def _check_names(names: tuple[str, ...]) -> None:
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise InvalidInput(
                f"A header cannot have the name {name!r:.110}.", field="headers"
            )
        if name.lower() in RESERVED_FIELDS:
            raise InvalidInput(
                f"The header {name} cannot be chosen: the delivery makes its own.",
                field="headers",
            )


def encode_head(
    method: str, target: Target, headers: Headers, length: int, fixed: bytes = b""
) -> bytes:
    """Request line and headers for a body of *length* bytes, with the empty line.
    *fixed*: more headers, as ``encode_headers`` has made them before.

    A header given by the caller wins over the target's own ``Authorization``. Raises
    :class:`InvalidInput` for a method or header that cannot be sent.
    """
    if method not in METHODS:
        raise InvalidInput(
            f"The method must be one of {', '.join(sorted(METHODS))}.", field="method"
        )
    head = f"{method} {target.path} HTTP/1.1\r\nHost: {target.host_header}\r\n"
    if length or method in _METHODS_WITH_BODY:
        head += f"Content-Length: {length}\r\n"
    lines = fixed + encode_headers(headers) if headers else fixed
    if target.authorization is not None and not _AUTHORIZATION.search(lines):
        head += f"Authorization: {target.authorization}\r\n"
    return b"%b%b\r\n" % (head.encode("ascii"), lines)
