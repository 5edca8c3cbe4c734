"""The process ends, or the power, between any two steps: one valid state is left.

Which one is known: everything that was acknowledged has happened, in the order in which
it did, and at most what was under way has happened besides.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poussetaches.model.events import Event, Paused, Pushed
from poussetaches.model.queue import TaskQueue
from poussetaches.store import dump, journal
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from tests.support.faults import dies_at
from tests.support.power import Disk
from tests.support.queues import NOW, ranked
from tests.support.stores import RECORDS, opened, recovered, take

State = dict[str, Any]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 1024)
    monkeypatch.setattr(dump, "ROWS", 2)


# --- the process ends ---------------------------------------------------------------


def some_life(directory: Path, told: Callable[[], None]) -> list[State]:
    """Everything that a store does, with ``told`` called after each commit.

    Returns the states between the commits.
    """
    store, queue = opened(directory)
    states = [ranked(queue)]

    def committed(*records: list[Event]) -> None:
        take(store, queue, *records)
        store.commit()
        states.append(ranked(queue))
        told()

    for record in RECORDS[:4]:
        committed(record)
    for number in (1, 2):
        generation = store.rotate()
        committed([Pushed(f"during dump {number}", NOW, NOW, b"")])
        write_dump(str(directory), generation, queue)
        committed(*RECORDS[2 + 2 * number : 4 + 2 * number])
        store.forget_before(generation)
    store.rotate()
    committed(*RECORDS[8:])
    store.close()

    store, queue = opened(directory)
    committed([Pushed("after a restart", NOW, NOW, bytes(2000))])
    store.close()
    return states


# The dump of a generation is made of the queue as it was at the rotation; here it is
# written after a commit to the new journal, as by a fork, so it needs a queue of its own.
