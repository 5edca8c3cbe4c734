"""``tune``'s trials: the real service, once for every setting, with a backlog to drain.

The data directory is the same for all, so what one setting leaves of the backlog is
there for the next. Every task has one attempt only, so no more requests are made than
tasks are pushed.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poussetaches.cli.own_service import OwnService
from poussetaches.cli.port import free_port
from poussetaches.cli.service import Service
from poussetaches.cli.tune_look import Look
from poussetaches.cli.tune_plan import Point, Setting, is_failing
from poussetaches.cli.tune_pusher import Pushed, push

#: How long an attempt may take, seconds. One that takes longer has failed.
ATTEMPT_TIMEOUT = 10.0
#: Looks at the service during a trial: enough to see the end of the backlog in time.
LOOKS = 20
#: Tasks pushed in one request.
BATCH = 1000
#: What pushing is of a trial, for those who watch.
HALF = 0.5
#: How much faster a setting may be than the best one before it: twice, and something.
LEAP = 2.2
#: Tasks worth the trouble, at least.
LEAST_BACKLOG = 200


@dataclass
class Trials:
    """Their circumstances. Every method raises Interrupted, which comes from ``pause``,
    and PousseTachesError if the service fails."""

    #: Of the service; for nothing else.
    folder: Path
    url: str
    #: What each task carries.
    payload: bytes
    #: Sent to the target.
    auth_key: str
    durability: str
    #: How long each setting is measured.
    seconds: float
    #: How many tasks may be pushed yet, and how many for one setting.
    allowance: int
    most_backlog: int
    #: Waits so many seconds.
    pause: Callable[[float], object]
    #: Hears what is being done, and how far that is, 0 to 1.
    tell: Callable[[str, float], None]
    #: What became of an attempt when the target failed.
    failure: str = ""

    def measure_pushes(self) -> Pushed:
        """How many single pushes the service takes with ``durability = always``."""
        with self._service(Setting(1, 1), "always") as (_, port):
            count = min(self.allowance, self.most_backlog)
            return self._push(port, count)

    def measure(self, setting: Setting, best: float) -> Point | None:
        """Drain with a setting; None if nothing may be pushed any more.

        ``best``: the highest rate so far, tasks a second.
        """
        name = f"{setting}:"
        self.tell(f"{name} starting", 0.0)
        with self._service(setting, self.durability) as (control, _):
            wanted = max(LEAST_BACKLOG, int(best * LEAP * self.seconds))
            missing = min(wanted, self.most_backlog) - control.get("/stats")["waiting"]
            if (count := min(missing, self.allowance)) > 0:
                self._fill(control, count, name)
            first = Look.at(control)
            if not first.waiting:
                return None
            control.post("/resume")
            last = self._watch(control, first, name)
            point = last.since(first, setting)
            control.post("/pause")
            self._settle(control, name)
            if point.is_failing:
                self.failure = last_error(next(control.tasks("dead", 1), None))
        return point

    @contextmanager
    def _service(
        self, setting: Setting, durability: str
    ) -> Iterator[tuple[Service, int]]:
        """A service and its port, once it is ready."""
        port = free_port(0)
        settings = {
            "workers": str(setting.workers),
            "concurrency": str(setting.concurrency),
            "durability": durability,
            "start_paused": "yes",
            "timeout": f"{ATTEMPT_TIMEOUT:g}s",
            "drain_timeout": "1s",
            # A dump would only disturb what is measured.
            "dump_interval": "720h",
            "log_level": "warning",
        }
        with OwnService(
            self.folder, port, settings, self.auth_key, tied=True
        ) as service:
            service.wait_until_ready(setting.workers, self.pause)
            yield Service(service.url), port

    def _push(self, port: int, count: int) -> Pushed:
        def tell(accepted: int) -> None:
            self.tell("pushing", accepted / count)
            self.pause(0)

        pushed = push(port, self._task(), count, seconds=self.seconds, tell=tell)
        self.allowance -= pushed.tasks
        return pushed

    def _fill(self, control: Service, count: int, name: str) -> None:
        """Have so many tasks more in the backlog."""
        batch = json.dumps([self._task()] * BATCH).encode()
        for left in range(count, 0, -BATCH):
            if left < BATCH:
                batch = json.dumps([self._task()] * left).encode()
            control.push_batch(batch)
            self.allowance -= min(left, BATCH)
            self.tell(f"{name} pushing", HALF * (1 - left / count))
            self.pause(0)

    def _task(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "payload": b64encode(self.payload).decode(),
            "max_retries": 0,
        }

    def _watch(self, control: Service, first: Look, name: str) -> Look:
        """The last look while there is something to do, or when it is enough."""
        last = first
        while True:
            self.pause(self.seconds / LOOKS)
            look = Look.at(control)
            passed = look.uptime - first.uptime
            share = min(1.0, passed / self.seconds)
            self.tell(f"{name} delivering", HALF + HALF * share)
            if not look.waiting and last is not first:
                # Since then the workers may have had nothing to do.
                return last
            ended = look.succeeded - first.succeeded, look.failed - first.failed
            # Where attempts are slow, one of them has to end at least.
            enough = self.seconds if any(ended) else ATTEMPT_TIMEOUT + 1
            if passed >= enough or is_failing(*ended):
                return look
            if not look.waiting and any(ended):
                return look
            last = look

    def _settle(self, control: Service, name: str) -> None:
        """Wait for the attempts under way: their tasks are done with then."""
        for _ in range(int(ATTEMPT_TIMEOUT / 0.05) + LOOKS):
            if not control.get("/")["in_flight"]:
                return
            self.tell(f"{name} waiting for attempts under way", 1.0)
            self.pause(0.05)


def last_error(task: Mapping[str, Any] | None) -> str:
    """What a dead task, as the service lists it, died of."""
    if task is None:
        return f"no attempt ended within {ATTEMPT_TIMEOUT:g} s"
    text = b64decode(task["last_error_body"] or "").decode("utf-8", "replace").strip()
    status = task["last_error_status_code"]
    return f"status {status} {text[:200]}".strip() if status else text
