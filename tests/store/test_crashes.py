"""The process ends, or the power, between any two steps: one valid state is left.

Which one is known: everything that was acknowledged has happened, in the order in which
it did, and at most what was under way has happened besides.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from poussetaches.store import dump, journal
from tests.support.faults import dies_at
from tests.support.histories import RandomHistory, ScriptedHistory, StoreHistory
from tests.support.power import Disk
from tests.support.queues import ranked
from tests.support.scale import times
from tests.support.stores import recovered

#: How many different cuts are tried at each step; there are more than fifty.
CUTS = times(12, 200)
#: In how many lives a process ends before each of its steps.
LIVES = times(1, 20)


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 1024)
    monkeypatch.setattr(dump, "ROWS", 2)


def history(number: int, directory: Path, told: Callable[[], None]) -> StoreHistory:
    """The first life has everything in it; the others are any lives."""
    if number == 0:
        return ScriptedHistory(directory, "always", told)
    return RandomHistory(directory, "always", told, random.Random(number))


@pytest.mark.parametrize("number", range(LIVES))
def test_a_process_may_end_before_any_of_its_steps(tmp_path: Path, number: int) -> None:
    whole = history(number, tmp_path / "whole", lambda: None)
    whole.live()
    for step in itertools.count(1):
        directory = tmp_path / str(step)
        reader, writer = os.pipe()

        def deed(directory: Path = directory, to: int = writer) -> None:
            def tell() -> None:
                os.write(to, bytes([life.safe]))

            life = history(number, directory, tell)
            life.live()

        died = dies_at(step, deed)
        os.close(writer)
        told = os.read(reader, 1000)
        os.close(reader)
        safe = told[-1] if told else 0
        queue, _ = recovered(directory)
        left = whole.states.index(ranked(queue))
        assert left in (safe, safe + 1)
        again, found = recovered(directory)
        assert (ranked(again), found.torn) == (ranked(queue), 0)
        assert not [path for path in directory.iterdir() if path.suffix == ".tmp"]
        if not died:
            assert left == safe == len(whole.states) - 1
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
        life = ScriptedHistory(tmp_path / "data", durability, lambda: None)
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
    assert steps * CUTS > 500
    assert seen == set(range(len(life.states)))
