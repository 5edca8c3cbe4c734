"""Putting the service together, in the order in which it can be undone."""

from __future__ import annotations

import dataclasses
import faulthandler
import gc
import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from poussetaches import usage
from poussetaches.bind import Address, SocketPath
from poussetaches.config import Config
from poussetaches.errors import StoreError, StoreFull
from poussetaches.log import fields
from poussetaches.model.bounds import Bounds
from poussetaches.model.queue import TaskQueue
from poussetaches.store.disk import Store
from poussetaches.store.recovery import Recovered
from poussetaches.supervisor.children import Children
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.listener import listen
from poussetaches.supervisor.loop import Supervisor
from poussetaches.supervisor.policy import policy_of
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.reload import Reload
from poussetaches.supervisor.signals import Signals
from poussetaches.supervisor.socket_file import SocketFile

log = logging.getLogger(__name__)

#: How long a start waits for the lock and the port of a service that has just ended (or
#: was killed, and its children have yet to notice), seconds.
PATIENCE = 5.0
#: What the end of an attempt needs on disk beyond the answer it keeps, bytes.
END_SIZE = 1024
#: Of the collections of a generation, how many come before one of the next: the most
#: that can be asked for.
NEVER = 2**31 - 1


def serve(config: Config, load: Callable[[], Config]) -> None:
    """Run the service; returns when it was asked to stop and has. ``load`` reads the
    configuration again.

    Raises PousseTachesError (a sentence for people) if it cannot start, OSError if the
    store fails under it.
    """
    _raise_file_limit()
    # A crash, and SIGABRT, with which systemd ends who has fallen silent, show stacks.
    faulthandler.enable()
    with closing(Signals()) as signals, ExitStack() as undo:
        keeper = _recover(config)
        queues = QueueKeeper(keeper)
        reload = Reload(load, config, queues)
        _configure(queues, config)
        listener, bind = _listen(config, undo)
        if config.start_paused:
            keeper.pause()
        keeper.commit()
        config = dataclasses.replace(config, bind=bind)
        # As --url takes it.
        scheme, colon = ("http://", "") if isinstance(bind, Address) else ("", ":")
        prefix = config.url_prefix and colon + config.url_prefix
        log.info(f"listening on {scheme}{bind}{prefix}")
        if not (bind.is_local or config.api_keys):
            log.warning(
                "everybody who reaches this address may do everything: insecure"
            )
        children = Children(
            listener,
            workers=config.workers,
            heartbeat_timeout=config.heartbeat_timeout,
        )
        Supervisor(config, keeper, children, signals, queues, reload).run()
    log.info("stopped", extra=fields(waiting=keeper.queue.waiting))


def _listen(
    config: Config, undo: ExitStack
) -> tuple[socket.socket, Address | SocketPath]:
    """The socket that listens, and where: with port 0, nobody else could tell."""
    bind = config.bind
    if isinstance(bind, SocketPath):
        file = SocketFile(bind.path, config.socket_mode, config.socket_group)
        listener = file.listen(patience=PATIENCE)
        undo.callback(file.remove)
        return listener, bind
    listener = listen(*bind, patience=PATIENCE)
    return listener, Address(*listener.getsockname()[:2])


def _recover(config: Config) -> Keeper:
    """The queue as the store left it, in the hands of its keeper."""
    began = time.monotonic()
    queue = TaskQueue(
        retain_succeeded=config.retain_succeeded,
        key_ttl=config.key_ttl,
        caps=config.origin_concurrency,
    )
    # What is read here lives long, and no cycle is among it: each collection would only
    # look at all that was read so far (two thirds of the time for a million tasks).
    gc.collect()
    gc.disable()
    try:
        store, recovered = _open_store(config, queue)
    finally:
        gc.freeze()  # later ones need not look at it either
        gc.enable()
    _collect_young_only()
    keeper = Keeper(
        queue,
        store,
        Clock(queue.skew, not_before=queue.latest),
        policy_of(config),
        slots=config.workers * config.slots,
        end_room=config.max_response + END_SIZE,
        bounds=_bounds(config),
    )
    lost = keeper.orphans.take(queue.leased.values())
    if recovered.torn:
        log.warning(
            "a torn tail was cut off",
            extra=fields(bytes=recovered.torn, kept=recovered.kept),
        )
    if (config.data_dir / "waiting").is_dir():
        log.warning(
            "data_dir has the files of tsileo/poussetaches in it, which are left alone:"
            " `poussetaches store adopt` takes its tasks over"
        )
    log.info(
        "recovered",
        extra=fields(
            tasks=len(queue.tasks),
            records=recovered.records,
            in_flight=lost,
            seconds=round(time.monotonic() - began, 3),
        ),
    )
    return keeper


def _configure(queues: QueueKeeper, config: Config) -> None:
    try:
        queues.configure(config.queues)
    except StoreFull as full:
        # What is in the queues can be delivered, and that may make room.
        log.error(
            "the queues are as they were before the configuration changed: %s;"
            " SIGHUP has them taken when there is room",
            full.message,
        )


def _collect_young_only() -> None:
    """Do without full collections of garbage from now on.

    One looks at every task that was pushed since the start: 0.3 s for a million, in
    which nobody is answered, to find nothing, for no task is in a cycle. What may be in
    one, an error and its traceback, dies young, and is collected as ever.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)


def _bounds(config: Config) -> Bounds:
    memory = config.max_memory
    if memory is None:
        memory = usage.memory_limit() // 2
    return Bounds(config.max_tasks, memory, config.retain_dead, config.retain_dead_for)


def _raise_file_limit() -> None:
    """Allow ourselves and our children as many open files as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _open_store(config: Config, queue: TaskQueue) -> tuple[Store, Recovered]:
    directory = os.fspath(config.data_dir)
    try:
        return Store.open(directory, config.durability, queue, patience=PATIENCE)
    except OSError as error:
        raise StoreError(
            f"data_dir: cannot use {directory}: {error.strerror}"
        ) from error
