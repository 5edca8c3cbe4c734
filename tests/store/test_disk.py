"""The store as the supervisor uses it, and as the disk fails it."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poussetaches.errors import StoreDamaged, StoreError, StoreFull, StoreLocked
from poussetaches.model.events import Event, Paused, Pushed, Resumed
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format, journal
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from tests.support.faults import fail, write_short
from tests.support.queues import NOW, apply, ranked
from tests.support.small_disk import small_disk
from tests.support.stores import RECORDS, copied, lived, opened, recovered, take

CHUNK = 4096
#: What a store that is closed writes at the end of its journal, bytes.
END = format.BLOCK.size + format.ARRAY.size


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", CHUNK)


def pushed(id: str, size: int = 0) -> list[Event]:
    return [Pushed(id, NOW, NOW, bytes(size))]


def on_disk(directory: Path, to: Path) -> set[str]:
    """The ids of the tasks that a crash at this moment leaves."""
    queue, _ = recovered(copied(directory, to))
    return set(queue.tasks)


# --- its life -----------------------------------------------------------------------


def test_a_new_store_is_empty(tmp_path: Path) -> None:
    store, queue = opened(tmp_path / "data")
    assert (store.generation, store.journal_size, store.has_news) == (1, 24, False)
    assert ranked(queue) == ranked(TaskQueue())
    store.close()


def test_what_is_committed_is_there_after_a_crash_and_what_is_not_is_not(
    tmp_path: Path,
) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("a"), pushed("b"))
    assert on_disk(tmp_path / "data", tmp_path / "before") == set()
    store.commit()
    take(store, queue, pushed("c"))
    assert on_disk(tmp_path / "data", tmp_path / "after") == {"a", "b"}
    store.close()
    assert on_disk(tmp_path / "data", tmp_path / "closed") == {"a", "b", "c"}


def test_a_record_happens_wholly_or_not_at_all(tmp_path: Path) -> None:
    """Cut its block anywhere, and none of its events has happened."""
    life = lived(tmp_path / "data", records=[[*pushed("a"), *pushed("b"), Paused(NOW)]])
    path = tmp_path / "data" / "journal-00000001.msgpack"
    data = path.read_bytes()
    for length in range(24, len(data.rstrip(b"\0"))):
        path.write_bytes(data[:length])
        queue, _ = recovered(life.directory)
        assert ranked(queue) == life.states[0]


def test_what_is_committed_together_is_one_block_and_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, queue = opened(tmp_path / "data")
    syncs = fail(monkeypatch, "fdatasync", errno.EIO, at=99)
    writes = fail(monkeypatch, "pwrite", errno.EIO, at=99)
    take(store, queue, *RECORDS)
    store.commit()
    assert (syncs.calls, writes.calls) == (1, 1)
    store.commit()
    assert (syncs.calls, writes.calls) == (1, 1)
    store.close()
    assert recovered(tmp_path / "data")[1].records == len(RECORDS)


@pytest.mark.parametrize(
    ("durability", "syncs"), [("always", 3), ("interval", 0), ("off", 0)]
)
def test_durability_is_when_a_commit_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, syncs: int
) -> None:
    store, queue = opened(tmp_path / "data", durability)
    counter = fail(monkeypatch, "fdatasync", errno.EIO, at=99)
    assert not store.wants_sync
    for number in range(3):
        take(store, queue, pushed(str(number)))
        store.commit()
    assert counter.calls == syncs
    assert store.wants_sync == (durability == "interval")
    store.sync()
    assert not store.wants_sync
    assert counter.calls == syncs + 1
    store.commit()
    assert not store.wants_sync
    store.close()


def test_what_nobody_waits_for_is_synced_later_or_with_what_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, queue = opened(tmp_path / "data")
    counter = fail(monkeypatch, "fdatasync", errno.EIO, at=99)
    for number, lazily in enumerate([True, True, False]):
        events = pushed(str(number))
        store.append(events, lazily=lazily)
        apply(queue, events)
        store.commit()
        assert counter.calls == (0 if lazily else 1)
        assert store.wants_sync == lazily
    store.append([Paused(NOW)], lazily=True)
    store.append([Resumed(NOW)])
    store.commit()
    assert counter.calls == 2
    store.append([Paused(NOW)], lazily=True)
    store.commit()
    assert store.wants_sync
    store.sync()
    assert not store.wants_sync
    store.close()


def test_the_size_of_the_journal_is_what_no_dump_has(tmp_path: Path) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("a"))
    assert not store.has_news
    store.commit()
    size = store.journal_size
    assert store.has_news
    assert size > 24
    take(store, queue, pushed("b"))
    store.commit()
    assert store.journal_size == size + size - 24
    store.close()
    again, queue = opened(tmp_path / "data")
    assert again.journal_size == size + size - 24 + END
    again.rotate()
    assert (again.journal_size, again.has_news, again.generation) == (24, False, 2)
    again.close()


def test_a_rotation_is_followed_by_its_dump_and_the_old_files_go(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    store, queue = opened(data)
    take(store, queue, *RECORDS)
    store.commit()
    generation = store.rotate()
    assert generation == store.generation == 2
    assert write_dump(str(data), generation, queue)
    take(store, queue, pushed("after"))
    store.commit()
    store.forget_before(generation)
    assert {path.name for path in data.iterdir()} == {
        "dump-00000002.msgpack",
        "journal-00000002.msgpack",
        "lock",
    }
    again, _ = recovered(copied(data, tmp_path / "copy"))
    assert ranked(again) == ranked(queue)
    store.close()


@pytest.mark.parametrize("durability", ["always", "interval", "off"])
def test_a_rotation_leaves_the_old_journal_whole_and_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    store, queue = opened(tmp_path / "data", durability)
    take(store, queue, *RECORDS)
    store.commit()
    size = store.journal_size
    counter = fail(monkeypatch, "fdatasync", errno.EIO, at=99)
    store.rotate()
    assert counter.calls == 1
    assert not store.wants_sync
    old = tmp_path / "data" / "journal-00000001.msgpack"
    assert old.stat().st_size == size
    store.close()
    assert ranked(recovered(tmp_path / "data")[0]) == ranked(queue)


def test_a_store_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    store, queue = opened(tmp_path / "data")
    take(store, queue, *RECORDS)
    for _ in range(3):
        store.commit()
        write_dump(store.directory, store.rotate(), queue)
    store.close()
    assert len(os.listdir("/proc/self/fd")) == before


# --- opening ------------------------------------------------------------------------


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    store, _ = opened(tmp_path / "data")
    with pytest.raises(StoreLocked):
        opened(tmp_path / "data")
    store.close()
    opened(tmp_path / "data")[0].close()


def test_a_store_that_cannot_be_opened_is_not_kept_locked(tmp_path: Path) -> None:
    """So that it can be mended, and opened, by the same process."""
    life = lived(tmp_path / "data")
    path = life.directory / "journal-00000001.msgpack"
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StoreDamaged):
        opened(life.directory)
    assert len(os.listdir("/proc/self/fd")) == before
    path.write_bytes(data)
    store, queue = opened(life.directory)
    assert ranked(queue) == life.states[-1]
    store.close()


def test_a_journal_that_cannot_be_read_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lived(tmp_path / "data")
    with monkeypatch.context() as patch:
        fail(patch, "fsync", errno.EROFS)
        with pytest.raises(OSError, match=f"Read-only.*{life.journal}"):
            opened(life.directory)
    store, queue = opened(life.directory)
    assert ranked(queue) == life.states[-1]
    store.close()


# --- a disk that fails --------------------------------------------------------------


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_commit_that_fails_raises_and_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("acknowledged"))
    store.commit()
    take(store, queue, pushed("in doubt"))
    with monkeypatch.context() as patch:
        fail(patch, call, errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            store.commit()
    left = on_disk(tmp_path / "data", tmp_path / "after")
    assert left - {"in doubt"} == {"acknowledged"}
    store.close()


@pytest.mark.parametrize("written", [0, 1, 23, 24, 25, 30])
def test_a_write_that_fails_halfway_is_a_torn_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("acknowledged"))
    store.commit()
    take(store, queue, pushed("in doubt"))
    with monkeypatch.context() as patch:
        write_short(patch, 1)
        fail(patch, "pwrite", errno.ENOSPC, at=written + 1)
        with pytest.raises(OSError, match="No space"):
            store.commit()
    queue, found = recovered(copied(tmp_path / "data", tmp_path / "after"))
    assert set(queue.tasks) == {"acknowledged"}
    assert (found.torn > 0) == (written > 0)
    store.close()


@pytest.mark.parametrize("durability", ["interval", "off"])
def test_a_sync_that_fails_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    store, queue = opened(tmp_path / "data", durability)
    take(store, queue, pushed("a"))
    store.commit()
    with monkeypatch.context() as patch:
        fail(patch, "fdatasync", errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            store.sync()
        assert store.wants_sync == (durability == "interval")
        with pytest.raises(OSError, match="Input/output"):
            store.rotate()
    assert store.generation == 1
    store.close()


@pytest.mark.parametrize("call", ["open", "pwrite", "fsync", "rename"])
def test_after_a_rotation_that_fails_the_old_journal_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("before"))
    store.commit()
    with monkeypatch.context() as patch:
        fail(patch, call, errno.ENOSPC)
        with pytest.raises(StoreFull, match="no room for another journal"):
            store.rotate()
    assert store.generation == 1
    take(store, queue, pushed("after"))
    store.commit()
    assert on_disk(tmp_path / "data", tmp_path / "between") == {"before", "after"}
    assert store.rotate() == 2
    take(store, queue, pushed("at last"))
    store.close()
    assert ranked(recovered(tmp_path / "data")[0]) == ranked(queue)


@pytest.mark.parametrize("name", ["there", "lost"])
def test_after_a_rotation_that_fails_at_its_last_step_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody knows whether the next journal has its name: an old one that went on
    could be torn by a crash, and refused as the next one is there."""
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("before"))
    store.commit()
    with monkeypatch.context() as patch:
        # The first is for the content of the file, the second for its name.
        fail(patch, "fsync", errno.ENOSPC, at=2)
        with pytest.raises(OSError, match=f"No space.*{tmp_path / 'data'}"):
            store.rotate()
    left = copied(tmp_path / "data", tmp_path / "left")
    if name == "lost":
        (left / "journal-00000002.msgpack").unlink()
    again, found = recovered(left)
    assert (ranked(again), found.torn) == (ranked(queue), 0)
    store.close()


def test_a_rotation_that_cannot_close_the_old_journal_has_begun_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was to be given back of the old one is padding."""
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("before"))
    store.commit()
    with monkeypatch.context() as patch:
        fail(patch, "ftruncate", errno.ENOSPC)
        with pytest.raises(OSError, match="No space"):
            store.rotate()
    assert store.generation == 2
    take(store, queue, pushed("after"))
    store.commit()
    assert on_disk(tmp_path / "data", tmp_path / "after") == {"before", "after"}
    store.close()


# --- a disk that is full ------------------------------------------------------------


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: a disk that is full, for everybody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_refuses_a_record_and_changes_nothing(tmp_path: Path) -> None:
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("a"))
    store.commit()
    take(store, queue, pushed("b"))
    with largest_file(CHUNK + 24):
        with pytest.raises(StoreFull):
            store.append(pushed("too long", CHUNK))
        with pytest.raises(StoreFull):
            store.append(pushed("too near the end"), spare=CHUNK)
        take(store, queue, pushed("short"))
        store.commit()
        assert on_disk(tmp_path / "data", tmp_path / "full") == {"a", "b", "short"}
    take(store, queue, pushed("there is room again", CHUNK))
    store.close()
    again, found = recovered(tmp_path / "data")
    assert ranked(again) == ranked(queue)
    assert found.torn == 0


def test_what_was_taken_can_be_committed_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room was made when it was taken, whatever the disk says later."""
    store, queue = opened(tmp_path / "data")
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.ENOSPC, at=2)
        count = 0
        with pytest.raises(StoreFull):
            for count in range(CHUNK // 50):
                take(store, queue, pushed(f"t{count}", 50))
        assert count > 20
        journal = tmp_path / "data" / "journal-00000001.msgpack"
        allocated = journal.stat().st_size
        store.commit()
        assert journal.stat().st_size == allocated
    store.close()
    assert len(recovered(tmp_path / "data")[0].tasks) == count


def test_room_is_made_for_every_byte_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the last one, and not one further."""
    store, queue = opened(tmp_path / "data")
    take(store, queue, pushed("a"))
    store.commit()
    left = CHUNK + 24 - store.journal_size
    around = len(format.pack_record(pushed("b", 300))) - 300
    most = left - format.BLOCK.size - format.ARRAY.size - around
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.ENOSPC)
        with pytest.raises(StoreFull):
            store.append(pushed("b", most + 1))
        with pytest.raises(StoreFull):
            store.append(pushed("b", most), spare=1)
        take(store, queue, pushed("b", most))
        store.commit()
    assert store.journal_size == CHUNK + 24
    store.close()


def test_the_spare_room_is_there_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push keeps room for its lease and its end: those are taken on a full disk."""
    store, _ = opened(tmp_path / "data")
    store.append(pushed("a"), spare=CHUNK * 3)
    store.commit()
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.ENOSPC)
        store.append(pushed("b", CHUNK * 2))
        store.commit()
        with pytest.raises(StoreFull):
            store.append(pushed("c", CHUNK))
    store.close()


@pytest.mark.parametrize("room", [0, 100, 3 * CHUNK])
def test_a_rotation_keeps_the_room_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Or it is not made: an end must never find the disk full."""
    store, _ = opened(tmp_path / "data")
    store.append(pushed("a"), spare=room)
    store.commit()
    store.rotate()
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.ENOSPC)
        store.append(pushed("b", max(0, room - 100)))
        store.commit()
        with pytest.raises(StoreFull):
            store.rotate()
        assert {path.name for path in (tmp_path / "data").iterdir()} == {
            "journal-00000001.msgpack",
            "journal-00000002.msgpack",
            "lock",
        }
    store.close()


def test_a_real_full_disk_heals_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        store, queue = opened(disk.path / "data")
        disk.fill(leave=40 * 1024)
        count = 0
        with pytest.raises(StoreFull):
            for count in range(1000):
                take(store, queue, pushed(f"t{count}", 1000))
                store.commit()
        assert 10 < count < 45
        with pytest.raises(StoreFull):
            take(store, queue, pushed("still full", 1000))
        assert on_disk(disk.path / "data", tmp_path / "full") == set(queue.tasks)
        disk.make_room()
        take(store, queue, pushed("room again", 1000))
        store.commit()
        store.close()
        again, _ = recovered(disk.path / "data")
        assert ranked(again) == ranked(queue)


def test_a_full_disk_is_no_reason_not_to_stop_nor_to_start(tmp_path: Path) -> None:
    """All that is written then is over what is there, or can be left out."""
    with small_disk(tmp_path / "small", "64k") as disk:
        data = disk.path / "data"
        store, queue = opened(data)
        take(store, queue, pushed("a", 1000))
        store.commit()
        disk.fill()
        for _ in range(3):
            store.close()
            disk.fill()
            store, again = opened(data)
            assert ranked(again) == ranked(queue)
        with pytest.raises(StoreFull):
            take(store, queue, pushed("b", 10_000))
        disk.make_room()
        take(store, queue, pushed("b", 10_000))
        store.close()
        assert ranked(recovered(data)[0]) == ranked(queue)


def test_a_torn_tail_is_cut_on_a_full_disk_and_what_was_promised_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        data = disk.path / "data"
        store, queue = opened(data)
        store.append(pushed("a"), spare=20_000)
        store.commit()
        end = store.journal_size
        killed_at_once = copied(data, tmp_path / "left") / "journal-00000001.msgpack"
        store.close()
        (data / killed_at_once.name).write_bytes(killed_at_once.read_bytes())
        with (data / killed_at_once.name).open("r+b") as file:
            file.seek(end)
            file.write(b"torn" * 2000)
        disk.fill()
        store, queue = opened(data)
        assert "the torn tail is not kept: [Errno 28]" in caplog.text
        take(store, queue, pushed("b", 19_000))
        store.close()
        assert ranked(recovered(data)[0]) == ranked(queue)


def test_a_dump_on_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        data = disk.path / "data"
        store, queue = opened(data)
        take(store, queue, *(pushed(f"t{number}", 1000) for number in range(30)))
        store.commit()
        generation = store.rotate()
        with pytest.raises(OSError, match="No space"):
            write_dump(str(data), generation, queue)
        assert (data / "dump-00000002.msgpack.tmp").stat().st_size > 1000
        store.forget_unfinished()
        assert not (data / "dump-00000002.msgpack.tmp").exists()
        store.close()
        again, _ = recovered(data)
        assert ranked(again) == ranked(queue)
        assert {path.name for path in data.iterdir()} == {
            "journal-00000001.msgpack",
            "journal-00000002.msgpack",
            "lock",
        }


def test_opening_takes_what_it_says(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Store.open("/proc/nowhere", "always", TaskQueue(), patience=0.0)
