"""The id of an HTTP request: the caller's own (``X-Request-Id``), or one that is made
when it is first asked for. Runs in the api."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from bottle import request

from poussetaches.channel.messages import LONGEST_REQUEST_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HEADER = "X-Request-Id"

_GIVEN = "HTTP_X_REQUEST_ID"
_MADE = "poussetaches.request_id"
#: It ends up in logs, and in the answer.
is_request_id = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_REQUEST_ID}}}").fullmatch


def given_id(environ: WSGIEnvironment) -> str:
    """That of the caller; "" if there is none that may be kept."""
    given: str = environ.get(_GIVEN, "")
    return given if given and is_request_id(given) else ""


def request_id(environ: WSGIEnvironment) -> str:
    """That of the request of ``environ``."""
    known: str | None = environ.get(_MADE)
    if known is None:
        known = environ[_MADE] = given_id(environ) or os.urandom(8).hex()
    return known


def current_request_id() -> str:
    """That of the request which bottle has given to this greenlet; "" outside of
    one."""
    try:
        environ = request.environ
    except RuntimeError:
        return ""
    return request_id(environ) if environ else ""
