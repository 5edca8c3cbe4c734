"""The supervisor's loop.

One tick: take what arrived, lease what is due, commit once, send. Then sleep until
exactly the next due moment or the next byte. There is no polling anywhere.

What is not about tasks (children, dumps, dead letters ...) are chores. They are done
when they are due, and after changes at most twenty times a second: under load, to look
after them in every tick takes as long as the tasks do.
"""

from __future__ import annotations

import logging
import selectors
import signal
import time

from poussetaches.channel.messages import Configure, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError, IllegalEvent, StartupError, StoreFull
from poussetaches.log import fields
from poussetaches.supervisor.bulletin import Bulletin
from poussetaches.supervisor.children import Child, Children, describe
from poussetaches.supervisor.dispatch import Dispatch
from poussetaches.supervisor.dumper import Dumper
from poussetaches.supervisor.handlers import Handlers
from poussetaches.supervisor.keeper import Keeper
from poussetaches.supervisor.queue_keeper import QueueKeeper
from poussetaches.supervisor.queue_verbs import QueueVerbs
from poussetaches.supervisor.reload import Reload
from poussetaches.supervisor.signals import Signals
from poussetaches.supervisor.stats import Stats
from poussetaches.supervisor.systemd import Keepalive, notify
from poussetaches.supervisor.watchdog import Watchdog

log = logging.getLogger(__name__)

#: How long children may take to leave when they are told to, seconds.
STOP_TIMEOUT = 5.0
#: How long what nobody waits for may stay unsynced, with durability "always", seconds.
LAZINESS = 0.05
#: How long chores may rest after a change, seconds.
REST = 0.05
NEVER = float("inf")


class Supervisor:
    """Everything together. ``run`` it once; it returns when the service has ended."""

    def __init__(
        self,
        config: Config,
        keeper: Keeper,
        children: Children,
        signals: Signals,
        queues: QueueKeeper,
        reload: Reload,
    ) -> None:
        now = time.monotonic()
        self._config = config
        self._keeper = keeper
        self._children = children
        self._signals = signals
        self._watchdog = Watchdog(config.heartbeat_timeout)
        self._keepalive = Keepalive(now)
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals, selectors.EVENT_READ)
        self._dispatch = Dispatch(keeper, children, timeout=config.timeout)
        self._dumper = Dumper(
            keeper,
            interval=config.dump_interval,
            now=now,
            close_sockets=self._close_sockets,
        )
        self._stats = Stats(
            keeper, children, self._dispatch, self._dumper, config, started_at=now
        )
        self._queues = queues
        self._reload = reload
        self._bulletin = Bulletin(queues, children)
        verbs = QueueVerbs(queues, self._bulletin)
        self._handlers = Handlers(keeper, self._dispatch, self._stats, config, verbs)
        self._stopping = False
        #: Whether all that was left has been killed, and whether even that was in vain.
        self._killed = False
        self._given_up = False
        #: When the present step of ending is over, whatever is left; monotonic seconds.
        self._patience = NEVER
        #: When there are chores next, and when they were done last; monotonic seconds.
        self._chores_at = self._chores_done_at = -NEVER
        self._sync_at = NEVER
        self._sync_interval = (
            LAZINESS if config.durability == "always" else config.sync_interval
        )

    def run(self) -> None:
        """Serve until a signal ends it.

        Raises StartupError if a child cannot start, OSError if the store fails: nothing
        that was not on disk has been acknowledged then.
        """
        with self._watchdog:
            self._serve()
            self._keeper.store.close()

    def _serve(self) -> None:
        try:
            self._tick(time.monotonic())
            while not self._is_over():
                now = time.monotonic()
                until = self._due_at(now)
                self._watchdog.rest(until)
                patience = None if until == NEVER else max(0.0, until - now)
                ready = self._selector.select(patience)
                woke = time.monotonic()
                self._watchdog.woke()
                self._stats.sampler.turn()
                self._take(ready)
                if ready:
                    # What has come meanwhile shares the sync, which takes far longer.
                    self._take(self._selector.select(0))
                self._tick(time.monotonic())
                self._stats.ticks.add(time.monotonic() - woke)
        finally:
            self._dumper.abandon()
            self._children.end()

    def _take(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, mask in ready:
            if key.data is None:
                self._heed_signals()
            elif mask & selectors.EVENT_READ:
                self._receive(key.data)

    def _is_over(self) -> bool:
        # Whoever cannot even be killed is left to the operating system.
        return self._stopping and (not len(self._children) or self._given_up)

    # --- one tick ---------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        # No chore: what is due hangs on it, and it costs next to nothing.
        self._keeper.watch_clock()
        has_chores = self._chores_at <= now
        if has_chores:
            self._watchdog.at("chores")
            self._do_chores(now)
        self._end_if_due(now)
        self._watchdog.at("leases")
        self._dispatch.lease(now)
        self._handlers.send_pulses(now)
        self._bulletin.post()
        self._watchdog.at("commit")
        if self._keeper.commit():
            # What has changed may be a chore's business, too.
            self._chores_at = min(self._chores_at, self._chores_done_at + REST)
        # Nothing is sent anywhere but here: what was decided is on disk now.
        for child in self._children:
            if child.peer.has_unsent:
                self._flush(child)
        self._sync(now)
        if has_chores:
            self._do_chores_between_commits(now)

    def _do_chores(self, now: float) -> None:
        for child in self._children.silent(now):
            self._part_with(child, child.fault or "it was silent")
        for child in self._children.reap(now):
            self._bury(child)
        if not self._stopping:
            self._fill(now)
        self._keeper.orphans.hand_back()
        self._keeper.forget()
        self._queues.drop_abandoned()

    def _do_chores_between_commits(self, now: float) -> None:
        if self._dumper.due_at() <= now and not self._dispatch.draining:
            self._watchdog.at("dump")
            self._dumper.begin(now)
        self._keepalive.beat(now)
        self._chores_done_at = now
        self._chores_at = min(
            now + self._keeper.orphans.due_in(),
            now + self._keeper.forget_in(),
            self._children.next_deadline() if not self._stopping else NEVER,
            self._dumper.due_at() if not self._dispatch.draining else NEVER,
            self._keepalive.due_at,
        )

    def _have_chores_done(self) -> None:
        """Something happened that must not wait until chores are due."""
        self._chores_at = -NEVER

    def _due_at(self, now: float) -> float:
        """When the next thing is due, monotonic; infinity: only a byte can bring it."""
        return min(
            self._dispatch.due_at(now), self._chores_at, self._sync_at, self._patience
        )

    def _sync(self, now: float) -> None:
        store = self._keeper.store
        if not store.wants_sync:
            self._sync_at = NEVER
            return
        if self._sync_at == NEVER:
            self._sync_at = now + self._sync_interval
        elif self._sync_at <= now:
            self._watchdog.at("sync")
            store.sync()
            self._sync_at = NEVER

    # --- children ---------------------------------------------------------------------

    def _fill(self, now: float) -> None:
        for child in self._children.fill(now):
            self._selector.register(child.peer, selectors.EVENT_READ, child)
            child.peer.send(Configure(self._config.to_wire()))
            self._bulletin.welcome(child)
            log.info(
                "child started",
                extra=fields(child=child.name, process=child.process.pid),
            )

    def _receive(self, child: Child) -> None:
        try:
            messages = child.peer.receive()
            child.last_heard = time.monotonic()
            for message in messages:
                self._handlers.handle(child, message)
        except ChannelError as error:
            self._part_with(child, error.message)
        except (OSError, IllegalEvent, StoreFull):
            raise  # not the child's doing, and ending before the commit is safe
        except Exception:
            # One child's nonsense must not end the others; the traceback says whose.
            log.exception("a message of %s makes no sense", child.name)
            self._part_with(child, "it sent nonsense")
        if not self._stats.started and self._children.complete():
            self._begin_service()

    def _part_with(self, child: Child, fault: str) -> None:
        self._selector.unregister(child.peer)
        self._children.part_with(child)
        child.fault = fault
        self._have_chores_done()
        # Whether any worker is left is news that does not wait for a heartbeat.
        self._handlers.owe_pulses(self._children)

    def _bury(self, child: Child) -> None:
        """A child's process has ended: what it held goes back."""
        ending = describe(child.process.returncode)
        if self._stopping:
            self._dispatch.hand_back(child)
        else:
            log.warning(
                "child ended",
                extra=fields(
                    child=child.name, how=ending, why=child.reason or child.fault
                ),
            )
            self._dispatch.lose(
                child, f"the worker ended during the attempt ({ending})"
            )
        if not self._stats.started and not self._stopping:
            raise StartupError(f"{child.name} cannot start: {child.reason or ending}")

    def _flush(self, child: Child) -> None:
        try:
            done = child.peer.flush()
        except ChannelError:
            return  # reading from it will say the same, after what it still had to say
        events = selectors.EVENT_READ | (0 if done else selectors.EVENT_WRITE)
        if self._selector.get_key(child.peer).events != events:
            self._selector.modify(child.peer, events, child)

    def _begin_service(self) -> None:
        self._stats.started = True
        self._have_chores_done()
        self._handlers.owe_pulses(self._children)
        queue = self._keeper.queue
        log.info(
            "ready",
            extra=fields(
                waiting=queue.waiting,
                dead=len(queue.dead),
                schedules=len(queue.schedules),
                paused=queue.paused,
            ),
        )
        notify("READY=1", f"STATUS=serving {self._config.bind}")

    def _close_sockets(self) -> None:
        """In the dump writer: it must not keep channels alive that end with us."""
        self._selector.close()
        for child in self._children:
            child.peer.close()
        self._children.close_listener()

    # --- ending -----------------------------------------------------------------------

    def _heed_signals(self) -> None:
        self._have_chores_done()
        for number in self._signals.arrived():
            if number == signal.SIGCHLD:
                # Other children are missed when their channel ends.
                self._dumper.reap(time.monotonic())
                continue
            if number == signal.SIGHUP:
                before, self._config = self._config, self._reload(self._config)
                self._bulletin.configure(before, self._config)
                continue
            name = signal.Signals(number).name
            if not self._dispatch.draining:
                log.info("stopping", extra=fields(signal=name))
                self._drain()
            else:
                log.warning("stopping now", extra=fields(signal=name))
                self._stop()
                self._patience = 0.0

    def _drain(self) -> None:
        """Begin no attempt any more, let those under way end; still take pushes."""
        notify("STOPPING=1")
        self._dispatch.draining = True
        self._handlers.owe_pulses(self._children)
        self._patience = time.monotonic() + self._config.drain_timeout

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            for child in self._children:
                child.peer.send(Stop())
        self._patience = time.monotonic() + STOP_TIMEOUT

    def _end_if_due(self, now: float) -> None:
        if self._stopping:
            if self._patience <= now:
                self._given_up = self._killed
                self._children.kill()
                self._killed = True
                self._patience = now + STOP_TIMEOUT
        elif self._dispatch.draining:
            left = self._dispatch.in_flight
            if left == 0 or self._patience <= now:
                if left:
                    log.warning(
                        "handing back what is unfinished", extra=fields(attempts=left)
                    )
                self._stop()
