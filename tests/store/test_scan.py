"""Reading on behind what cannot be read."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import pytest

from poussetaches.errors import StoreError
from poussetaches.model.events import Pushed
from poussetaches.store import format
from poussetaches.store.dump import write_dump
from poussetaches.store.scan import Scan, find_salt
from tests.support.queues import NOW
from tests.support.stores import RECORDS, Life, lived, opened, take

JOURNAL = "journal-00000001.msgpack"


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return lived(tmp_path / "data")


def scanned(life: Life, data: bytes) -> tuple[Scan, list[int]]:
    """A scan of a journal of ``data``, and where it found blocks."""
    path = life.directory / JOURNAL
    path.write_bytes(data)
    steps: list[int] = []
    scan = Scan(str(path), format.JOURNAL, 1, steps.append)
    offsets = [block.offset for block in scan]
    assert sum(steps) == max(0, len(data) - format.HEADER_SIZE)
    return scan, offsets


def test_a_whole_file_has_no_gaps(life: Life) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    scan, offsets = scanned(life, data + bytes(5000))
    assert offsets == life.ends[:-1]
    assert (scan.gaps, scan.damages, scan.torn) == ([], [], None)
    assert (scan.version, scan.end, scan.size) == (1, len(data), len(data) + 5000)


def test_any_damaged_block_is_a_gap_and_all_others_are_found(life: Life) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    draw = random.Random(3)
    for number in range(len(RECORDS)):
        begin, end = life.ends[number : number + 2]
        is_last = number == len(RECORDS) - 1
        for _ in range(5):
            damaged = bytearray(data)
            damaged[draw.randrange(begin, end)] ^= 1 << draw.randrange(8)
            scan, offsets = scanned(life, bytes(damaged))
            assert offsets == [o for o in life.ends[:-1] if o != begin]
            (gap,) = scan.gaps
            if is_last:
                # Nothing says of it that it had reached the disk; and the zeros at its
                # end may be padding.
                assert gap.offset == begin
                assert (scan.damages, scan.torn) == ([], gap)
            else:
                assert (gap.offset, gap.end) == (begin, end)
                assert (scan.damages, scan.torn) == ([gap], None)


def test_a_page_of_zeros_is_one_gap(life: Life) -> None:
    data = bytearray((life.directory / JOURNAL).read_bytes())
    begin, end = life.ends[2] + 3, life.ends[5] - 3
    data[begin:end] = bytes(end - begin)
    scan, offsets = scanned(life, bytes(data))
    assert offsets == [*life.ends[:2], *life.ends[5:-1]]
    (gap,) = scan.damages
    assert (gap.offset, gap.end) == (life.ends[2], life.ends[5])


def test_a_cut_file_ends_in_a_torn_tail(life: Life) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    cut = data[: life.ends[4] - 30]
    scan, offsets = scanned(life, cut + bytes(50))
    assert offsets == life.ends[:3]
    assert scan.damages == []
    assert scan.torn is not None
    assert (scan.torn.offset, scan.torn.end) == (life.ends[3], len(cut))


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\xc1\xc1PT"])
def test_without_a_header_the_blocks_tell_their_salt(life: Life, fill: bytes) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    header = (fill * format.HEADER_SIZE)[: format.HEADER_SIZE]
    scan, offsets = scanned(life, header + data[format.HEADER_SIZE :])
    assert offsets == life.ends[:-1]
    assert [(gap.offset, gap.end) for gap in scan.damages] == [(0, 24)]
    assert scan.version is None


def test_one_block_alone_tells_its_salt(tmp_path: Path) -> None:
    life = lived(tmp_path / "data", records=RECORDS[:1])
    data = (life.directory / JOURNAL).read_bytes()
    _, offsets = scanned(life, bytes(24) + data[24:])
    assert offsets == [24]
    assert find_salt(b"") == find_salt(format.MARK * 9) == 0


def test_a_file_shorter_than_its_header_is_a_gap(life: Life) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    scan, offsets = scanned(life, data[:7])
    assert offsets == []
    assert [(gap.offset, gap.end) for gap in scan.damages] == [(0, 7)]


def test_a_copy_of_this_journal_in_a_payload_is_not_taken_for_it(life: Life) -> None:
    """The task that carries it is damaged, so that its blocks lie open."""
    path = life.directory / JOURNAL
    copy = path.read_bytes()
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("copy", NOW, NOW, copy)])
    store.commit()
    take(store, queue, [Pushed("after", NOW, NOW, b"")])
    store.close()
    data = bytearray(path.read_bytes())
    after = data.rindex(b"after") - format.BLOCK.size - 20
    data[life.ends[-1]] ^= 1
    _, offsets = scanned(life, bytes(data))
    # But for its last block, which knows as much as the one before the damage.
    inside = [o for o in offsets if life.ends[-1] < o < after]
    assert len(inside) <= 1
    assert offsets[: len(RECORDS)] == life.ends[:-1]
    # Where the head says how long the block is, not even for that one.
    data[life.ends[-1]] ^= 1
    data[life.ends[-1] + format.BLOCK.size] ^= 1
    _, offsets = scanned(life, bytes(data))
    assert [o for o in offsets if life.ends[-1] < o < after] == []


def test_a_head_alone_makes_a_gap_before_it_damage(life: Life) -> None:
    """As recovery has it."""
    data = bytearray((life.directory / JOURNAL).read_bytes())
    data[life.ends[-2] - 1] ^= 1
    scan, offsets = scanned(life, bytes(data[: life.ends[-2] + format.BLOCK.size]))
    assert offsets == life.ends[:-3]
    assert [gap.offset for gap in scan.damages] == [life.ends[-3]]
    assert scan.torn is None


def test_a_torn_payload_full_of_marks_is_gone_through_once(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the lengths behind them say; with the header, and without."""
    claim = format.MARK + (256 * 1024).to_bytes(4, "big") + bytes(16)
    payload = claim * (1024 * 1024 // len(claim))
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("evil", NOW, NOW, payload)])
    store.close()
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    data[life.ends[-1] + 5] ^= 1
    read = 0
    crc32 = zlib.crc32

    def counted(data: bytes, value: int = 0) -> int:
        nonlocal read
        read += len(data)
        return crc32(data, value)

    monkeypatch.setattr(zlib, "crc32", counted)
    _, offsets = scanned(life, bytes(data))
    assert len(offsets) == len(RECORDS) + 1
    assert read < 2 * len(data)
    monkeypatch.setattr("poussetaches.store.scan.MOST_READ", len(data))
    read = 0
    data[:24] = bytes(24)
    _, offsets = scanned(life, bytes(data))
    assert len(offsets) == len(RECORDS) + 1
    assert read < 3 * len(data)


def test_a_block_that_is_no_msgpack_is_a_gap(life: Life) -> None:
    path = life.directory / JOURNAL
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.JOURNAL, 1)
    strange = format.block(b"\xc1", salt, len(data))
    scan, offsets = scanned(life, data + strange)
    assert offsets == life.ends[:-1]
    assert "cannot be read" in scan.gaps[0].reason


def test_every_gap_of_a_dump_is_damage(life: Life) -> None:
    store, queue = opened(life.directory)
    write_dump(str(life.directory), 1, queue)
    store.close()
    path = life.directory / "dump-00000001.msgpack"
    path.write_bytes(path.read_bytes()[:-1])
    scan = Scan(str(path), format.DUMP, 1, lambda amount: None)
    assert len(list(scan)) > 1
    assert scan.damages == scan.gaps
    assert len(scan.gaps) == 1


def test_a_file_of_a_newer_version_is_refused(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    head = format.HEADER.pack(format.JOURNAL, 2, 1, 7)
    data = head + format.CRC.pack(zlib.crc32(head)) + data[24:]
    with pytest.raises(StoreError, match="newer"):
        scanned(life, data)
