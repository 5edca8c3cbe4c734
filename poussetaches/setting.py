"""What one setting is: its name in three places, and how its text becomes a value.

The settings themselves are the fields of ``config.Config``.
"""

from __future__ import annotations

import base64
import configparser
import dataclasses
import json
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from poussetaches import api_keys, bind
from poussetaches.errors import ConfigError
from poussetaches.model.allowlist import AllowList
from poussetaches.model.caps import Caps

#: What every setting's environment variable starts with.
PREFIX = "POUSSETACHES_"
#: What stands for a secret wherever people can see it.
MASK = "***"
#: How a symmetric secret of Standard Webhooks begins, and how many bytes it may have.
SECRET_PREFIX, SECRET_BYTES = "whsec_", range(24, 65)

Number = TypeVar("Number", int, float)


class Kind(NamedTuple):
    """How the text of a setting becomes a value, and how that is shown again."""

    #: Text to value; raises ValueError with the end of the sentence that says why not.
    parse: Callable[[str], Any]
    #: Value to a text that ``parse`` reads back as the same value.
    show: Callable[[Any], str]
    #: What the command line's help calls such a value.
    metavar: str


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings."""

    #: In the file, and as a field of Config.
    name: str
    kind: Kind
    #: As it would stand in the file.
    default: str
    #: One line, for ``--help`` and the docs.
    help: str
    #: True: the value is never shown.
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    def parse(self, text: str, source: str) -> Any:
        """The value of ``text``; ``source`` says where that stands, for ConfigError."""
        text = text.strip()
        try:
            if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
                raise ValueError("holds a line break or something else that is no text")
            return self.kind.parse(text)
        except ValueError as error:
            shown = "the value" if self.secret else json.dumps(text, ensure_ascii=False)
            raise ConfigError(
                f"{self.name}: {shown} (from {source}) {error}", field=self.name
            ) from error

    def show(self, value: Any) -> str:
        """The value as text for people; a secret is masked."""
        text = self.kind.show(value)
        return MASK if self.secret and text else text


def setting(default: str, kind: Kind, help: str, *, secret: bool = False) -> Any:
    """A dataclass field that carries the rest of its Setting as metadata."""
    row = {"default": default, "kind": kind, "help": help, "secret": secret}
    return dataclasses.field(default=kind.parse(default), metadata=row)


def whole(least: int, most: int) -> Kind:
    """A whole number within bounds, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text):
            raise ValueError("is not a whole number")
        return _bounded(int(text), least, most, str)

    return Kind(parse, str, "N")


def duration(least: float, most: float = 30 * 24 * 3600) -> Kind:
    """Seconds within bounds, to the microsecond: ``30``, ``10s``, ``5m``, ``1h``."""

    def parse(text: str) -> float:
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?([smh]?)", text)
        if not found:
            raise ValueError("is not a duration, such as 30, 10s, 5m or 1h")
        seconds = round(float(found[1]) * _SECONDS[found[2]], 6)
        return _bounded(seconds, least, most, _show_duration)

    return Kind(parse, _show_duration, "DURATION")


def size(least: int, most: int) -> Kind:
    """Bytes within bounds: ``16384``, ``512K``, ``8M``, ``1G``, in powers of 1024."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"([0-9]{1,16}) ?([KMG]?)", text, re.IGNORECASE)
        if not found:
            raise ValueError("is not a size in bytes, such as 16384, 512K or 8M")
        octets = int(found[1]) * _BYTES[found[2].upper()]
        return _bounded(octets, least, most, _show_size)

    return Kind(parse, _show_size, "SIZE")


def choice(*names: str) -> Kind:
    """One of a few words, in lower case."""

    def parse(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"is none of {', '.join(names)}")
        return text.lower()

    return Kind(parse, str, "|".join(names))


def or_word(word: str, kind: Kind) -> Kind:
    """What ``kind`` takes, or ``word``, which stands for None."""

    def parse(text: str) -> Any:
        return None if text.lower() == word else kind.parse(text)

    def show(value: Any) -> str:
        return word if value is None else kind.show(value)

    return Kind(parse, show, f"{word}|{kind.metavar}")


_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def _bounded(
    value: Number, least: Number, most: Number, show: Callable[[Any], str]
) -> Number:
    if value < least:
        raise ValueError(f"is less than {show(least)}")
    if value > most:
        raise ValueError(f"is more than {show(most)}")
    return value


def _show_duration(seconds: float) -> str:
    for unit in ("h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds // _SECONDS[unit])}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def _show_size(octets: int) -> str:
    for unit in ("G", "M", "K"):
        if octets and octets % _BYTES[unit] == 0:
            return f"{octets // _BYTES[unit]}{unit}"
    return str(octets)


def _parse_switch(text: str) -> bool:
    states = configparser.ConfigParser.BOOLEAN_STATES
    if text.lower() not in states:
        raise ValueError("is neither yes nor no")
    return states[text.lower()]


def _parse_directory(text: str) -> Path:
    if not text:
        raise ValueError("is not the name of a directory")
    return Path(text)


def _parse_header(text: str) -> str:
    # It travels in an HTTP header, where anything else is cut, refused or misread.
    if not re.fullmatch(r"[\x20-\x7e]*", text):
        raise ValueError("has characters other than printable ASCII")
    return text


def _parse_secrets(text: str) -> tuple[bytes, ...]:
    secrets = tuple(_read_secret(one) for one in re.split(r"[,\s]+", text) if one)
    if len(secrets) > 2:
        raise ValueError("is more than two secrets")
    if len(set(secrets)) < len(secrets):
        raise ValueError("is the same secret twice")
    return secrets


def _read_secret(text: str) -> bytes:
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"has a secret that does not begin with {SECRET_PREFIX}")
    try:
        encoded = text.removeprefix(SECRET_PREFIX)
        # Some that hand out secrets leave the padding away.
        padded = encoded + "=" * (-len(encoded) % 4)
        secret = base64.b64decode(padded, validate=True)
    except ValueError:
        raise ValueError(
            f"has a secret without valid base64 after {SECRET_PREFIX}"
        ) from None
    if len(secret) not in SECRET_BYTES:
        raise ValueError(
            f"has a secret of {len(secret)} bytes; it takes {SECRET_BYTES[0]} to"
            f" {SECRET_BYTES[-1]} random ones"
        )
    return secret


def _show_secrets(secrets: tuple[bytes, ...]) -> str:
    return " ".join(
        SECRET_PREFIX + base64.b64encode(secret).decode() for secret in secrets
    )


def _parse_timezone(text: str) -> str:
    try:
        if text:
            zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is not a time zone, such as Europe/Paris or UTC") from error
    return text


SWITCH = Kind(_parse_switch, lambda value: "yes" if value else "no", "yes|no")
#: Where a socket listens.
BIND = Kind(bind.parse_bind, str, "HOST:PORT|unix:PATH")
#: Permissions of a file.
MODE = Kind(bind.parse_mode, bind.show_mode, "MODE")
#: A group of users.
GROUP = Kind(bind.parse_group, str, "GROUP")
#: A path that others begin with.
PATH_PREFIX = Kind(bind.parse_prefix, str, "PATH")
#: Host names.
HOSTS = Kind(bind.parse_hosts, " ".join, "HOSTS")
#: Who may do something over HTTP.
KEYS = Kind(api_keys.parse_keys, api_keys.show_keys, "KEYS")
DIRECTORY = Kind(_parse_directory, str, "DIRECTORY")
#: Text that can stand in an HTTP header.
HEADER = Kind(_parse_header, str, "TEXT")
#: Networks and hosts.
TARGETS = Kind(AllowList.parse, str, "TARGETS")
#: Attempts at once, for every origin and for some.
CAPS = Kind(Caps.parse, str, "CAPS")
#: One or two symmetric secrets of Standard Webhooks.
SECRETS = Kind(_parse_secrets, _show_secrets, "SECRETS")
#: A name of the IANA database, or empty for the machine's own zone.
TIMEZONE = Kind(_parse_timezone, str, "ZONE")
