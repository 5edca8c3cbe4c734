"""The head of a request as a WSGI environ. Runs in the api; pure."""

from __future__ import annotations

import re
import sys
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from poussetaches.api.refusal import bad_request, not_implemented, other_version

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: What a Host header may be made of; an empty one is allowed.
_is_host = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*").fullmatch
#: A target with scheme and authority, as proxies are sent it.
_split_absolute = re.compile(rb"https?://([^/?]+)([^?]*)(?:\?(.*))?", re.I).fullmatch
#: Said twice, these would have two meanings.
_SINGLE = frozenset({"HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH"})


def base_environ(server: object, peer: object) -> WSGIEnvironment:
    """What the requests of a connection share; addresses as the socket says them."""
    # The addresses of a Unix socket are no tuples, and WSGI wants a name and a port.
    name, port = server[:2] if isinstance(server, tuple) else ("localhost", 80)
    peer_name, peer_port = peer[:2] if isinstance(peer, tuple) else ("", "")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": name,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer_name,
        "REMOTE_PORT": str(peer_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        # Several api processes may serve the same application.
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def fill_environ(
    environ: WSGIEnvironment,
    method: str,
    url: bytes,
    version: str,
    headers: list[tuple[bytes, bytes]],
) -> None:
    """Put a parsed head into its ``environ``; Refused if it is not one to be served."""
    environ["REQUEST_METHOD"] = method
    _fill_headers(environ, headers)
    if version == "1.0":
        environ["SERVER_PROTOCOL"] = "HTTP/1.0"
    elif version != "1.1":
        raise other_version()
    elif "HTTP_HOST" not in environ:
        raise bad_request("A request of HTTP/1.1 needs a Host header.")
    _fill_target(environ, url)
    if not _is_host(environ.get("HTTP_HOST", "")):
        raise bad_request("The Host header is not a host name.")


def _environ_key(name: bytes) -> str:
    """The environ's name for a header; empty if the header must not reach it.

    ``X_Y`` and ``X-Y`` would be one name to the application, so that a header which a
    proxy checks or removes could be slipped past it: names with ``_`` are dropped.
    """
    if b"_" in name:
        return ""
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


#: The names most requests have, as most clients write them: saves half a microsecond
#: per header. A table, not a cache, which strangers could fill.
_COMMON_KEYS = {
    spelling: _environ_key(name)
    for name in (
        b"Accept",
        b"Accept-Encoding",
        b"Accept-Language",
        b"Authorization",
        b"Connection",
        b"Content-Length",
        b"Content-Type",
        b"Host",
        b"Transfer-Encoding",
        b"User-Agent",
        b"X-Forwarded-For",
    )
    for spelling in (name, name.lower())
}


def _fill_headers(environ: WSGIEnvironment, headers: list[tuple[bytes, bytes]]) -> None:
    for name, raw in headers:
        key = _COMMON_KEYS.get(name) or _environ_key(name)
        if not key:
            continue
        value = raw.decode("latin-1").rstrip(" \t")
        if key not in environ:
            environ[key] = value
        elif key in _SINGLE:
            raise bad_request(f"The header {name.decode('ascii')} is there twice.")
        else:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value


def _fill_target(environ: WSGIEnvironment, url: bytes) -> None:
    if environ["REQUEST_METHOD"] == "CONNECT":
        raise not_implemented("This is no proxy.")
    if b"#" in url:
        raise bad_request("The target of a request has no fragment (#).")
    if url[:1] == b"/":
        path, _, query = url.partition(b"?")
    elif url == b"*" and environ["REQUEST_METHOD"] == "OPTIONS":
        path = query = b""
    else:
        parts = _split_absolute(url)
        if parts is None:
            raise bad_request("The target of a request is a path, or an http URL.")
        host, path, query = parts.groups(b"")
        # It goes over the header, by RFC 9112.
        environ["HTTP_HOST"] = host.decode("latin-1")
        path = path or b"/"
    if b"%" in path:
        path = unquote_to_bytes(path)
    environ["PATH_INFO"] = path.decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
