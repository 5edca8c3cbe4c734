"""Where the HTTP interface listens, and below which path: addresses as settings."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

#: How the address of a Unix socket begins.
UNIX = "unix:"
#: Bytes that the kernel has for the path of a Unix socket, less the one that ends it.
LONGEST_PATH = 107


class Address(NamedTuple):
    """A host and a port."""

    #: Name, IPv4 address, or IPv6 address without brackets.
    host: str
    #: 0 to 65535; 0 asks the system for any free port.
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it. A name other than localhost may stand
        for any address."""
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host.lower() == "localhost"
        mapped = getattr(ip, "ipv4_mapped", None)
        return (mapped or ip).is_loopback


class SocketPath(NamedTuple):
    """A Unix socket: who may connect is a matter of its mode and its directory."""

    #: Absolute.
    path: str

    def __str__(self) -> str:
        return UNIX + self.path

    @property
    def is_local(self) -> bool:
        return True


def parse_bind(text: str) -> Address | SocketPath:
    """``host:port``, ``[v6]:port`` or ``unix:/path``. Raises ValueError."""
    if text.startswith(UNIX):
        return _socket_path(text.removeprefix(UNIX))
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", text)
    if not found or int(found[3]) > 65535:
        raise ValueError(
            "is not host:port, such as 127.0.0.1:7991 or [::1]:7991, nor unix:/path"
        )
    if found[1]:
        try:
            ipaddress.IPv6Address(found[1])
        except ValueError as error:
            raise ValueError("has no IPv6 address between its brackets") from error
    return Address(found[1] or found[2], int(found[3]))


def _socket_path(path: str) -> SocketPath:
    # A colon would end the path where addresses of clients are read.
    if not re.fullmatch(r"/[^:]*[^:/]", path):
        raise ValueError("has no absolute path of a file, without a colon, after unix:")
    if len(path.encode()) > LONGEST_PATH:
        raise ValueError(f"has a path of more than {LONGEST_PATH} bytes")
    return SocketPath(path)


def parse_mode(text: str) -> int:
    """The mode of a file, in octal digits. Raises ValueError."""
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError("is not three octal digits, such as 0660 or 600")
    return int(text, 8)


def show_mode(mode: int) -> str:
    return f"{mode:04o}"


def parse_group(text: str) -> str:
    """The name or the number of a group of users, or nothing. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9._-]*", text):
        raise ValueError("is not the name or the number of a group")
    return text


def parse_prefix(text: str) -> str:
    """A path that all paths begin with, without a slash at its end; or nothing. Raises
    ValueError."""
    prefix = text.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", prefix):
        raise ValueError("is not a path of letters and digits, such as /queue")
    if re.search(r"/\.\.?(/|$)", prefix):
        raise ValueError("has . or .. in it, which clients take out of a path")
    return prefix


def parse_hosts(text: str) -> tuple[str, ...]:
    """Host names, in lower case, without ports. Raises ValueError."""
    hosts = tuple(one.lower() for one in re.split(r"[,\s]+", text) if one)
    for host in hosts:
        if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", host):
            raise ValueError(f'has "{host}", which is no host name without a port')
    return hosts
