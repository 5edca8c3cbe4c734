"""Where the service is, and as whom it is asked: by a URL, and by the environment."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from requests import PreparedRequest
from requests.auth import AuthBase, HTTPBasicAuth
from requests.exceptions import InvalidHeader, InvalidURL

from poussetaches.client.unix_socket import SCHEME

#: Has the key, where neither a URL nor an argument does.
KEY_VARIABLE = "POUSSETACHES_API_KEY"

#: As the service's own setting ``bind``, and behind a colon what paths begin with.
_split_unix = re.compile(r"unix:(/[^:]*)(?::(/.*))?").fullmatch
#: User and password, before a host.
_find_user = re.compile(r"^[a-z]+://([^/?#]*)@", re.I).match
#: With no @ behind the host: it would end a password with a slash in it, and what comes
#: before would be taken for a host, a port and a path, asked, and shown.
_is_http = re.compile(
    r"https?://(?:[^/?#\\]*@)?[^/?#\\@]+(?:[/?#][^@]*)?", re.I
).fullmatch


def http_url(url: str) -> str:
    """``url`` as a session takes it that reaches Unix sockets: ``unix:/run/api.sock``,
    ``unix:/run/api.sock:/prefix``; any other is as it was. Raises InvalidURL for what
    is none, and does not show it: there may be a password in it."""
    found = _split_unix(url)
    if found is not None:
        return SCHEME + quote(found[1], safe="") + (found[2] or "/")
    if not url.startswith(SCHEME) and not _is_http(url):
        raise InvalidURL(
            "the URL of the service is neither http://HOST:PORT nor unix:/PATH"
            r" (in a user or a password, / ? # \ are %2F %3F %23 %5C)"
        )
    return url


def user_of(url: str) -> str:
    """What stands before the host, user and password; or nothing."""
    found = _find_user(url)
    return found[1] if found else ""


def authentication(url: str, key: str | None = None) -> AuthBase | None:
    """How a request to ``url`` says who sends it.

    ``key`` goes over what the URL has, which goes over the environment; None of the
    three: it does not. Raises InvalidHeader if a key is none.
    """
    if key is None:
        if user_of(url):
            return None  # requests finds it by itself
        key = os.environ.get(KEY_VARIABLE, "")
    key = key.strip()
    if not key:
        return None
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise InvalidHeader("the API key has characters other than printable ASCII")
    user, colon, password = key.partition(":")
    return HTTPBasicAuth(user, password) if colon else _Bearer(key)


class _Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request
