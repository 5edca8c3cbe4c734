"""A torn tail: what becomes of it, and what a crash during that may leave."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from poussetaches.model.events import Pushed
from poussetaches.store import journal, torn
from poussetaches.store.inspection import inspect
from tests.support.faults import dies_at, fail
from tests.support.power import Disk
from tests.support.queues import NOW, ranked
from tests.support.scale import times
from tests.support.stores import (
    Life,
    copied,
    killed,
    lived,
    opened,
    recovered,
    take,
)

#: The record that is torn in most of these tests; it is longer than a push.
FIRST = 4
#: How many different cuts are tried at each step.
CUTS = times(20, 200)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 1024)
    monkeypatch.setattr(journal, "PIECE", 64)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """A power cut has left a hole: whole blocks follow on a torn one."""
    life = lived(tmp_path / "data", "interval")
    data = bytearray(life.journal.read_bytes())
    data[life.ends[FIRST] + 30] ^= 1
    life.journal.write_bytes(data + bytes(100))
    return life


def kept_in(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.torn-*"))


# --- what is cut off is kept --------------------------------------------------------


def test_what_is_cut_off_is_kept(life: Life) -> None:
    data = life.journal.read_bytes()
    begin, end = life.ends[FIRST], life.ends[-1]
    queue, found = recovered(life.directory)
    assert ranked(queue) == life.states[FIRST]
    (kept,) = kept_in(life.directory)
    assert found.kept == kept.name == f"journal-00000001.torn-{begin}"
    assert kept.read_bytes() == data[begin:end].rstrip(b"\0")
    assert kept.stat().st_mode & 0o777 == 0o600
    again, found = recovered(life.directory)
    assert (ranked(again), found.torn, found.kept) == (ranked(queue), 0, None)


def test_what_was_kept_can_be_put_back(life: Life) -> None:
    data = life.journal.read_bytes()
    recovered(life.directory)
    (kept,) = kept_in(life.directory)
    with life.journal.open("r+b") as file:
        file.seek(int(kept.suffix.removeprefix(".torn-")))
        file.write(kept.read_bytes())
    assert life.journal.read_bytes() == data.rstrip(b"\0")


def test_a_look_into_the_directory_does_not_mind_it(life: Life) -> None:
    recovered(life.directory)
    found = inspect(
        str(life.directory), retain_succeeded=9, in_use=False, step=lambda n: None
    )
    assert (found.faults, found.others) == ([], [])
    assert found.kept == [kept_in(life.directory)[0].name]


def test_what_is_kept_already_is_not_written_again(life: Life) -> None:
    """A crash while it was cut off may have left less of it."""
    kept = life.directory / f"journal-00000001.torn-{life.ends[FIRST]}"
    kept.write_bytes(b"all of it")
    recovered(life.directory)
    assert kept.read_bytes() == b"all of it"


@pytest.mark.parametrize("limit", ["files", "bytes"])
def test_the_oldest_goes_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    life = lived(tmp_path / "data")
    if limit == "files":
        monkeypatch.setattr(torn, "MOST_FILES", 3)
    else:
        monkeypatch.setattr(torn, "MOST_BYTES", 3 * 200)
    for number in range(5):
        data = life.journal.read_bytes()
        life.journal.write_bytes(data + b"x" * 200)
        _, found = recovered(life.directory)
        assert found.torn == 200
        kept = kept_in(life.directory)
        assert len(kept) == min(3, number + 1)
        assert found.kept in [path.name for path in kept]
        os.utime(life.directory / found.kept, ns=(number, number))
        store, queue = opened(life.directory)
        take(store, queue, [Pushed(f"t{number}", NOW, NOW, b"")])
        store.commit()
        killed(store)
    assert kept_in(life.directory)[0].stat().st_mtime_ns == 2


@pytest.mark.parametrize("call", ["open", "pwrite", "fsync", "rename"])
def test_no_start_fails_because_it_cannot_be_kept(
    life: Life,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, call, errno.ENOSPC, once=True)
        queue, found = recovered(life.directory)
    assert ranked(queue) == life.states[FIRST]
    assert (kept_in(life.directory), found.kept) == ([], None)
    assert "not kept: [Errno 28] No space left on device" in caplog.text
    assert not list(life.directory.glob("*.tmp"))


# --- what is allocated stays --------------------------------------------------------


@pytest.mark.parametrize("tail", [b"", b"torn"])
def test_what_was_allocated_is_there_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tail: bytes
) -> None:
    store, queue = opened(tmp_path / "data")
    store.append([Pushed("a", NOW, NOW, b"")], spare=5000)
    store.commit()
    left = copied(tmp_path / "data", tmp_path / "left")
    store.close()
    path = left / "journal-00000001.msgpack"
    end = len(path.read_bytes().rstrip(b"\0"))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(end)
        file.write(tail)
    store, queue = opened(left)
    assert path.stat().st_size == size
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.ENOSPC)
        take(store, queue, [Pushed("b", NOW, NOW, bytes(4900))])
        store.commit()
    store.close()
    assert ranked(recovered(left)[0]) == ranked(queue)


@pytest.mark.parametrize("is_full", [False, True])
def test_what_only_seems_to_be_allocated_is_not_relied_upon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """As in a copy of the directory, which may have holes."""
    life = lived(tmp_path / "data")
    os.truncate(life.journal, 100_000)
    assert life.journal.stat().st_blocks * 512 < 100_000
    with monkeypatch.context() as patch:
        if is_full:
            fail(patch, "posix_fallocate", errno.ENOSPC)
        store, _ = opened(life.directory)
    if is_full:
        assert store._journal.room == 0
        assert life.journal.stat().st_size == life.ends[-1]
    else:
        assert store._journal.room == 100_000 - life.ends[-1]
        assert life.journal.stat().st_blocks * 512 >= 100_000
    store.close()


def test_a_torn_tail_that_cannot_be_made_zero_is_cut_with_the_room_behind_it(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing over what is there needs room."""
    with monkeypatch.context() as patch:
        fail(patch, "pwrite", errno.ENOSPC, at=2)
        monkeypatch.setattr("poussetaches.store.recovery.keep_torn", lambda *_: None)
        queue, found = recovered(life.directory)
    assert ranked(queue) == life.states[FIRST]
    assert found.torn > 64
    assert life.journal.stat().st_size == life.ends[FIRST]


# --- a crash while it is cut off ----------------------------------------------------


def test_the_power_may_be_cut_again_at_every_step(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was cut off never comes back: it is gone from the disk before anything is
    written in its place."""
    draw = random.Random(8)
    states = [life.states[FIRST]]
    seen = set()
    torn_at: list[bool] = []
    with monkeypatch.context() as patch:
        disk = Disk(patch, life.directory)

        def cut() -> None:
            disk.before_change = lambda: None
            torn = False
            for _ in range(CUTS):
                after = tmp_path / "after"
                disk.cut(draw, after)
                queue, found = recovered(after)
                seen.add(states.index(ranked(queue)))
                torn |= found.torn > 0
                shutil.rmtree(after)
            torn_at.append(torn)
            disk.before_change = cut

        disk.before_change = cut
        store, queue = opened(life.directory, "interval")
        before = len(torn_at)
        for id in ("m", "n"):
            take(store, queue, [Pushed(id, NOW, NOW, b"")])
            states.append(ranked(queue))
            # Before anything of it is written.
            cut()
            store.commit()
        store.close()
        disk.close()
    assert before > 10
    assert all(torn_at[:before])
    assert not torn_at[before]
    assert seen == {0, 1, 2}


def test_a_process_may_end_at_every_step(life: Life, tmp_path: Path) -> None:
    """What is kept of the torn tail is all of it."""
    data = life.journal.read_bytes()[life.ends[FIRST] : life.ends[-1]]
    for step in itertools.count(1):
        left = copied(life.directory, tmp_path / str(step))
        died = dies_at(step, partial(recovered, left))
        queue, _ = recovered(left)
        assert ranked(queue) == life.states[FIRST]
        assert [one.read_bytes() for one in kept_in(left)] == [data.rstrip(b"\0")]
        assert not list(left.glob("*.tmp"))
        if not died:
            break
        shutil.rmtree(left)
    assert step > 10
