"""The target: the URL a task is pushed to, taken apart once and made safe for the wire.

The api parses a URL to refuse it while the caller still listens, the worker parses the
same text to deliver. Both call :func:`parse_target`, so whatever was accepted can be
written into a request line: it is ASCII, without spaces, CR or LF. Pure: no I/O.

What is *not* decided here is whether the host exists, or whether it may be pushed to:
``127.1`` and ``0x7f000001`` are names like any other until they are resolved.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urljoin

from poussetaches.errors import InvalidInput

#: Characters; for the text given, and again for the path once percent-encoded.
MAX_URL_LENGTH = 8192

#: Scheme, host, port: what a kept connection may be used again for.
Origin = tuple[str, str, int]

_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://"
    r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
#: Never part of a URL: controls (C0, DEL, C1), the space, and the backslash, which some
#: parsers read as a slash, so that two of them would disagree on the host.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
#: What RFC 3986 does not allow in a path or query, besides ``[`` and ``]``, which
#: applications do use there. A ``%`` that starts no escape stands for itself.
_TO_ENCODE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]%]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST_NAME = re.compile(r"(?:[a-z0-9_\-]{1,63}\.)*[a-z0-9_\-]{1,63}\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_USERINFO = re.compile(r"^([^/?#]*//)[^/?#]*@")
#: Letters that IDNA 2003 maps away and IDNA 2008 keeps (sharp s, final sigma, the two
#: joiners): the two standards lead to different hosts, so neither is chosen.
_AMBIGUOUS = re.compile("[\u00df\u1e9e\u03c2\u200c\u200d]")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that can be put on the wire as it is."""

    #: ``http`` or ``https``.
    scheme: str
    #: Lower-case ASCII name, or address; IPv6 without brackets.
    host: str
    #: 1 to 65535.
    port: int
    #: The request-target: path and query, ASCII, starts with ``/``.
    path: str
    #: Value of the Host header: port only if it is not the scheme's own.
    host_header: str
    #: Value of an Authorization header made from the URL's user and password, if it has
    #: any. Not in the repr: it is a secret.
    authorization: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> Origin:
        return (self.scheme, self.host, self.port)

    @property
    def origin_text(self) -> str:
        """The same, as it stands in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_target(url: object) -> Target:
    """The target *url* names. Raises :class:`InvalidInput` with a sentence that says
    what is wrong, never quoting the URL, which may hold a password."""
    if not isinstance(url, str):
        raise _invalid("must be text")
    if len(url) > MAX_URL_LENGTH:
        raise _invalid(f"is longer than {MAX_URL_LENGTH} characters")
    _check_characters(url)
    parts = _URL.fullmatch(url)
    if parts is None:
        raise _invalid("must be a full URL, such as http://127.0.0.1:5000/task")
    scheme = parts["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise _invalid(f"has the scheme {scheme}, only http and https can be pushed to")
    userinfo, at, host_and_port = parts["authority"].rpartition("@")
    host, port_text = _split_port(host_and_port)
    port = _parse_port(port_text) if port_text else _DEFAULT_PORTS[scheme]
    host_header = f"[{host}]" if ":" in host else host
    if port != _DEFAULT_PORTS[scheme]:
        host_header += f":{port}"
    path = _encode((parts["path"] or "/") + (parts["query"] or ""))
    if len(path) > MAX_URL_LENGTH:
        raise _invalid(
            f"has a path longer than {MAX_URL_LENGTH} characters once percent-encoded"
        )
    return Target(
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        host_header=host_header,
        authorization=_basic(userinfo) if at else None,
    )


def is_relative(url: str) -> bool:
    """Whether *url* has no scheme, and so says where only together with a base."""
    return not _SCHEME.match(url)


def join(base: str, url: str) -> str:
    """The full URL that relative *url* is, seen from *base* (RFC 3986, section 5).

    Raises :class:`InvalidInput`, as :func:`parse_target`, which is to see the result.
    """
    if not url:
        raise _invalid("is empty")
    # urljoin would silently leave some of these out.
    _check_characters(url)
    try:
        return urljoin(base, url)
    except ValueError:
        raise _invalid("has brackets without a valid IPv6 address in them") from None


def _check_characters(url: str) -> None:
    if bad := _FORBIDDEN.search(url):
        what = {" ": "a space", "\\": "a backslash"}.get(bad[0], "a control character")
        raise _invalid(f"has {what} at position {bad.start()}; percent-encode it")


def hide_password(url: str) -> str:
    """``url`` for people: what stands before its host is masked."""
    return _USERINFO.sub(r"\1***@", url)


def _invalid(problem: str) -> InvalidInput:
    return InvalidInput(f"The url {problem}.", field="url")


def _split_port(text: str) -> tuple[str, str]:
    """Host, without brackets, and the text after its colon."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _invalid("has an IPv6 address with broken brackets")
        return _parse_ipv6(address), rest[1:]
    host, _, port = text.partition(":")
    if ":" in port:
        raise _invalid("has more than one colon in its host; put IPv6 in [brackets]")
    return parse_host(host), port


def _parse_ipv6(text: str) -> str:
    # A zone (fe80::1%eth0) means something on one machine only, and not to a target.
    if "%" in text or not text.isascii():
        raise _invalid("has an IPv6 address with a zone or strange characters")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise _invalid("has brackets without a valid IPv6 address in them") from None


def parse_host(text: str) -> str:
    """A host name, or an IPv4 address, as it stands in ``Target.host``. Raises
    :class:`InvalidInput`."""
    if not text:
        raise _invalid("has no host")
    name = text.lower() if text.isascii() else _to_idna(text)
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise _invalid("has a host that is neither a name nor an address")
    return name


def _to_idna(text: str) -> str:
    if _AMBIGUOUS.search(text):
        raise _invalid(
            "has a host name with a letter that browsers and resolvers encode "
            "differently; write the name in its xn-- form"
        )
    # The codec takes quadratic time, so what is too long anyway does not reach it.
    if len(text) > 253:
        raise _invalid("has a host that is too long")
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _invalid("has a host name that cannot be encoded (IDNA)") from None


def _parse_port(text: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise _invalid("has a port that is not a number from 1 to 65535")
    return int(text)


def _basic(userinfo: str) -> str:
    """What Go's client, the first ancestor's, makes of user and password in a URL."""
    if _BAD_ESCAPE.search(userinfo):
        raise _invalid("has a broken percent-escape in its user or password")
    user, _, password = userinfo.partition(":")
    try:
        secret = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    except UnicodeEncodeError:
        raise _invalid("has a lone surrogate in its user or password") from None
    return "Basic " + b64encode(secret).decode("ascii")


def _encode(text: str) -> str:
    try:
        return _TO_ENCODE.sub(_percent, text)
    except UnicodeEncodeError:
        raise _invalid("has a lone surrogate, which no encoding can carry") from None


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())
