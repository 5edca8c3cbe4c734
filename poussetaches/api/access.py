"""Who is let in: decided by the head of a request, before its body. In the api; pure.

Three questions, in this order. May the page that sent it do so, if a browser did? Then
its key, where there are keys. Then whether its path is below ``url_prefix``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING

from poussetaches.api.refusal import forbidden, not_found, unauthorized

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from poussetaches.config import Config

#: Set in the environ of who was let in without the key that others need.
STRANGER = "poussetaches.stranger"
#: Set in the environ of whose key may read only: what it could not do is not offered.
READ_ONLY = "poussetaches.read_only"

#: Methods that change nothing.
_SAFE = frozenset({"GET", "HEAD"})
#: Paths that are there for everybody: who asks them has no place for a key.
_OPEN = frozenset({"/health", "/ready"})
#: Where a browser says its request comes from, if that is no other site.
_OWN_SITE = frozenset({"same-origin", "none"})
#: Host and port of a Host header.
_split_host = re.compile(r"(\[[^\]]*\]|[^:]*)(?::[0-9]*)?").fullmatch


class Access:
    """The settings that it applies can be given anew at any time: ``configure``."""

    def __init__(self, config: Config) -> None:
        self._prefix = config.url_prefix
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Apply the keys and the hosts of ``config`` from now on."""
        self._may_all = _KeyRing(config.api_keys)
        self._may_read = _KeyRing(config.read_keys)
        self._has_keys = bool(config.api_keys)
        self._hosts = frozenset(config.allowed_hosts)

    def admit(self, environ: WSGIEnvironment) -> None:
        """Let a request in, whose path is from then on the one below the prefix.

        Raises Refused.
        """
        if "HTTP_SEC_FETCH_SITE" in environ or "HTTP_ORIGIN" in environ:
            self._check_page(environ)
        if self._has_keys:
            self._check_key(environ)
        elif _may_be_browser(environ):
            self._check_name(environ)
        if self._prefix:
            self._enter_prefix(environ)

    # --- keys -------------------------------------------------------------------------

    def _check_key(self, environ: WSGIEnvironment) -> None:
        given = _Credentials(environ.get("HTTP_AUTHORIZATION", ""))
        # Both, always: how long it takes says nothing about which fits.
        may_all = self._may_all.has(given)
        may_read = self._may_read.has(given)
        if may_all:
            return
        if may_read:
            if environ["REQUEST_METHOD"] not in _SAFE:
                raise forbidden("This key may read, and change nothing.")
            environ[READ_ONLY] = True
            return
        if self._is_open(environ):
            environ[STRANGER] = True
            return
        raise unauthorized(
            "This needs a key of the service: Authorization: Bearer KEY."
            if "HTTP_AUTHORIZATION" not in environ
            else "The Authorization header has no key of the service."
        )

    def _is_open(self, environ: WSGIEnvironment) -> bool:
        """Whether it is a question that needs no key. With a body it is none: strangers
        are not to have room for one."""
        return (
            environ["PATH_INFO"].removeprefix(self._prefix) in _OPEN
            and environ["REQUEST_METHOD"] in _SAFE
            and "HTTP_TRANSFER_ENCODING" not in environ
            and environ.get("CONTENT_LENGTH", "0").strip("0") == ""
        )

    # --- browsers ---------------------------------------------------------------------

    def _check_page(self, environ: WSGIEnvironment) -> None:
        """What a browser sends for a page of somebody else is refused."""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is None:
            if self._is_own_origin(
                environ["HTTP_ORIGIN"], environ.get("HTTP_HOST", "")
            ):
                return
        elif site in _OWN_SITE or _is_visit(environ):
            return
        raise forbidden("The page of another site may not use this service.")

    def _check_name(self, environ: WSGIEnvironment) -> None:
        """A page whose own name server says that it is at this machine is no page of
        another site to its browser. What it cannot have is a name that is ours."""
        host = _host_of(environ.get("HTTP_HOST", "").lower())
        if not self._is_ours(host):
            raise forbidden(
                f"A browser may not use this service by the name {host!r}, which"
                " anybody could have given it: name it in allowed_hosts."
            )

    def _is_ours(self, host: str) -> bool:
        """Whether no page of others can have ``host``, whatever name servers say."""
        return host == "localhost" or host in self._hosts or _is_address(host)

    def _is_own_origin(self, origin: str, said: str) -> bool:
        """Whether the page stands on the host that the request is for. A proxy may have
        asked us by another name than it was asked by, so the names of
        ``allowed_hosts`` count as one."""
        authority = origin.lower().partition("://")[2]
        return bool(authority) and (
            authority == said.lower() or _host_of(authority) in self._hosts
        )

    # --- paths ------------------------------------------------------------------------

    def _enter_prefix(self, environ: WSGIEnvironment) -> None:
        prefix = self._prefix
        path: str = environ["PATH_INFO"]
        rest = path[len(prefix) :]
        if not path.startswith(prefix) or rest[:1] not in ("", "/"):
            raise not_found(f"All there is here is below {prefix}/.")
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = rest or "/"


class _Credentials:
    """An Authorization header, in what its parts are compared by."""

    __slots__ = ("key", "pair")

    def __init__(self, header: str) -> None:
        #: Digest of the key, be it sent as one or as a password; and of
        #: ``user:password``. Neither says how long they are, and None fits nothing.
        self.key: bytes | None = None
        self.pair: bytes | None = None
        scheme, _, rest = header.partition(" ")
        scheme = scheme.lower()
        if scheme == "bearer":
            self.key = _digest(rest.strip(" ").encode("latin-1"))
        elif scheme == "basic":
            try:
                pair = base64.b64decode(
                    rest.strip(" ").encode("latin-1"), validate=True
                )
            except binascii.Error:
                return
            self.pair = _digest(pair)
            self.key = _digest(pair.partition(b":")[2])


class _KeyRing:
    """Keys, and pairs of user and password."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = [_digest(key.encode()) for key in keys if ":" not in key]
        self._pairs = [_digest(key.encode()) for key in keys if ":" in key]

    def has(self, given: _Credentials) -> bool:
        """Whether one of them is ``given``; takes the same time whichever it is."""
        found = False
        if given.key is not None:
            for digest in self._keys:
                found |= hmac.compare_digest(digest, given.key)
        if given.pair is not None:
            for digest in self._pairs:
                found |= hmac.compare_digest(digest, given.pair)
        return found


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _may_be_browser(environ: WSGIEnvironment) -> bool:
    """To a name without TLS, a browser says neither site nor origin when it reads; but
    it says who it is, and the languages of its user, as clients of applications do not.
    Node's fetch says that any will do; so might a page, but not also the mode, which is
    the browser's to say."""
    return (
        "HTTP_SEC_FETCH_SITE" in environ
        or "HTTP_ORIGIN" in environ
        or environ.get("HTTP_USER_AGENT", "").startswith("Mozilla/")
        or (
            "HTTP_ACCEPT_LANGUAGE" in environ
            and not (
                environ["HTTP_ACCEPT_LANGUAGE"] == "*"
                and "HTTP_SEC_FETCH_MODE" in environ
            )
        )
    )


def _is_visit(environ: WSGIEnvironment) -> bool:
    """Whether somebody follows a link to here: what comes of it, no page gets to see.
    One that is shown within a page of others could be made to be clicked on."""
    return (
        environ["REQUEST_METHOD"] in _SAFE
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST", "document") == "document"
    )


def _host_of(authority: str) -> str:
    """The host of ``host:port``."""
    found = _split_host(authority)
    return found[1] if found else authority


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
