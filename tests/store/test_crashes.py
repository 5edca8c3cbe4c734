"""The process ends, or the power, between any two steps: one valid state is left.

Which one is known: everything that was acknowledged has happened, in the order in which
it did, and at most what was under way has happened besides.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poussetaches.model.events import Event, Pushed
from poussetaches.store import dump, journal
from poussetaches.store.dump import write_dump
from tests.support.faults import dies_at
from tests.support.power import Disk
from tests.support.queues import NOW, ranked
from tests.support.stores import RECORDS, opened, recovered, take

#: How many different cuts are tried at each step.
CUTS = 12


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 1024)
    monkeypatch.setattr(dump, "ROWS", 2)


class Life:
    """Everything that a store does, once over."""

    def __init__(
        self, directory: Path, durability: str, told: Callable[[], None]
    ) -> None:
        self._directory = directory
        self._durability = durability
        #: Called whenever something has become safe.
        self._told = told
        #: The states of the queue, the one that is being made safe included.
        self.states: list[dict[str, Any]] = []
        #: The number of the last one that is safe for sure.
        self.safe = 0

    def live(self) -> None:
        self._open()
        self._commit(*RECORDS[:1])
        for record in RECORDS[1:4]:
            self._commit(record)
        for number in (1, 2):
            then = copy.deepcopy(self._queue)
            generation = self._store.rotate()
            self._is_safe()
            self._commit([Pushed(f"during dump {number}", NOW, NOW, b"")])
            write_dump(str(self._directory), generation, then)
            self._commit(*RECORDS[2 + 2 * number : 4 + 2 * number])
            self._store.forget_before(generation)
        self._store.rotate()
        self._is_safe()
        self._commit(*RECORDS[8:])
        self._store.close()
        self._is_safe()
        self._open()
        self._commit([Pushed("after a restart", NOW, NOW, bytes(2000))])
        self._commit([Pushed("and more", NOW, NOW, bytes(100))])
        self._store.close()
        self._is_safe()

    def _open(self) -> None:
        self._store, self._queue = opened(self._directory, self._durability)
        if not self.states:
            self.states.append(ranked(self._queue))

    def _commit(self, *records: list[Event]) -> None:
        take(self._store, self._queue, *records)
        self.states.append(ranked(self._queue))
        self._store.commit()
        if self._durability == "always":
            self._is_safe()

    def _is_safe(self) -> None:
        self.safe = len(self.states) - 1
        self._told()


def test_a_process_may_end_before_any_of_its_steps(tmp_path: Path) -> None:
    whole = Life(tmp_path / "whole", "always", lambda: None)
    whole.live()
    for step in itertools.count(1):
        directory = tmp_path / str(step)
        reader, writer = os.pipe()

        def tell(life: Life, to: int = writer) -> None:
            os.write(to, bytes([life.safe]))

        def deed(
            directory: Path = directory, tell: Callable[[Life], None] = tell
        ) -> None:
            life = Life(directory, "always", lambda: tell(life))
            life.live()

        died = dies_at(step, deed)
        os.close(writer)
        told = os.read(reader, 1000)
        os.close(reader)
        safe = told[-1] if told else 0
        queue, _ = recovered(directory)
        number = whole.states.index(ranked(queue))
        assert number in (safe, safe + 1)
        again, found = recovered(directory)
        assert (ranked(again), found.torn) == (ranked(queue), 0)
        assert not [path for path in directory.iterdir() if path.suffix == ".tmp"]
        if not died:
            assert number == safe == len(whole.states) - 1
            break
        shutil.rmtree(directory)
    assert step > 50


@pytest.mark.parametrize("durability", ["always", "interval"])
def test_the_power_may_be_cut_before_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """With interval as with always: what was synced is safe, and no hole is left."""
    (tmp_path / "data").mkdir()
    draw = random.Random(20260101)
    seen: set[int] = set()
    with monkeypatch.context() as patch:
        disk = Disk(patch, tmp_path / "data")
        life = Life(tmp_path / "data", durability, lambda: None)
        steps = 0

        def cut() -> None:
            nonlocal steps
            steps += 1
            disk.before_change = lambda: None
            for _ in range(CUTS):
                after = tmp_path / "after"
                disk.cut(draw, after)
                queue, _ = recovered(after)
                number = life.states.index(ranked(queue)) if life.states else 0
                assert life.safe <= number < max(1, len(life.states))
                seen.add(number)
                shutil.rmtree(after)
            disk.before_change = cut

        disk.before_change = cut
        life.live()
        disk.close()
    assert steps > 50
    assert seen == set(range(len(life.states)))
