"""The configuration file: a section of settings, and one for each queue.

A file of mentat/taskqueue is read as it is (``taskqueue_ini.py``).
"""

from __future__ import annotations

import configparser
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from poussetaches import queue_section, taskqueue_ini
from poussetaches.errors import ConfigError
from poussetaches.model.queue_settings import QueueSettings

#: The one section that is not a queue's.
SECTION = "poussetaches"


@dataclass(frozen=True)
class Contents:
    """What a file says."""

    #: Name, text and source of each setting.
    settings: tuple[tuple[str, str, str], ...] = ()
    queues: Mapping[str, QueueSettings] = field(default_factory=dict)
    #: Where each queue, and each setting of one (``mail.rate``), stands.
    queue_sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    #: What the lines of a taskqueue.ini mean here, for people.
    meanings: tuple[str, ...] = ()


def read(path: str) -> Contents:
    """What the file at ``path`` says. Raises ConfigError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: byte {error.start}") from error
    if taskqueue_ini.is_one(text, own=(SECTION, queue_section.PREFIX)):
        found = taskqueue_ini.read(text, path)
        sources = dict.fromkeys(found.queues, path)
        return Contents((), found.queues, sources, found.warnings, found.meanings)
    return _read_ours(text, path)


def _read_ours(text: str, path: str) -> Contents:
    # No section is special, so [DEFAULT] is refused like any other; "%", "#" and ":"
    # mean nothing inside a value, because secrets and addresses have them.
    parser = configparser.ConfigParser(
        interpolation=None, default_section="", delimiters=("=",), strict=True
    )
    parser.optionxform = _option  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        raise ConfigError(f"{path}:{_refusal(error)}") from error
    lines = _lines(text)
    settings: list[tuple[str, str, str]] = []
    queues: dict[str, QueueSettings] = {}
    sources: dict[str, str] = {}
    for section in parser.sections():
        given = [
            (name, value, f"{path}:{lines[section, name]} [{section}]")
            for name, value in parser.items(section)
        ]
        if section == SECTION:
            settings = given
        elif section.startswith(queue_section.PREFIX):
            name = section[len(queue_section.PREFIX) :]
            queues[name] = queue_section.read_section(name, given)
            sources[name] = f"{path}:{lines[section, '']}"
            sources |= {f"{name}.{one}": source for one, _, source in given}
        else:
            raise ConfigError(
                f"{path}: there is no section [{section}], settings stand in"
                f" [{SECTION}], those of a queue in [{queue_section.PREFIX}NAME]"
            )
    return Contents(tuple(settings), queues, sources)


def _option(name: str) -> str:
    """A name as it is looked for: in lower case, but for that of a header."""
    prefix = queue_section.HEADER
    if name.lower().startswith(prefix):
        return prefix + name[len(prefix) :]
    return name.lower()


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The number of the line of each section, and of each name in one, as the parser
    takes them: what is indented further than a name goes on with its value."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    value_begins: float = math.inf
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if not content or content[0] in "#;":
            continue
        indent = len(line) - len(line.lstrip())
        if indent > value_begins:
            continue
        if head := configparser.ConfigParser.SECTCRE.match(content):
            section, value_begins = head["header"], math.inf
            found.setdefault((section, ""), number)
        else:
            value_begins = indent
            name = _option(content.partition("=")[0].rstrip())
            found.setdefault((section, name), number)
    return found


def _refusal(error: configparser.Error) -> str:
    """Line and complaint of the parser, without the line's text: it may be a secret."""
    if isinstance(error, configparser.DuplicateOptionError):
        return f"{error.lineno}: {error.option} is set twice"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"{error.lineno}: the section [{error.section}] stands twice"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"{error.lineno}: a line [{SECTION}] must come before the settings"
    assert isinstance(error, configparser.ParsingError)
    return f'{error.errors[0][0]}: this is neither "name = value" nor a comment'
