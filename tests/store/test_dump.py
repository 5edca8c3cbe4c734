"""The dump: whole, or absent, or refused."""

from __future__ import annotations

import errno
import gc
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from poussetaches.errors import StoreDamaged
from poussetaches.model.events import Cancelled, ClockStepped, Leased, Pushed
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Task, Terms
from poussetaches.store import dump, format
from poussetaches.store.blocks import BlockReader
from poussetaches.store.dump import read_dump, write_dump
from tests.support.faults import fail
from tests.support.queues import NOW, apply, state
from tests.support.stores import RECORDS

NAME = "dump-00000003.msgpack"


@pytest.fixture
def queue() -> TaskQueue:
    """One with something in every place."""
    queue = TaskQueue()
    for record in RECORDS:
        apply(queue, record)
    queue.apply(ClockStepped(NOW, -7.5))
    queue.apply(Pushed("last", NOW, NOW, bytes(range(256)), Terms(-1, "live")))
    queue.apply(Pushed("keyed", NOW, NOW, b"", Terms(key="ended")))
    queue.apply(Cancelled("keyed", NOW))
    assert all([queue.tasks, queue.succeeded, queue.dead, queue.schedules])
    assert [one.key for one in queue.keys.ended()] == ["ended"]
    return queue


def loaded(directory: Path) -> TaskQueue:
    queue = TaskQueue()
    read_dump(str(directory), 3, queue)
    return queue


def refused(directory: Path) -> StoreDamaged:
    """The error with which the dump is refused, and nothing is loaded."""
    queue = TaskQueue()
    with pytest.raises(StoreDamaged) as caught:
        read_dump(str(directory), 3, queue)
    assert state(queue) == state(TaskQueue())
    assert caught.value.path == str(directory / NAME)
    return caught.value


def rewritten(
    path: Path, change: Callable[[list[Any]], list[Any]], queue: TaskQueue
) -> None:
    """Write a dump, then its blocks again after some change to their bodies."""
    write_dump(str(path.parent), 3, queue)
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.DUMP, 3)
    bodies = [block.body for block in BlockReader(str(path), data, salt)]
    blocks = [format.block(msgpack.packb(body), salt) for body in change(bodies)]
    path.write_bytes(data[: format.HEADER_SIZE] + b"".join(blocks))


def test_what_is_dumped_is_loaded(tmp_path: Path, queue: TaskQueue) -> None:
    before = state(queue)
    assert write_dump(str(tmp_path), 3, queue)
    assert [entry.name for entry in tmp_path.iterdir()] == [NAME]
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert state(loaded(tmp_path)) == before == state(queue)


def test_an_empty_queue_is_a_dump_too(tmp_path: Path) -> None:
    assert write_dump(str(tmp_path), 3, TaskQueue())
    assert state(loaded(tmp_path)) == state(TaskQueue())


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_rows_are_spread_over_blocks(
    tmp_path: Path, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(dump, "ROWS", rows)
    for number in range(4):
        queue.apply(Pushed(f"t{number}", NOW, NOW, b""))
    assert write_dump(str(tmp_path), 3, queue)
    assert state(loaded(tmp_path)) == state(queue)


def test_a_block_of_long_rows_has_few(
    tmp_path: Path, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block is built in memory, and its length has four bytes."""
    monkeypatch.setattr(dump, "BLOCK_BYTES", 1000)
    for number in range(40):
        queue.apply(Pushed(f"t{number}", NOW, NOW, bytes(300)))
    write_dump(str(tmp_path), 3, queue)
    data = (tmp_path / NAME).read_bytes()
    salt = format.read_header(NAME, data, format.DUMP, 3)
    blocks = [*BlockReader(NAME, data, salt)]
    assert len(blocks) > 8
    assert max(block.end - block.offset for block in blocks) < 2000
    assert state(loaded(tmp_path)) == state(queue)


def test_a_dump_cut_anywhere_is_refused(tmp_path: Path, queue: TaskQueue) -> None:
    write_dump(str(tmp_path), 3, queue)
    path = tmp_path / NAME
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        error = refused(tmp_path)
        assert error.offset <= length


def test_a_dump_with_any_bit_flipped_is_refused(
    tmp_path: Path, queue: TaskQueue
) -> None:
    write_dump(str(tmp_path), 3, queue)
    path = tmp_path / NAME
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        error = refused(tmp_path)
        assert error.offset <= max(place, format.HEADER.size)


@pytest.mark.parametrize("tail", [b"x", format.MARK, bytes(5) + b"\1"])
def test_a_dump_with_something_after_its_end_is_refused(
    tmp_path: Path, queue: TaskQueue, tail: bytes
) -> None:
    write_dump(str(tmp_path), 3, queue)
    with (tmp_path / NAME).open("ab") as file:
        file.write(tail)
    refused(tmp_path)


@pytest.mark.parametrize("which", range(7))
def test_a_dump_without_one_of_its_blocks_is_refused(
    tmp_path: Path, queue: TaskQueue, which: int
) -> None:
    def drop(bodies: list[Any]) -> list[Any]:
        assert len(bodies) == 7
        return bodies[:which] + bodies[which + 1 :]

    rewritten(tmp_path / NAME, drop, queue)
    refused(tmp_path)


def test_a_dump_is_that_of_its_generation(tmp_path: Path, queue: TaskQueue) -> None:
    write_dump(str(tmp_path), 4, queue)
    (tmp_path / "dump-00000004.msgpack").rename(tmp_path / NAME)
    assert "generation 4" in refused(tmp_path).message


@pytest.mark.parametrize(
    "unknown",
    [
        ["journeys", []],
        ["tasks", [["id"]]],
        ["tasks", [[None] * 99]],
        ["schedules", [[1, 2, 3, 4, 5, 6, 7, 8, 9]]],
        ["queues", [["mail", None, {"colour": "of the future"}, 0.0]]],
        ["queue", {"counts": {"lost": 1}, "paused": False, "skew": 0.0}],
        ["queue", {}],
        "queue",
        7,
    ],
)
def test_a_dump_that_only_a_newer_version_understands_is_refused(
    tmp_path: Path, queue: TaskQueue, unknown: object
) -> None:
    """By name, not by a traceback."""

    def add(bodies: list[Any]) -> list[Any]:
        rows = sum(len(rows) for kind, rows in bodies[1:-1])
        more = unknown[1] if isinstance(unknown, list) else []
        count = rows + (len(more) if isinstance(more, list) else 0)
        return [*bodies[:-1], unknown, ["end", count]]

    rewritten(tmp_path / NAME, add, queue)
    refused(tmp_path)


def test_a_dump_of_before_the_last_moment_was_kept_is_loaded(
    tmp_path: Path, queue: TaskQueue
) -> None:
    def older(bodies: list[Any]) -> list[Any]:
        assert bodies[0][1].pop("latest") == queue.latest
        return bodies

    rewritten(tmp_path / NAME, older, queue)
    assert state(loaded(tmp_path)) == {**state(queue), "latest": 0.0}


def bodies(path: Path) -> list[Any]:
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.DUMP, 3)
    return [block.body for block in BlockReader(str(path), data, salt)]


def test_a_queue_that_is_let_go_of_is_dumped_the_same(
    tmp_path: Path, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same order, and nothing is left of it in the end."""
    monkeypatch.setattr(dump, "LET_GO", 2)
    for number in range(7):
        queue.apply(Pushed(f"t{number}", NOW, NOW, b"", Terms(key=f"k{number}")))
    assert write_dump(str(tmp_path), 3, queue)
    whole = bodies(tmp_path / NAME)
    assert len(queue.keys) == 9
    assert write_dump(str(tmp_path), 3, queue, letting_go=True)
    assert bodies(tmp_path / NAME) == whole
    assert not any([queue.tasks, queue.leased, queue.succeeded, queue.dead])
    # Those of tasks that ended before; each of the others went with its task.
    assert len(queue.keys) == 1


def test_what_was_written_is_free_before_what_follows_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the dump writer would have a copy of everything in the end."""
    monkeypatch.setattr(dump, "LET_GO", 10)
    monkeypatch.setattr(dump, "ROWS", 10)
    queue = TaskQueue()
    for number in range(100):
        queue.apply(Pushed(f"free-{number}", NOW, NOW, b""))
        if number % 3 == 0:
            queue.apply(Leased(f"free-{number}", NOW, 1))
    left: list[int] = []

    def count() -> bool:
        tasks = [one for one in gc.get_objects() if isinstance(one, Task)]
        left.append(sum(task.id.startswith("free-") for task in tasks))
        return True

    assert write_dump(str(tmp_path), 3, queue, letting_go=True, going_on=count)
    # Once before each block, that about the queue and the end among them.
    assert left == pytest.approx([100, *range(90, -1, -10), 0, 0], abs=2)


def test_a_long_dump_reaches_the_disk_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once would hold up the journal, which is synced beside it."""
    monkeypatch.setattr(dump, "SYNC_BYTES", 10_000)
    synced: list[int] = []
    fdatasync = os.fdatasync

    def sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(dump, "ROWS", 1)
    queue = TaskQueue()
    for number in range(10):
        queue.apply(Pushed(f"t{number}", NOW, NOW, bytes(4000)))
    assert write_dump(str(tmp_path), 3, queue)
    size = (tmp_path / NAME).stat().st_size
    assert len(synced) == 3
    gaps = [b - a for a, b in zip([0, *synced], [*synced, size], strict=True)]
    assert max(gaps) < 15_000


def test_a_dump_that_is_given_up_is_not_there(tmp_path: Path, queue: TaskQueue) -> None:
    """Whenever the answer becomes no: also when everything is written but the name."""
    asked = 0

    def count() -> bool:
        nonlocal asked
        asked += 1
        return True

    assert write_dump(str(tmp_path), 3, queue, going_on=count)
    data = (tmp_path / NAME).read_bytes()
    salt = format.read_header(NAME, data, format.DUMP, 3)
    assert asked == 1 + len([*BlockReader(NAME, data, salt)])
    (tmp_path / NAME).unlink()
    for last in range(asked):
        answers = iter([True] * last + [False])
        assert not write_dump(str(tmp_path), 3, queue, going_on=answers.__next__)
        assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("call", ["open", "fsync", "rename"])
def test_a_dump_that_cannot_be_written_is_not_there(
    tmp_path: Path, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, call, errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            write_dump(str(tmp_path), 3, queue)
    assert not (tmp_path / NAME).exists()


def test_a_dump_is_synced_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(fd: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{fd}"))
        size = target.stat().st_size if target.is_file() else None
        steps.append(f"sync {target.name} {size}")
        fsync(fd)

    def renamed(old: str, new: str) -> None:
        steps.append(f"rename {Path(old).name} {Path(new).name}")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write_dump(str(tmp_path), 3, queue)
    size = (tmp_path / NAME).stat().st_size
    assert steps == [
        f"sync {NAME}.tmp {size}",
        f"rename {NAME}.tmp {NAME}",
        f"sync {tmp_path.name} None",
    ]
