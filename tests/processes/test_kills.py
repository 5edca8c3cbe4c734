"""kill -9 under load: nothing that was accepted is lost.

Some kills of each kind. Hundreds, and whatever else may befall the service, are the
business of the campaign in ``tests/faults``.
"""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from tests.support.connection import ask
from tests.support.ledger import History, Interruption, Load, adds_up, settled
from tests.support.processes import processes
from tests.support.receiver import Receiver
from tests.support.scale import times
from tests.support.service import Service, wait_until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.process

#: Attempts that one worker can make at once.
SLOTS = 16
#: Of the target. It answers after a moment, so that something is always in flight.
PATH = "/?delay=0.005"


def test_nothing_is_lost_while_children_are_killed(
    tmp_path: Path, receiver: Receiver
) -> None:
    """First a worker, then the api, then any child of the three, under pushes."""
    dice = random.Random(1)
    names = ["worker-1", "api-1"]
    names += [
        dice.choice(["api-1", "worker-1", "worker-2"]) for _ in range(times(1, 20))
    ]
    cuts = []
    replaced_after = []
    with Service(tmp_path, settings={"workers": 2}) as service:
        ready = wait_until(lambda: _all_ready(service))
        with Load(service, receiver.url(PATH), rate=800) as load:
            for name in names:
                assert not load.finished_within(0.4)
                killed_at = time.monotonic()
                os.kill(ready[name], signal.SIGKILL)
                ready = wait_until(partial(_all_ready, service, but=ready[name]))
                cuts.append(Interruption(killed_at, time.monotonic()))
                replaced_after.append(time.monotonic() - killed_at)
        stats = settled(service)
        status = service.get("/").json()
        lost_attempts = _lost_attempts(service.log)
    history = History(load, receiver.arrivals())
    assert history.lost() == []
    assert history.strangers() == []
    assert history.disordered() == []
    assert history.unexplained(cuts) == []
    # What was in flight when a worker died was made again, and nothing else was.
    assert history.superseded() == lost_attempts
    assert len(lost_attempts) == stats["attempts"]["lost"] <= SLOTS * len(names)
    assert stats["attempts"]["late"] == stats["attempts"]["failed"] == 0
    assert stats["accounting_difference"] == 0
    assert adds_up(status)
    assert stats["restarts"] == len(names)
    log.info(
        "%d accepted, %d unanswered, %d repeats; replaced after %s",
        len(load.accepted),
        len(load.unanswered),
        history.repeats(),
        _rounded(replaced_after),
    )
    # The next one is begun at once, or after a moment if the last was short-lived.
    assert max(_pauses(service.log)) < 1
    # What is more is the start of an interpreter, and whatever else the machine does.
    assert min(replaced_after) < 3


def test_nothing_is_lost_when_the_supervisor_is_killed(
    tmp_path: Path, receiver: Receiver
) -> None:
    """At random moments, half of them full of dumps, whatever the durability; each time
    it is started again at once, while the children of the last one may still be there.
    """
    dice = random.Random(2)
    cuts = []
    orphans_gone_after = []
    with Service(tmp_path, settings={"workers": 1}) as service:
        with Load(service, receiver.url(PATH), rate=1000) as load:
            for turn in range(times(4, 20)):
                assert not load.finished_within(dice.uniform(0.05, 0.5))
                children = set(service.children())
                service.settings |= {
                    "dump_interval": ["0.1s", "5m"][turn % 2],
                    "durability": dice.choice(["always", "interval", "off"]),
                }
                killed_at = time.monotonic()
                service.kill(signal.SIGKILL)
                service.wait()
                service.launch()
                wait_until(partial(_gone, children))
                orphans_gone_after.append(time.monotonic() - killed_at)
                service.wait_until_it_answers()
                cuts.append(Interruption(killed_at, time.monotonic()))
        stats = settled(service)
        status = service.get("/").json()
        in_flight = sum(map(int, re.findall(r" in_flight=(\d+) ", service.log)))
    history = History(load, receiver.arrivals())
    assert history.lost() == []
    assert history.strangers() == []
    assert history.disordered() == []
    assert history.unexplained(cuts) == []
    # What was in flight when the supervisor died was made again, and nothing else was.
    assert len(history.superseded()) == in_flight <= SLOTS * len(cuts)
    assert stats["attempts"]["failed"] == stats["attempts"]["late"] == 0
    assert stats["accounting_difference"] == 0
    assert adds_up(status)
    log.info(
        "%d accepted, %d unanswered, %d in flight at the kills, %d repeats;"
        " orphans gone after %s, back after %s",
        len(load.accepted),
        len(load.unanswered),
        in_flight,
        history.repeats(),
        _rounded(orphans_gone_after),
        _rounded([cut.ended - cut.began for cut in cuts]),
    )
    assert median(orphans_gone_after) < 2


def _all_ready(service: Service, *, but: int = 0) -> dict[str, int]:
    """The pids of the children by name, if the three are all ready and none is
    ``but``; else nothing."""
    try:
        stats = ask(service.port, "GET", "/stats").json
    except OSError:
        return {}
    assert stats["accounting_difference"] == 0
    assert adds_up(stats)
    ready = {
        child["name"]: child["pid"] for child in stats["children"] if child["ready"]
    }
    return ready if len(ready) == 3 and but not in ready.values() else {}


def _gone(pids: set[int]) -> bool:
    return not any(one.pid in pids for one in processes())


def _lost_attempts(log: str) -> set[tuple[str, int]]:
    """Task and attempt of what was in flight at the death of a worker."""
    found = re.findall(r"attempt lost task=(\w+) attempt=(\d+)", log)
    return {(task, int(attempt)) for task, attempt in found}


def _pauses(log: str) -> list[float]:
    """Seconds from the end of each child to the start of the one in its place."""
    events = re.findall(
        r"^(.+) supervisor\[\d+\] \w+ child (ended|started) child=(\S+)", log, re.M
    )
    ends: dict[str, datetime] = {}
    pauses = []
    for moment, event, name in events:
        at = datetime.fromisoformat(moment)
        if event == "ended":
            ends[name] = at
        elif name in ends:
            pauses.append((at - ends.pop(name)).total_seconds())
    return pauses


def _rounded(seconds: list[float]) -> list[float]:
    return sorted(round(one, 3) for one in seconds)
