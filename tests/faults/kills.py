"""Processes that are killed, stopped, frozen, or die by themselves."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import Laboratory
from tests.support.processes import usage
from tests.support.service import wait_until

#: Found silent after so long, seconds.
HEARTBEAT_TIMEOUT = 1.0
#: A worker that is stopped is gone after so long, seconds, also on a busy machine.
FOUND = 3 * HEARTBEAT_TIMEOUT
SHORT_HEARTBEAT = {"heartbeat_timeout": f"{HEARTBEAT_TIMEOUT}s"}

#: Has every dump take a moment, so that it can be met in the middle.
SLOW_DUMP = """
import os, time
def slowly(fd, supervisor=os.getpid(), fsync=os.fsync):
    if os.getpid() != supervisor:
        time.sleep(0.05)
    fsync(fd)
os.fsync = slowly
"""
#: Ends the first worker at once while a file is there.
MORTAL = """
import os
if sys.orig_argv[-2] == "1" and os.path.exists({path!r}):
    os._exit(7)
"""
#: So often in a row.
DEATHS = 5
#: A child that is killed again and again is replaced ever more slowly, until one has
#: lived for so long, seconds. Of some that are killed one is let live.
LONG_LIFE = 1.1
SOME = 4


class SupervisorKilled(ServiceFault):
    name = "supervisor killed (kill -9)"
    times = 12
    rate = 1500
    pause = (0.1, 1.3)

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"supervisor": SLOW_DUMP}

    def inject(self, lab: Laboratory) -> None:
        """Every other time while a dump is written."""
        settings = lab.service.settings
        if settings.get("dump_interval") == "0.1s":
            wait_until(lambda: list(lab.service.data_dir.glob("dump-*.tmp")))
        with lab.interruption():
            lab.service.kill(signal.SIGKILL)
            lab.service.wait()
            settings["dump_interval"] = "5m" if lab.trial.injected % 2 else "0.1s"
            lab.service.start()


class ApiKilled(ServiceFault):
    name = "api killed (kill -9)"
    times = 5

    def inject(self, lab: Laboratory) -> None:
        """The attempts under way are none of its business: none is made again."""
        _let_live(lab)
        pid = lab.children()["api-1"]
        os.kill(pid, signal.SIGKILL)
        lab.wait_until_replaced(pid)


class WorkerKilled(ServiceFault):
    name = "worker killed (kill -9)"
    times = 5

    def inject(self, lab: Laboratory) -> None:
        _let_live(lab)
        pid = lab.children()[lab.trial.dice.choice(["worker-1", "worker-2"])]
        with lab.interruption():
            os.kill(pid, signal.SIGKILL)
            lab.wait_until_replaced(pid)


class WorkerStopped(ServiceFault):
    name = "worker stopped (SIGSTOP)"
    times = 2
    settings = SHORT_HEARTBEAT

    def inject(self, lab: Laboratory) -> None:
        pid = lab.children()["worker-2"]
        told = lab.service.log.count("child ended child=worker-2")
        with lab.interruption():
            began = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            wait_until(
                lambda: lab.service.log.count("child ended child=worker-2") > told
            )
            took = time.monotonic() - began
            lab.wait_until_replaced(pid)
        lab.trial.expect(took < FOUND, f"a stopped worker was found after {took:.1f} s")


class DumpWriterKilled(ServiceFault):
    name = "dump writer killed (kill -9)"
    times = 4
    settings: ClassVar[Mapping[str, object]] = {"dump_interval": "0.1s"}

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"supervisor": SLOW_DUMP}

    def inject(self, lab: Laboratory) -> None:
        told = lab.service.log.count("killed by SIGKILL")

        def kill() -> bool:
            children = set(lab.children().values())
            for pid in set(lab.service.children()) - children if children else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return lab.service.log.count("killed by SIGKILL") > told

        wait_until(kill)

    def verify(self, lab: Laboratory) -> None:
        children = lab.stats()["restarts"]
        lab.trial.expect(children == 0, f"{children} children were replaced, too")


class Frozen(ServiceFault):
    name = "whole service frozen and thawed"
    times = 2
    settings = SHORT_HEARTBEAT

    def inject(self, lab: Laboratory) -> None:
        """For longer than a child may be silent: none is to be blamed for it."""
        children = lab.children()
        pids = [lab.service.pid, *children.values()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        lab.let_run(1.5 * HEARTBEAT_TIMEOUT)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        wait_until(lab.children)
        lab.let_run(1.5 * HEARTBEAT_TIMEOUT)
        lab.trial.expect(lab.children() == children, "a child was blamed for the frost")


class WorkerDiesAtOnce(ServiceFault):
    name = "worker dies in its first 10 ms"
    times = 1

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"worker": MORTAL.format(path=str(folder / "mortal"))}

    def inject(self, lab: Laboratory) -> None:
        """Some times in a row, while the other one works."""
        mortal = lab.trial.folder / "mortal"
        pid = lab.children()["worker-1"]
        before = lab.stats()["succeeded"]
        told = lab.service.log.count("child ended child=worker-1")
        mortal.touch()
        with lab.interruption():
            os.kill(pid, signal.SIGKILL)
            for number in range(1, DEATHS + 1):
                ended = told + 1 + number

                def died(ended: int = ended) -> bool:
                    return lab.service.log.count("child ended child=worker-1") >= ended

                wait_until(died, 20)
                if number < DEATHS:
                    lab.trial.count()
            mortal.unlink()
            lab.wait_until_replaced(pid)
        done = lab.stats()["succeeded"] - before
        lab.trial.expect(
            done > 100, f"the other worker did only {done} tasks meanwhile"
        )
        lab.let_run(LONG_LIFE)


class WorkerOutOfMemory(ServiceFault):
    name = "worker out of memory (RLIMIT_AS)"
    times = 2
    may_raise = True

    def inject(self, lab: Laboratory) -> None:
        """No allocation of some size succeeds any more; then it is killed, as the
        system would do with it."""
        pid = lab.children()["worker-1"]
        with lab.interruption():
            _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
            resource.prlimit(pid, resource.RLIMIT_AS, (usage(pid).memory, hard))
            for _ in range(4):
                lab.push(payload="YWFh" * 500_000)
            lab.let_run(0.5)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            lab.wait_until_replaced(pid)


def _let_live(lab: Laboratory) -> None:
    """Now and then."""
    if lab.trial.injected % SOME == SOME - 1:
        lab.let_run(LONG_LIFE)
