"""From a target to a connected socket: resolve, connect, and TLS. Used by the worker
process only.

Who is connected to is exactly who was resolved: a ``resolve`` that checks or filters
the addresses it returns decides which networks can be reached at all.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent import socket as gsocket
from gevent import ssl as gssl

from poussetaches.model.target import Target
from poussetaches.worker.connections import Connection, Expired, TransportError

#: Address family, and the socket address of that family.
Address = tuple[int, tuple[Any, ...]]
#: Host and port to at least one address; or an OSError, which becomes a TransportError
#: of kind ``dns``; or a TransportError of its own.
Resolve = Callable[[str, int], Sequence[Address]]

#: Addresses named in the message when none of them could be reached.
_NAMED_ADDRESSES = 3


def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of *host*, in the order to try them. A literal address needs no
    resolver, whose few threads may be busy with names that do not answer."""
    if ":" in host:
        return [(gsocket.AF_INET6, (host, port, 0, 0))]
    try:
        gsocket.inet_pton(gsocket.AF_INET, host)
    except OSError:
        found = gsocket.getaddrinfo(host, port, type=gsocket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]
    return [(gsocket.AF_INET, (host, port))]


class Dialer:
    """Opens connections."""

    def __init__(
        self,
        *,
        connect_timeout: float,
        resolve: Resolve = resolve,
        ssl_context: gssl.SSLContext | None = None,
    ) -> None:
        #: Seconds for one address; and for one step of a TLS handshake.
        self._connect_timeout = connect_timeout
        self._resolve = resolve
        self._ssl_context = ssl_context
        #: Lookups under way.
        self._lookups: dict[tuple[str, int], gevent.Greenlet[..., Any]] = {}

    def dial(self, target: Target, timeout: float) -> Connection:
        """A new connection to *target*. The caller ends it after *timeout* seconds,
        which are shared among the addresses here, by throwing Expired.

        Raises :class:`TransportError` of kind ``dns``, ``connect`` or ``tls``. However
        it is left, no socket stays open but the returned one.
        """
        addresses = self._addresses(target)
        # A dead first address must leave time for a second, living one.
        share = min(self._connect_timeout, timeout / len(addresses))
        failures = []
        for family, address in addresses:
            try:
                sock = self._connect(target, family, address, share)
            except OSError as error:
                failures.append(_why_not_connected(address, error, share))
                continue
            except Expired:
                # A short timeout of the request, not the long one of connecting: the
                # target has seen nothing all the same.
                failures.append(_no_connection_within(address, timeout))
                break
            if isinstance(sock, gssl.SSLSocket):
                _shake_hands(sock, target)
            return Connection(sock, target.origin)
        raise TransportError("connect", "; ".join(failures[:_NAMED_ADDRESSES]))

    def _addresses(self, target: Target) -> Sequence[Address]:
        """Deliveries that want the same name share one lookup: a name whose servers do
        not answer takes one of the resolver's few threads, not all of them."""
        key = (target.host, target.port)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = gevent.spawn(self._look_up, *key)
            self._lookups[key] = lookup
        found: Sequence[Address] | Exception = lookup.get()
        if isinstance(found, OSError):
            reason = found.strerror or str(found)
            raise TransportError(
                "dns", f"the host {target.host} cannot be resolved: {reason}"
            ) from found
        if isinstance(found, Exception):
            raise found
        return found

    def _look_up(self, host: str, port: int) -> Sequence[Address] | Exception:
        # Its own greenlet, so that the deadline of the first delivery does not end the
        # lookup for the others. Errors are handed over: unhandled, gevent prints them.
        try:
            return self._resolve(host, port)
        except (OSError, TransportError) as error:
            return error
        finally:
            del self._lookups[host, port]

    def _connect(
        self, target: Target, family: int, address: tuple[Any, ...], timeout: float
    ) -> gsocket.socket:
        sock = gsocket.socket(family, gsocket.SOCK_STREAM)
        try:
            if target.scheme == "https":
                # Before it is connected: wrapping one that the peer resets at that very
                # moment fails half-way, with the descriptor out of reach.
                sock = self._tls().wrap_socket(
                    sock,
                    server_hostname=target.host.rstrip("."),
                    do_handshake_on_connect=False,
                )
            sock.settimeout(timeout)
            sock.connect(address)
            sock.setsockopt(gsocket.IPPROTO_TCP, gsocket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _tls(self) -> gssl.SSLContext:
        # Not made before it is needed: reading the system's certificates takes long.
        if self._ssl_context is None:
            self._ssl_context = gssl.SSLContext(gssl.PROTOCOL_TLS_CLIENT)
            self._ssl_context.load_default_certs()
        return self._ssl_context


def _shake_hands(sock: gssl.SSLSocket, target: Target) -> None:
    try:
        sock.do_handshake()
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise _tls_error(target, error) from error
        raise


def _why_not_connected(address: tuple[Any, ...], error: OSError, share: float) -> str:
    if error.errno == errno.ECONNREFUSED:
        return f"connection refused by {_shown(address)}"
    if isinstance(error, TimeoutError):
        return _no_connection_within(address, share)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"no connection to {_shown(address)}: {reason}"


def _no_connection_within(address: tuple[Any, ...], seconds: float) -> str:
    return f"no connection to {_shown(address)} within {seconds:g} s"


def _shown(address: tuple[Any, ...]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tls_error(target: Target, error: OSError) -> TransportError:
    # The text of an SSLError ends in a place in OpenSSL's source; these say it plainly.
    reason = (
        getattr(error, "verify_message", "")
        or getattr(error, "reason", None)
        or error.strerror
        or str(error)
    )
    return TransportError(
        "tls", f"no secure connection to {target.host_header}: {reason}"
    )
