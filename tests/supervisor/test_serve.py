"""Putting the service together."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from poussetaches.config import Config
from poussetaches.model.task import Submission
from poussetaches.supervisor import serve


@pytest.fixture
def collector() -> Iterator[list[int]]:
    """The generations that are collected; afterwards all is as before."""
    thresholds = gc.get_threshold()
    collected: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            collected.append(info["generation"])

    gc.callbacks.append(note)
    yield collected
    gc.callbacks.remove(note)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_no_collection_of_garbage_looks_at_all_tasks(
    tmp_path: Path, collector: list[int]
) -> None:
    """With a million of them it would be a stall of 0.3 seconds, in vain."""
    config = Config.load(None, {}, {"data_dir": str(tmp_path)})
    keeper = serve._recover(config)
    gc.set_threshold(10, 2, gc.get_threshold()[2])
    collector.clear()
    for number in range(5000):
        keeper.push(Submission(f"{number:032x}", b"spec"))
    assert {0, 1} == set(collector)
    keeper.store.close()
