"""The journal: what it writes, and what it does when it cannot."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest

from poussetaches.errors import StoreFull
from poussetaches.store import format, journal
from poussetaches.store.blocks import BlockReader, Tail
from poussetaches.store.journal import Journal
from tests.support.faults import fail, write_short

CHUNK = 4096


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", CHUNK)


def packed(value: object) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


def bodies(path: Path) -> list[object]:
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.JOURNAL, 1)
    reader = BlockReader(str(path), data, salt)
    return [block.body for block in reader]


def test_a_new_journal_is_a_header(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    path = tmp_path / "journal-00000001.msgpack"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size == made.offset == made.synced == format.HEADER_SIZE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made.close()


def test_every_journal_has_its_own_salt(tmp_path: Path) -> None:
    heads = set()
    for generation in range(1, 9):
        Journal.create(str(tmp_path), generation).close()
        path = tmp_path / f"journal-{generation:08}.msgpack"
        heads.add(path.read_bytes()[16:20])
    assert len(heads) == 8


def test_records_appended_together_are_one_block(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    sizes = [made.append([packed(1), packed([2])]), made.append([packed("three")])]
    assert made.offset == format.HEADER_SIZE + sum(sizes)
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert path.stat().st_size == made.offset
    assert bodies(path) == [[1, [2]], ["three"]]


def test_a_block_says_what_was_on_disk_when_it_was_written(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    ends = []
    for number in range(5):
        made.append([packed(number)])
        ends.append(made.offset)
        if number == 2:
            made.sync()
    made.close()
    data = (tmp_path / "journal-00000001.msgpack").read_bytes()
    starts = [format.HEADER_SIZE, *ends[:-1]]
    synced = [format.BLOCK.unpack_from(data, start)[2] for start in starts]
    assert synced == [format.HEADER_SIZE] * 3 + [ends[2]] * 2


def test_a_journal_reopened_goes_on_where_it_was_whole(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.append([packed("whole")])
    end = made.offset
    made.append([packed("torn")])
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    salt = int.from_bytes(path.read_bytes()[16:20], "big")
    size = path.stat().st_size
    again = Journal.reopen(str(tmp_path), 1, salt, Tail(end, size - end))
    assert (again.offset, again.synced) == (end, end)
    assert path.read_bytes()[end:] == bytes(size - end)
    assert again.room == size - end
    again.append([packed("more")])
    again.close()
    assert bodies(path) == [["whole"], ["more"]]


def test_room_is_made_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    fallocate = os.posix_fallocate

    def counted(fd: int, offset: int, length: int) -> None:
        asked.append((offset, length))
        fallocate(fd, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", counted)
    made = Journal.create(str(tmp_path), 1)
    path = tmp_path / "journal-00000001.msgpack"
    made.make_room(100)
    made.make_room(CHUNK - 1)
    assert asked == [(24, CHUNK)]
    assert path.stat().st_size == 24 + CHUNK
    made.make_room(CHUNK)
    assert len(asked) == 1
    made.make_room(CHUNK + 1)
    made.make_room(10 * CHUNK)
    assert asked[1:] == [(24 + CHUNK, CHUNK), (24 + 2 * CHUNK, 8 * CHUNK)]
    made.close()
    assert path.stat().st_size == 24


def test_what_is_appended_without_room_made_is_counted(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.append([packed(bytes(100))])
    made.make_room(10)
    made.append([packed(1)])
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert bodies(path) == [[bytes(100)], [1]]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    made = Journal.create(str(tmp_path), 1)
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", number)
        with pytest.raises(StoreFull, match="no room") as caught:
            made.make_room(100)
        assert caught.value.retry_after > 0
    made.make_room(100)
    made.close()


def test_a_disk_with_little_room_gives_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal.create(str(tmp_path), 1)
    fallocate = os.posix_fallocate

    def grudging(fd: int, offset: int, length: int) -> None:
        if length > 100:
            raise OSError(errno.ENOSPC, "full")
        fallocate(fd, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", grudging)
    made.make_room(100)
    path = tmp_path / "journal-00000001.msgpack"
    assert path.stat().st_size == 124
    with pytest.raises(StoreFull):
        made.make_room(201)
    made.make_room(200)
    made.close()


def test_a_disk_that_fails_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal.create(str(tmp_path), 1)
    with monkeypatch.context() as patch:
        fail(patch, "posix_fallocate", errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            made.make_room(100)
    made.close()


@pytest.mark.parametrize("most", [1, 7, 64])
def test_short_writes_are_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    write_short(monkeypatch, most)
    made = Journal.create(str(tmp_path), 1)
    made.append([packed(bytes(range(256)))])
    made.append([packed("more")])
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert bodies(path) == [[bytes(range(256))], ["more"]]


# --- its end ------------------------------------------------------------------------


def test_the_end_is_a_block_without_records_that_knows_all_before_it(
    tmp_path: Path,
) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.append([packed("last")])
    last = made.offset
    made.end()
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert bodies(path) == [["last"], []]
    assert format.BLOCK.unpack_from(path.read_bytes(), last)[2] == last
    assert path.stat().st_size == last + format.BLOCK.size + format.ARRAY.size


def test_a_journal_without_blocks_needs_no_end(tmp_path: Path) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.end()
    made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert path.stat().st_size == format.HEADER_SIZE


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
@pytest.mark.parametrize("written", [0, 10])
def test_for_an_end_without_room_nothing_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    call: str,
    written: int,
) -> None:
    """And nothing is left of it."""
    made = Journal.create(str(tmp_path), 1)
    made.append([packed("last")])
    last = made.offset
    with monkeypatch.context() as patch:
        write_short(patch, 1)
        fail(patch, call, number, at=1 if call == "posix_fallocate" else 1 + written)
        made.end()
        made.close()
    path = tmp_path / "journal-00000001.msgpack"
    assert path.stat().st_size == last
    assert bodies(path) == [["last"]]


def test_the_end_takes_no_more_room_than_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.append([packed("last")])
    room = fail(monkeypatch, "posix_fallocate", errno.EIO, at=2)
    made.end()
    assert (made.room, room.calls) == (0, 1)
    made.close()
    again = Journal.create(str(tmp_path), 2)
    again.append([packed("last")])
    monkeypatch.undo()
    again.make_room(100)
    room = fail(monkeypatch, "posix_fallocate", errno.EIO)
    again.end()
    again.close()
    assert room.calls == 0


@pytest.mark.parametrize("call", ["fdatasync", "posix_fallocate", "pwrite"])
def test_an_end_on_a_disk_that_fails_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    made = Journal.create(str(tmp_path), 1)
    made.append([packed("last")])
    with monkeypatch.context() as patch:
        fail(patch, call, errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            made.end()
    made.close()


# --- a disk that fails --------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "deed"),
    [
        ("pwrite", lambda made: made.append([packed(1)])),
        ("fdatasync", lambda made: made.sync()),
        ("posix_fallocate", lambda made: made.make_room(10)),
        ("ftruncate", lambda made: made.close()),
        ("fsync", lambda made: made.close()),
    ],
)
def test_an_error_names_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    deed: Callable[[Journal], object],
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made = Journal.create(str(tmp_path), 1)
    path = tmp_path / "journal-00000001.msgpack"
    with monkeypatch.context() as patch:
        fail(patch, call, errno.EIO)
        with pytest.raises(OSError, match=rf"\[Errno 5\] .*{path}") as caught:
            deed(made)
    assert caught.value.filename == str(path)
    if call in ("pwrite", "fdatasync", "posix_fallocate"):
        made.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_journal_that_cannot_be_created_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        fail(patch, call, errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            Journal.create(str(tmp_path), 1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not (tmp_path / "journal-00000001.msgpack").exists()
    Journal.create(str(tmp_path), 1).close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["journal-00000001.msgpack"]
