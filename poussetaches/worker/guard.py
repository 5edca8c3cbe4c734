"""The guard: a resolver that gives only addresses which may be pushed to. Used by the
worker process only.

The connection goes to the very address that was checked, so that no second answer of a
resolver, and no spelling of an address, leads anywhere else. A kept connection needs no
second look: it is taken again for the same scheme, host and port only, and what those
may be connected to is the same as long as the worker lives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from gevent import socket as gsocket

from poussetaches.model.allowlist import IP, METADATA, AllowList, destination
from poussetaches.worker.connections import TransportError
from poussetaches.worker.dialer import Address, Resolve, resolve

#: Addresses named in the message.
_NAMED_ADDRESSES = 3


class TargetRefused(TransportError):
    """None of a target's addresses may be connected to. None was."""

    def __init__(self, message: str) -> None:
        super().__init__("refused", message)


class Guard:
    """``own``: where this service itself listens, which is never pushed to, as cloud
    metadata never is; None if no target can be there."""

    def __init__(
        self,
        allowed: AllowList,
        own: tuple[str, int] | None,
        *,
        resolve: Resolve = resolve,
    ) -> None:
        self._allowed = allowed
        # No target has port 0.
        own_host, self._own_port = own or ("127.0.0.1", 0)
        #: None: every address of this machine, as far as it can be found out.
        self._own = None if _is_any(own_host) else destination(own_host)
        self._resolve = resolve

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Those addresses of ``host`` that may be connected to. Raises TargetRefused if
        there are none, and what resolving raises."""
        good = []
        objections = []
        for family, address in self._resolve(host, port):
            ip = destination(address[0])
            if objection := self._objection(host, ip, port):
                shown = str(ip) if address[0] == str(ip) else f"{address[0]} ({ip})"
                objections.append(f"{shown} {objection}")
            else:
                good.append((family, address))
        if not good:
            reasons = "; ".join(objections[:_NAMED_ADDRESSES])
            raise TargetRefused(f"{host} may not be pushed to: {reasons}")
        return good

    def _objection(self, host: str, ip: IP, port: int) -> str:
        """Why ``ip`` may not be connected to; "" if it may."""
        if ip in METADATA:
            return "has the metadata of a cloud"
        if port == self._own_port and self._is_own(ip):
            return f"port {port} is this service itself"
        if not self._allowed.allows(host, ip):
            return "is not in allowed_targets"
        return ""

    def _is_own(self, ip: IP) -> bool:
        if self._own is None:
            return ip.is_loopback or _is_of_this_machine(ip)
        return ip == self._own


def _is_any(host: str) -> bool:
    ip = ipaddress.ip_address(host)
    mapped = getattr(ip, "ipv4_mapped", None)
    return ip.is_unspecified or (mapped is not None and mapped.is_unspecified)


def _is_of_this_machine(ip: IP) -> bool:
    family = gsocket.AF_INET if ip.version == 4 else gsocket.AF_INET6
    with gsocket.socket(family, gsocket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing: the system only decides from which address it would.
            probe.connect((str(ip), 9))
        except OSError:
            return False
        source: str = probe.getsockname()[0]
    return ipaddress.ip_address(source.partition("%")[0]) == ip
