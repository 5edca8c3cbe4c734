"""The allow-list: which networks and hosts may be pushed to, and what never may.

It speaks of addresses, not of how a URL spells them: ``127.1`` and ``0x7f000001`` are
names until somebody resolved them. Pure: no I/O.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass

from poussetaches.errors import InvalidInput
from poussetaches.model.target import parse_host

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Where clouds give whoever asks the keys of the machine: AWS and most others, AWS for
#: containers (ECS, EKS), GCP, Azure, Alibaba, Oracle, Scaleway.
METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "fd00:ec2::254",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::23",
        "fd20:ce::254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "169.254.42.42",
        "fd00:42::42",
    )
)

#: IPv6 networks whose addresses stand for IPv4 ones, and how many bits are behind
#: those: mapped, compatible, translated, NAT64 (the well-known and the local), 6to4.
_EMBEDDING = tuple(
    (ipaddress.IPv6Network(network), behind)
    for network, behind in (
        ("::ffff:0:0/96", 0),
        ("::/96", 0),
        ("::ffff:0:0:0/96", 0),
        ("64:ff9b::/96", 0),
        ("64:ff9b:1::/48", 0),
        ("2002::/16", 80),
    )
)

#: The last label of a name that resolvers take for a number, so the name for an
#: address: ``127.1``, ``0x7f000001``.
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")


def destination(address: str) -> IP:
    """Where a connection to the numeric ``address`` ends up: an IPv4 address in IPv6
    writing is that IPv4 address, and what stands for any address is this machine."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _embedded(ip) or ip
    if ip.is_unspecified:
        return ipaddress.ip_address("127.0.0.1" if ip.version == 4 else "::1")
    return ip


@dataclass(frozen=True, slots=True)
class AllowList:
    """Allows any address if it is empty."""

    networks: tuple[Network, ...] = ()
    #: Of hosts, as in ``Target.host``, without a dot at the end.
    names: tuple[str, ...] = ()
    #: ``.example.org`` for every name under example.org, but not that itself.
    suffixes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> AllowList:
        """From entries with commas or blanks between them: ``10.0.0.0/8``,
        ``127.0.0.1``, ``app.example``, ``*.example.org``.

        Raises ValueError with the end of a sentence that says which is none.
        """
        networks: list[Network] = []
        names = []
        suffixes = []
        for entry in filter(None, re.split(r"[,\s]+", text)):
            try:
                if network := _read_network(entry):
                    networks.append(network)
                elif entry.startswith("*."):
                    suffixes.append("." + _read_name(entry[2:]))
                else:
                    names.append(_read_name(entry))
            except ValueError as error:
                quoted = json.dumps(entry, ensure_ascii=False)
                raise ValueError(f"has {quoted}, which {error}") from error
        return cls(tuple(networks), tuple(names), tuple(suffixes))

    def __str__(self) -> str:
        networks = [
            str(one).removesuffix(f"/{one.max_prefixlen}") for one in self.networks
        ]
        suffixes = ["*" + suffix for suffix in self.suffixes]
        return ", ".join([*networks, *self.names, *suffixes])

    def allows(self, host: str, ip: IP) -> bool:
        """Whether ``host`` may be pushed to at ``ip``, a destination of it. A host that
        is named may be wherever it likes."""
        if not (self.networks or self.names or self.suffixes):
            return True
        name = host.rstrip(".")
        if name in self.names or name.endswith(self.suffixes):
            return True
        return any(ip in network for network in self.networks)


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that ``ip`` stands for, if it does."""
    if int(ip) <= 1:
        return None  # :: and ::1 are addresses of their own
    for network, behind in _EMBEDDING:
        if ip in network:
            return ipaddress.IPv4Address(int(ip) >> behind & 0xFFFFFFFF)
    return None


def _read_network(entry: str) -> Network | None:
    """None if it has to be a name."""
    address, slash, _ = entry.partition("/")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        if slash or ":" in entry:
            raise ValueError("is no network, such as 10.0.0.0/8 or fd00::/8") from None
        return None
    if "%" in address:
        raise ValueError("has a zone, which means something on one machine only")
    if ip.version == 6 and (plain := _embedded(ip)):
        raise ValueError(f"is IPv4 in IPv6 writing; write it with {plain}")
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise ValueError("is no network, such as 10.0.0.0/8 or fd00::/8") from None
    if network.network_address != ip:
        raise ValueError(f"is an address in a network; write {network} or {ip}")
    return network


def _read_name(text: str) -> str:
    try:
        name = parse_host(text).rstrip(".")
    except InvalidInput:
        raise ValueError(
            "is neither a network (10.0.0.0/8), an address, nor a host name"
            " (app.example, *.example.org)"
        ) from None
    if _NUMBER.fullmatch(name):
        raise ValueError("resolvers take for an address; write it as one (127.0.0.1)")
    return name
