"""What is measured: poussetaches and each peer, with the settings that suit it best."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.peers import brokers
from bench.peers.brokers import Broker
from bench.peers.ours import FLAGS, ours
from bench.peers.peer import peer


class Subject(Protocol):
    """One that runs, with nothing to do, and does nothing yet."""

    def enqueue(self, count: int, rate: float | None = None) -> Any:
        """Through its own client, to the end; when it began, and processor seconds."""

    def work(self) -> None:
        """Begin to do the tasks."""

    def usage(self) -> dict[str, float]:
        """Processor seconds so far, the client left out, by part."""


@dataclass(frozen=True)
class Settings:
    """A subject, before it runs."""

    name: str
    #: Runs it, for a receiver on that port, with that HTTP client if it is a peer: see
    #: ``application/posting.py``.
    run: Callable[[int, str], AbstractContextManager[Subject]]
    #: Its flags, or the commands that start its workers.
    how: list[str]
    #: Tasks that take it some five seconds, on two cores.
    tasks: int
    #: What is on disk before its client returns.
    on_disk: str
    #: Its virtual environment; None: ours.
    family: str | None = None
    #: The program of its broker; None: it has none.
    broker: str | None = None


_CELERY = [
    "celery -A bench.peers.application.celery worker -P gevent -c 16 -l ERROR"
    f" -n {name}@localhost --without-gossip --without-mingle --without-heartbeat"
    for name in ("one", "two")
]
_DRAMATIQ = (
    "dramatiq-gevent bench.peers.application.dramatiq --processes 2 --threads 16"
    " --skip-logging"
)
_HUEY = (
    "python -m gevent.monkey {programs}/huey_consumer"
    " bench.peers.application.huey.huey -k greenlet -w 16 -n -C -q"
)
#: SQLite cannot tell when there is something: how often to look, seconds.
_HUEY_SQLITE = f"{_HUEY} -d 0.01 -m 0.1"
_RQ = "rq worker -q -w rq.SimpleWorker -P . -u {broker} bench"

_MEMORY = "nothing: the broker has it in memory"
_SENT = "nothing: it is sent; the broker writes it later"


def _of(
    family: str,
    name: str,
    commands: list[str],
    tasks: int,
    on_disk: str,
    program: str | None = None,
) -> Settings:
    return Settings(
        name=f"{family}-{name}",
        run=partial(peer, family, commands, _BROKERS[name]),
        how=commands,
        tasks=tasks,
        on_disk=on_disk,
        family=family,
        broker=program,
    )


_BROKERS: dict[str, Callable[[Path], AbstractContextManager[Broker]]] = {
    "rabbitmq": brokers.rabbitmq,
    "redis": brokers.redis,
    "sqlite": brokers.sqlite,
}

SUBJECTS = [
    Settings("poussetaches", ours, FLAGS, 30_000, "the task, synced"),
    _of("celery", "rabbitmq", _CELERY, 12_000, _SENT, brokers.RABBITMQ),
    _of("dramatiq", "rabbitmq", [_DRAMATIQ], 25_000, _SENT, brokers.RABBITMQ),
    _of("dramatiq", "redis", [_DRAMATIQ], 16_000, _MEMORY, brokers.REDIS),
    _of("huey", "redis", [_HUEY] * 2, 15_000, _MEMORY, brokers.REDIS),
    _of("huey", "sqlite", [_HUEY_SQLITE] * 2, 10_000, "the task, synced"),
    _of("rq", "redis", [_RQ] * 2, 2_500, _MEMORY, brokers.REDIS),
]
