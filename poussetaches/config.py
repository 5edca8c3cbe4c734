"""Settings: one frozen ``Config`` from file, environment and flags, validated once.

A setting has one name in all three places (``workers`` in the file,
``POUSSETACHES_WORKERS``, ``--workers``) and is one field of ``Config``: its type,
default, help line and secrecy stand there and nowhere else. A flag outranks the
environment, which outranks the file. ``conf/poussetaches.ini`` is the manual.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poussetaches import config_file, queue_section
from poussetaches.bind import Address, SocketPath
from poussetaches.errors import ConfigError
from poussetaches.model.allowlist import AllowList
from poussetaches.model.caps import Caps
from poussetaches.model.named_queue import SHARES
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.setting import (
    BIND,
    CAPS,
    DIRECTORY,
    GROUP,
    HEADER,
    HOSTS,
    KEYS,
    MODE,
    PATH_PREFIX,
    PREFIX,
    SECRETS,
    SWITCH,
    TARGETS,
    TIMEZONE,
    Setting,
    choice,
    duration,
    or_word,
    setting,
    size,
    whole,
)

#: Names the configuration file, where ``--config`` does not.
PATH_VARIABLE = f"{PREFIX}CONFIG"
#: The same of mentat/taskqueue, where neither does.
TASKQUEUE_VARIABLE = "TASKQUEUE_CONFIG_FILE"
#: Variables with our prefix that are not settings of the service: the file, and which
#: service the client library and the command line talk to, and with which key.
OTHER_VARIABLES = frozenset({PATH_VARIABLE, f"{PREFIX}URL", f"{PREFIX}API_KEY"})


@dataclass(frozen=True, repr=False)
class Config:
    """Every setting of the service. Durations are seconds, sizes are bytes."""

    bind: Address | SocketPath = setting(
        "127.0.0.1:7991",
        BIND,
        "Where it listens: HOST:PORT (port 0: any free), or unix:/PATH.",
    )
    socket_mode: int = setting("0660", MODE, "Permissions of a Unix socket.")
    socket_group: str = setting(
        "", GROUP, "Group of a Unix socket; empty: that of the service."
    )
    url_prefix: str = setting("", PATH_PREFIX, "What all paths begin with.")
    api_keys: tuple[str, ...] = setting(
        "", KEYS, "Keys that may do everything; empty: nobody needs one.", secret=True
    )
    read_keys: tuple[str, ...] = setting(
        "", KEYS, "Keys that may read and change nothing.", secret=True
    )
    insecure: bool = setting(
        "no", SWITCH, "Listen beyond this machine without a key all the same."
    )
    allowed_hosts: tuple[str, ...] = setting(
        "", HOSTS, "Names of the service that browsers may use without a key."
    )
    data_dir: Path = setting(
        "./poussetaches_data", DIRECTORY, "Directory of the journal and the dumps."
    )
    workers: int = setting("2", whole(1, 256), "Worker processes.")
    concurrency: int = setting(
        "16", whole(1, 10_000), "Attempts at one target that a worker makes at once."
    )
    auth_key: str = setting(
        "", HEADER, "Secret sent to every target in Poussetaches-Auth-Key.", secret=True
    )
    signing_secrets: tuple[bytes, ...] = setting(
        "", SECRETS, "One or two secrets that sign every delivery.", secret=True
    )
    durability: str = setting(
        "always",
        choice("always", "interval", "off"),
        "Sync tasks to disk before the answer, every sync_interval, or never.",
    )
    sync_interval: float = setting(
        "1s", duration(0.001), "Time between syncs with durability = interval."
    )
    dump_interval: float = setting(
        "5m", duration(0.1), "Time between two dumps of the whole queue."
    )
    allowed_targets: AllowList = setting(
        "", TARGETS, "Networks and hosts that may be pushed to; empty: any."
    )
    origin_concurrency: Caps = setting(
        "", CAPS, "Attempts at once at one origin, over all workers; empty: its share."
    )
    hold_limit: float = setting(
        "1h",
        duration(0),
        "How long a target that is away is waited for without counting attempts.",
    )
    timeout: float = setting("10m", duration(0.01), "Total deadline of one attempt.")
    drain_timeout: float = setting(
        "30s", duration(0), "How long a stop waits for attempts in flight."
    )
    heartbeat_timeout: float = setting(
        "10s", duration(0.1), "Silence after which a child is killed and replaced."
    )
    start_paused: bool = setting(
        "no", SWITCH, "Deliver nothing after a start until told to resume."
    )
    max_body: int = setting(
        "8M", size(1024, 64 * 1024**2), "Largest HTTP request body accepted."
    )
    max_payload: int = setting(
        "4M", size(0, 64 * 1024**2), "Largest payload of one task, decoded."
    )
    max_response: int = setting(
        "16K", size(0, 64 * 1024**2), "How much of a target's answer is kept."
    )
    max_tasks: int | None = setting(
        "unlimited",
        or_word("unlimited", whole(1, 10**12)),
        "Live tasks; a push beyond them is refused for the time being.",
    )
    max_memory: int | None = setting(
        "auto",
        or_word("auto", size(1024**2, 1024**5)),
        "Memory that tasks may fill; auto: half of what there is.",
    )
    auto_create_queues: bool = setting(
        "no", SWITCH, "Make the queue that a push names if there is none."
    )
    key_ttl: float = setting(
        "24h",
        duration(0, 366 * 24 * 3600),
        "How long the key of a push is known after its task has ended.",
    )
    retain_succeeded: int = setting(
        "1000", whole(0, 100_000_000), "Succeeded tasks kept for inspection."
    )
    retain_dead: int | None = setting(
        "unlimited",
        or_word("unlimited", whole(0, 10**12)),
        "Dead tasks kept, the oldest are forgotten beyond that.",
    )
    retain_dead_for: float | None = setting(
        "unlimited",
        or_word("unlimited", duration(1, 10 * 366 * 24 * 3600)),
        "How long a dead task is kept.",
    )
    schedule_timezone: str = setting(
        "", TIMEZONE, "Zone of schedules that name none; empty: the machine's."
    )
    log_level: str = setting(
        "info",
        choice("debug", "info", "warning", "error"),
        "Least serious message that is logged.",
    )
    log_format: str = setting(
        "text", choice("text", "json"), "Log for people or for machines."
    )

    #: The queues that have a section, by name.
    queues: Mapping[str, QueueSettings] = dataclasses.field(default_factory=dict)

    #: Where each setting that was given stands, by its name.
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)
    #: The same of each queue, and of each setting of one (``mail.rate``).
    queue_sources: Mapping[str, str] = dataclasses.field(
        default_factory=dict, compare=False
    )
    #: Sentences about what was given and is ignored.
    warnings: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    #: What the lines of a taskqueue.ini mean here, for people.
    meanings: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    @property
    def slots(self) -> int:
        """Attempts that one worker makes at once, whatever the target: all but one
        share is for those that come beside the first (see ``model/turns.py``)."""
        return SHARES * self.concurrency

    @classmethod
    def load(
        cls,
        path: str | None,
        environ: Mapping[str, str],
        flags: Mapping[str, str | None],
    ) -> Config:
        """The settings from a file, the environment and the command line.

        ``path`` is that of ``--config``; ``flags`` maps names of settings to the text
        given, None where a flag was not used. An empty variable counts as not set.
        Raises ConfigError, also for a bad value that another source would overrule.
        """
        path = path or environ.get(PATH_VARIABLE) or environ.get(TASKQUEUE_VARIABLE)
        file = config_file.read(path) if path else config_file.Contents()
        given = [*file.settings]
        warnings = [*file.warnings]
        for variable in sorted(environ):
            if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
                continue
            name = variable[len(PREFIX) :].lower()
            if name not in SETTINGS or SETTINGS[name].variable != variable:
                near = _nearest(name)
                hint = f", did you mean {near.variable}?" if near else ""
                warnings.append(f"{variable} is ignored: no such setting{hint}")
            elif environ[variable]:
                given.append((name, environ[variable], variable))
        given += [
            (name, text, "--" + name.replace("_", "-"))
            for name, text in flags.items()
            if text is not None
        ]
        config = cls._of(
            given,
            queues=file.queues,
            queue_sources=file.queue_sources,
            warnings=tuple(warnings),
            meanings=file.meanings,
        )
        config.check_access()
        return config

    def check_access(self) -> None:
        """Raises ConfigError if who may do what over HTTP cannot be meant."""
        if set(self.api_keys) & set(self.read_keys):
            raise ConfigError("read_keys: one is in api_keys, too", field="read_keys")
        if self.read_keys and not self.api_keys:
            raise ConfigError(
                "read_keys: without api_keys nobody could change anything",
                field="read_keys",
            )
        if not (self.bind.is_local or self.api_keys or self.insecure):
            raise ConfigError(
                f"bind: {self.bind} can be reached from other machines, and no api_keys"
                " say who may; set some, or insecure = yes (--insecure)",
                field="bind",
            )

    @classmethod
    def _of(cls, given: Iterable[tuple[str, str, str]], **others: Any) -> Config:
        """From name, text and source of what was given, least important first."""
        values, sources = {}, {}
        for name, text, source in given:
            if name not in SETTINGS:
                near = _nearest(name)
                hint = f", did you mean {near.name}?" if near else ""
                quoted = json.dumps(name, ensure_ascii=False)
                raise ConfigError(
                    f"there is no setting {quoted} (from {source}){hint}", field=name
                )
            values[name] = SETTINGS[name].parse(text, source)
            sources[name] = source
        return cls(**values, **others, sources=sources)

    def to_wire(self) -> dict[str, Any]:
        """Every setting as text, secrets too, to hand to a child over its channel; and
        the queues that have a section, if any has."""
        wire: dict[str, Any] = {
            name: row.kind.show(getattr(self, name)) for name, row in SETTINGS.items()
        }
        if self.queues:
            wire["queues"] = {name: one.to_wire() for name, one in self.queues.items()}
        return wire

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Config:
        """The Config that ``to_wire`` was called on.

        A setting that is missing, because the sender is older than this code, has its
        default. Raises ConfigError.
        """
        given = dict(wire)
        queues = given.pop("queues", {})
        return cls._of(
            ((name, text, "the supervisor") for name, text in given.items()),
            queues={name: QueueSettings.from_wire(one) for name, one in queues.items()},
        )

    def describe(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and source of every setting, for people: secrets are masked."""
        for name, row in SETTINGS.items():
            value = row.show(getattr(self, name))
            yield name, value, self.sources.get(name, "default")

    def describe_queues(self) -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
        """Name and source of every queue that has a section, and its settings as
        ``describe`` has them."""
        for name, settings in self.queues.items():
            source = self.queue_sources.get(name, "")
            rows = [
                (one, text, self.queue_sources.get(f"{name}.{one}", source))
                for one, text in queue_section.describe(settings).items()
            ]
            yield name, source, rows

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value, _ in self.describe())
        return f"Config({shown})"


#: The table of settings by name, in the order of the manual.
SETTINGS: Mapping[str, Setting] = {
    field.name: Setting(field.name, **field.metadata)
    for field in dataclasses.fields(Config)
    if field.metadata
}


def _nearest(name: str) -> Setting | None:
    near = difflib.get_close_matches(name, SETTINGS, 1)
    return SETTINGS[near[0]] if near else None
