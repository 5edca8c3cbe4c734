"""The real program, clients that push, a target; and the check of the whole history.

with Laboratory(trial) as lab:
    lab.let_run(0.5)
    with lab.interruption():
        lab.service.kill(signal.SIGKILL)
        lab.service.wait()
        lab.service.start()
    lab.conclude()
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from poussetaches.model.named_queue import SHARES
from tests.faults.trial import Trial
from tests.faults.witness import Witness
from tests.support.connection import Answer, ask
from tests.support.ledger import History, Interruption, Load, adds_up
from tests.support.receiver import Arrival, Receiver
from tests.support.service import Service, wait_until

#: The target of a task of the load begins with this.
TASK = "/task"
#: Answers after a moment, so that something is always in flight.
QUICK = f"{TASK}?delay=0.005"
#: Connections that push.
CLIENTS = 6
#: What every laboratory has set. What has succeeded is asked for all the time.
SETTINGS = {
    "workers": 2,
    "concurrency": 16,
    "retain_succeeded": 300,
    "drain_timeout": "5s",
}
#: How long everything may take to end when nothing is pushed any more, seconds.
PATIENCE = 60.0
#: Arrivals are fetched after so many seconds.
HARVEST = 3.0

_attempts = re.compile(
    r"(attempt lost|attempt failed|handed back) task=(\w+) attempt=(\d+)"
)
_spared = re.compile(r"attempt does not count task=(\w+) attempt=(\d+)")
_recovered = re.compile(r" recovered .* in_flight=(\d+) ")


#: Of these in turn is one task in ten. ``path`` is of the target.
SPECIALS: Sequence[Mapping[str, object]] = (
    {"countdown": 0.3},
    {"countdown": 0.1},
    {"path": f"{TASK}?status=500", "max_retries": 0},
)


class Laboratory:
    """``path``: of the target; ``rate``: pushes a second; ``specials``: further fields
    of some of them; ``may_raise``: whether a traceback in the log is no anomaly."""

    def __init__(
        self,
        trial: Trial,
        *,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        launcher: Sequence[str] = (),
        path: str = QUICK,
        rate: float = 600.0,
        specials: Sequence[Mapping[str, object]] = SPECIALS,
        may_raise: bool = False,
    ) -> None:
        self.trial = trial
        self.receiver = Receiver()
        self.service = Service(
            trial.folder,
            settings=SETTINGS | dict(settings or {}),
            environment=environment,
            launcher=launcher,
        )
        self._path = path
        self._rate = rate
        self._specials = specials
        self._may_raise = may_raise
        self._stack = ExitStack()
        self._stretch = ExitStack()
        # What follows belongs to the stretch that was begun last.
        self.load: Load
        #: What arrived where the load sends it, and elsewhere.
        self.arrivals: list[Arrival] = []
        self.others: list[Arrival] = []
        self._witness: Witness
        self._interruptions: list[Interruption] = []
        self._harvested_at = 0.0
        self._log_begins = 0
        self._accepted_before = 0
        self._succeeded_before = 0

    def __enter__(self) -> Laboratory:
        try:
            self._stack.enter_context(self.receiver)
            self._stack.enter_context(self.service)
            self.wait_until_replaced(0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._stack:
            self._stretch.close()

    @property
    def _workers(self) -> int:
        return int(str(self.service.settings["workers"]))

    # --- while it runs ----------------------------------------------------------------

    def begin(self) -> None:
        """Have the clients push, until ``conclude``."""
        self.arrivals.clear()
        self.others.clear()
        self._interruptions.clear()
        self._log_begins = self.service.log_path.stat().st_size
        self._accepted_before = self.trial.accepted
        self._succeeded_before = self.stats()["succeeded"]
        self.load = self._stretch.enter_context(
            Load(
                self.service,
                self.receiver.url(self._path),
                connections=CLIENTS,
                rate=self._rate,
                specials=[self._aimed(special) for special in self._specials],
            )
        )
        self._witness = self._stretch.enter_context(Witness(self.service.port))

    def let_run(self, seconds: float) -> None:
        """Let clients push for a while. AssertionError if they cannot."""
        assert not self.load.finished_within(seconds), self.load.faults
        self.trial.accepted = self._accepted_before + len(self.load.accepted)
        self.trial.show(self.trial)
        if time.monotonic() - self._harvested_at > HARVEST:
            self.harvest()

    def push(self, **fields: object) -> Answer:
        """A task beside the load, checked as those are."""
        push = self._aimed({"path": self._path} | fields)
        body = json.dumps(push).encode()
        answer = ask(self.service.port, "POST", "/", body)
        if answer.status == 201:
            self.load.accepted[answer.task] = 0
        return answer

    def _aimed(self, fields: Mapping[str, object]) -> dict[str, object]:
        """With a URL instead of a path."""
        push = dict(fields)
        if "path" in push:
            push["url"] = self.receiver.url(str(push.pop("path")))
        return push

    @contextmanager
    def interruption(self) -> Iterator[None]:
        """Attempts that are under way meanwhile may be made again."""
        began = time.monotonic()
        yield
        self._interruptions.append(Interruption(began, time.monotonic()))

    def stats(self) -> dict[str, Any]:
        """``GET /stats``. Raises OSError."""
        answer = ask(self.service.port, "GET", "/stats")
        if answer.status != 200:
            raise ConnectionError(f"the service answers {answer.status}")
        found: dict[str, Any] = answer.json
        return found

    def ended(self) -> int:
        """How many tasks have, however they did."""
        stats = self.stats()
        return sum(stats[state] for state in ("succeeded", "dead", "cancelled"))

    def children(self) -> dict[str, int]:
        """The pids of the children that are ready, by name; none if nobody answers."""
        try:
            children = self.stats()["children"]
        except OSError:
            return {}
        return {child["name"]: child["pid"] for child in children if child["ready"]}

    def wait_until_replaced(self, pid: int, deadline: float = 20.0) -> None:
        """Until all children are ready, and none of them is ``pid``."""

        def replaced() -> bool:
            assert self.service.is_running(), f"the service ended\n{self.last_words()}"
            children = self.children()
            return len(children) == self._workers + 1 and pid not in children.values()

        wait_until(replaced, deadline, lambda: f"a new child\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the log."""
        return self.service.log[-600:]

    def log_since_begin(self) -> str:
        """What the service has written in this stretch."""
        with self.service.log_path.open("rb") as file:
            file.seek(self._log_begins)
            return file.read().decode(errors="backslashreplace")

    # --- the end ----------------------------------------------------------------------

    def conclude(self) -> None:
        """Push nothing more, let everything end, and check what has happened."""
        self.load.stop()
        stats = self._settled()
        self._stretch.close()
        self.harvest()
        self._check(stats)

    def _check(self, stats: dict[str, Any]) -> None:
        trial, expect = self.trial, self.trial.expect
        history = History(self.load, self.arrivals)
        log = self.log_since_begin()
        cut_off, recovered = _interrupted(log)
        unnamed = history.superseded() - cut_off.keys()
        interrupted = recovered + sum(
            how != "attempt failed" for how in cut_off.values()
        )
        repeats = history.repeats()
        lost = history.lost({*self._listed("dead"), *self._listed("waiting")})

        trial.accepted = self._accepted_before + len(self.load.accepted)
        trial.lost += len(lost)
        trial.repeated = (trial.repeated or 0) + repeats
        expect(not lost, f"{len(lost)} accepted tasks are lost, such as {lost[:3]}")
        for found, what in (
            (history.strangers(), "tasks were delivered that nobody pushed"),
            (
                history.disordered(_not_counted(log)),
                "tasks had attempts whose numbers do not rise",
            ),
            (history.early(), "tasks were delivered before their time"),
            (
                history.unexplained(self._interruptions),
                "tasks were delivered again though nothing interrupted them",
            ),
            (
                history.repeated_after(self._witness.recorded),
                "tasks were delivered again after they were shown as succeeded",
            ),
        ):
            expect(not found, f"{len(found)} {what}, such as {found[:1]}")
        slots = SHARES * self._workers * int(str(self.service.settings["concurrency"]))
        expect(
            repeats <= interrupted <= slots * len(self._interruptions),
            f"{repeats} repeats, {interrupted} attempts interrupted, in"
            f" {len(self._interruptions)} interruptions of at most {slots}",
        )
        expect(
            len(unnamed) <= recovered,
            f"{len(unnamed)} attempts were made again for no reason that is in the log,"
            f" where {recovered} were recovered",
        )
        difference = stats["accounting_difference"]
        expect(difference == 0, f"accounting_difference is {difference}")
        expect(adds_up(stats), f"the numbers do not add up: {stats}")
        succeeded = stats["succeeded"] - self._succeeded_before
        delivered = len(history.delivered) + len(self.others)
        expect(
            succeeded == delivered,
            f"{succeeded} tasks count as succeeded, {delivered} have",
        )
        expect(
            self._may_raise or "Traceback" not in log,
            f"a traceback in {self.service.log_path}",
        )

    def _settled(self) -> dict[str, Any]:
        """The statistics, once nothing waits and nothing is in flight; or at last."""
        ends = time.monotonic() + PATIENCE

        def idle() -> dict[str, Any] | None:
            try:
                stats = self.stats()
            except OSError:
                return None
            is_late = time.monotonic() > ends
            left: int = stats["waiting"] + stats["in_flight"]
            self.trial.expect(
                not is_late or not left,
                f"{left} tasks have not ended {PATIENCE:g} s after the last push",
            )
            return stats if not left or is_late else None

        return wait_until(idle, 2 * PATIENCE, "an answer of the service")

    def harvest(self) -> None:
        """Fetch what has arrived, and keep no more of it than is looked at."""
        for one in self.receiver.take():
            kept = one._replace(head="")
            if one.path.startswith(TASK):
                self.arrivals.append(kept)
            else:
                self.others.append(kept)
        self._harvested_at = time.monotonic()

    def _listed(self, which: str) -> Iterator[str]:
        """The ids of all tasks of a list."""
        cursor = ""
        while True:
            page = ask(self.service.port, "GET", f"/{which}{cursor}").json
            yield from (task["id"] for task in page["tasks"])
            if page["cursor"] is None:
                return
            cursor = f"?cursor={page['cursor']}"

    def stop(self) -> None:
        """Stop the service as its manager would; it must leave well."""
        status = self.service.stop()
        self.trial.expect(status == 0, f"exit status {status} after SIGTERM")


def _interrupted(log: str) -> tuple[dict[tuple[str, int], str], int]:
    """How each attempt ended that did not succeed, as the log names them; and how many
    more were under way when a supervisor died."""
    named = {(task, int(n)): how for how, task, n in _attempts.findall(log)}
    return named, sum(map(int, _recovered.findall(log)))


def _not_counted(log: str) -> set[tuple[str, int]]:
    """Task and number of every attempt that did not count."""
    return {(task, int(number)) for task, number in _spared.findall(log)}
