"""Recovery: the state it comes to, or its refusal."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poussetaches.errors import StoreDamaged, StoreError
from poussetaches.model.events import Event, Leased, Pushed
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format, journal
from poussetaches.store.dump import write_dump
from poussetaches.store.recovery import forget_before, recover
from tests.support.queues import NOW, apply, ranked
from tests.support.scale import times
from tests.support.stores import (
    RECORDS,
    Life,
    killed,
    lived,
    opened,
    recovered,
    take,
)

JOURNAL = "journal-00000001.msgpack"


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 4096)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return lived(tmp_path / "data")


def ends_with(life: Life, data: bytes) -> tuple[dict[str, Any], int]:
    """The state and the torn bytes after a journal of ``data``; then it is good."""
    (life.directory / JOURNAL).write_bytes(data)
    queue, found = recovered(life.directory)
    after = ranked(queue)
    again, found_again = recovered(life.directory)
    assert (ranked(again), found_again.torn) == (after, 0)
    assert found_again.records == found.records
    return after, found.torn


def damaged(directory: Path) -> StoreDamaged:
    with pytest.raises(StoreDamaged) as caught:
        recover(str(directory), TaskQueue())
    return caught.value


# --- what is whole ------------------------------------------------------------------


def test_an_empty_directory_becomes_an_empty_queue(tmp_path: Path) -> None:
    queue, found = recovered(tmp_path)
    assert ranked(queue) == ranked(TaskQueue())
    assert (found.records, found.torn) == (0, 0)
    assert [entry.name for entry in tmp_path.iterdir()] == [JOURNAL]


def test_everything_that_was_committed_comes_back(life: Life) -> None:
    queue, found = recovered(life.directory)
    assert ranked(queue) == life.states[-1]
    assert (found.records, found.torn) == (len(RECORDS), 0)
    assert found.journal.offset == found.journal.synced == life.ends[-1]


@pytest.mark.parametrize("zeros", [1, 4, 19, 20, 21, 512, 4096, 100_000])
def test_zeros_after_the_last_block_are_padding(life: Life, zeros: int) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    assert ends_with(life, data + bytes(zeros)) == (life.states[-1], 0)


def test_the_dump_and_its_journal_come_back(life: Life) -> None:
    """And nothing older is looked at."""
    store, queue = opened(life.directory)
    generation = store.rotate()
    write_dump(str(life.directory), generation, queue)
    take(store, queue, [Pushed("after", NOW, NOW, b"")])
    store.close()
    (life.directory / JOURNAL).write_bytes(b"rubbish")
    (life.directory / "dump-00000001.msgpack").write_bytes(b"rubbish")
    again, found = recovered(life.directory)
    assert ranked(again) == ranked(queue)
    assert (found.records, found.journal.generation) == (1, 2)


def test_journals_without_a_dump_are_replayed_one_after_the_other(
    tmp_path: Path,
) -> None:
    """The dump writer died, and died again."""
    store, queue = opened(tmp_path)
    for record in RECORDS:
        take(store, queue, record)
        store.commit()
        store.rotate()
    store.close()
    again, found = recovered(tmp_path)
    assert ranked(again) == ranked(queue)
    assert found.records == len(RECORDS)
    assert found.journal.generation == len(RECORDS) + 1


def test_what_was_never_put_in_place_is_removed(life: Life) -> None:
    for name in ("dump-00000002.msgpack.tmp", "journal-00000002.msgpack.tmp"):
        (life.directory / name).write_bytes(b"half of")
    (life.directory / "README").write_bytes(b"mine")
    queue, _ = recovered(life.directory)
    assert ranked(queue) == life.states[-1]
    names = {entry.name for entry in life.directory.iterdir()}
    assert names == {JOURNAL, "lock", "README"}


# --- what is torn -------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 100])
def test_a_journal_cut_at_any_byte_is_whole_up_to_the_last_whole_block(
    life: Life, padding: int
) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    assert len(data) == life.ends[-1]
    for length in range(format.HEADER_SIZE, len(data) + 1):
        cut = data[:length] + bytes(padding)
        blocks = sum(cut[:end] == data[:end] for end in life.ends) - 1
        after, torn = ends_with(life, cut)
        assert after == life.states[blocks]
        assert torn == len(cut[life.ends[blocks] :].rstrip(b"\0"))


@pytest.mark.parametrize("length", range(format.HEADER_SIZE))
def test_a_journal_without_its_header_is_refused(life: Life, length: int) -> None:
    """It had one before it had its name."""
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes()[:length])
    error = damaged(life.directory)
    assert (error.path, error.offset) == (str(path), length)


def test_what_was_cut_is_gone_when_the_journal_goes_on(life: Life) -> None:
    """What follows may be shorter than what was cut."""
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes() + bytes(range(1, 256)) * 50)
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("more", NOW, NOW, b"")])
    store.commit()
    store.close()
    again, found = recovered(life.directory)
    assert found.torn == 0
    assert ranked(again) == ranked(queue)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tail=st.lists(
        st.one_of(
            st.binary(max_size=100),
            st.sampled_from([format.MARK, bytes(20), b"\xc1", b"\xff" * 20]),
        ),
        max_size=8,
    ).map(b"".join)
)
def test_no_garbage_after_the_last_block_becomes_a_task(
    life: Life, tail: bytes
) -> None:
    whole = life.ends[-1]
    data = (life.directory / JOURNAL).read_bytes()[:whole]
    after, torn = ends_with(life, data + tail)
    assert after == life.states[-1]
    assert torn == len(tail.rstrip(b"\0"))


def test_no_random_sector_becomes_a_task(life: Life) -> None:
    data = (life.directory / JOURNAL).read_bytes()
    draw = random.Random(7)
    for _ in range(times(200, 1000)):
        after, torn = ends_with(life, data + draw.randbytes(4096))
        assert after == life.states[-1]
        assert 4000 < torn <= 4096


def test_any_bit_flipped_in_the_last_block_loses_that_block_only(life: Life) -> None:
    """Nothing proves that it had reached the disk."""
    data = (life.directory / JOURNAL).read_bytes()
    begin = life.ends[-2]
    for bit in range(begin * 8, len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        after, torn = ends_with(life, bytes(flipped))
        assert after == life.states[-2]
        assert torn > 0


def test_blocks_that_were_never_synced_are_cut_with_the_hole_before_them(
    tmp_path: Path,
) -> None:
    """A power cut with durability = interval: the disk writes in the order it likes."""
    life = lived(tmp_path / "data", "interval")
    data = (life.directory / JOURNAL).read_bytes()
    for first in range(len(RECORDS)):
        hole = slice(life.ends[first], life.ends[first + 1])
        for fill in (b"\0", b"\xff"):
            holed = bytearray(data)
            holed[hole] = fill * (hole.stop - hole.start)
            after, torn = ends_with(life, bytes(holed))
            assert after == life.states[first]
            assert torn == len(holed[hole.start :].rstrip(b"\0"))


def test_blocks_before_the_last_sync_are_not_cut(tmp_path: Path) -> None:
    """What was synced is on disk; where it is not, that is damage."""
    life = lived(tmp_path / "data", "interval", sync_after=4)
    data = (life.directory / JOURNAL).read_bytes()
    for block in range(len(RECORDS)):
        holed = bytearray(data)
        holed[life.ends[block] + 5] ^= 0x10
        (life.directory / JOURNAL).write_bytes(holed)
        if block < 4:
            error = damaged(life.directory)
            assert (error.path, error.offset) == (
                str(life.directory / JOURNAL),
                life.ends[block],
            )
        else:
            queue, _ = recovered(life.directory)
            assert ranked(queue) == life.states[block]


def test_a_restart_counts_as_a_sync(tmp_path: Path) -> None:
    life = lived(tmp_path / "data", "off", RECORDS[:3])
    store, queue = opened(life.directory, "off")
    take(store, queue, RECORDS[3])
    store.commit()
    store.close()
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    data[life.ends[1]] ^= 1
    path.write_bytes(data)
    assert damaged(life.directory).offset == life.ends[1]


# --- what was stopped in good order -------------------------------------------------


@pytest.mark.parametrize("durability", ["always", "interval", "off"])
def test_any_bit_flipped_in_what_was_stopped_is_refused(
    tmp_path: Path, durability: str
) -> None:
    """Also in the last block: that it was on disk is written behind it."""
    life = lived(tmp_path / "data", durability, stopped=True)
    data = life.journal.read_bytes()
    assert len(data) > life.ends[-1]
    begin = life.ends[-2]
    for bit in range(begin * 8, life.ends[-1] * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        life.journal.write_bytes(flipped)
        error = damaged(life.directory)
        assert (error.path, error.offset) == (str(life.journal), begin)


def test_of_the_end_itself_nothing_is_lost(tmp_path: Path) -> None:
    life = lived(tmp_path / "data", stopped=True)
    data = life.journal.read_bytes()
    for bit in range(life.ends[-1] * 8, len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        after, torn = ends_with(life, bytes(flipped))
        assert after == life.states[-1]
        assert torn > 0


def test_a_store_that_is_opened_and_stopped_stays_as_it_is(tmp_path: Path) -> None:
    life = lived(tmp_path / "data", stopped=True)
    for _ in range(5):
        store, queue = opened(life.directory)
        assert ranked(queue) == life.states[-1]
        store.close()
    assert recovered(life.directory)[1].records == len(RECORDS)
    assert life.journal.stat().st_size < life.ends[-1] + 300
    empty, _ = opened(tmp_path / "empty")
    empty.close()
    journal = tmp_path / "empty" / "journal-00000001.msgpack"
    assert journal.stat().st_size == format.HEADER_SIZE


def test_any_bit_flipped_at_the_end_of_a_journal_that_has_a_successor_is_refused(
    life: Life,
) -> None:
    """The next one is begun when all of it is on disk."""
    store, _ = opened(life.directory)
    store.rotate()
    killed(store)
    data = life.journal.read_bytes()
    begin = life.ends[-2]
    for bit in range(begin * 8, len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        life.journal.write_bytes(flipped)
        assert damaged(life.directory).offset == begin


# --- what is damaged ----------------------------------------------------------------


def test_a_crash_does_not_make_the_damage_before_it_a_torn_tail(life: Life) -> None:
    """The last block but one had been acknowledged; of the last only the head is
    there."""
    data = bytearray(life.journal.read_bytes())
    data[life.ends[-2] - 1] ^= 1
    life.journal.write_bytes(data[: life.ends[-2] + format.BLOCK.size])
    assert damaged(life.directory).offset == life.ends[-3]


def test_any_bit_flipped_before_the_last_block_is_refused(life: Life) -> None:
    """Every bit of one block, and one bit of every byte of the others."""
    path = life.directory / JOURNAL
    data = path.read_bytes()
    middle = len(RECORDS) // 2
    for number in range(len(RECORDS) - 1):
        begin, end = life.ends[number : number + 2]
        bits: range | list[int] = range(begin * 8, end * 8)
        if number != middle:
            bits = [place * 8 + place % 8 for place in range(begin, end)]
        for bit in bits:
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            error = damaged(life.directory)
            assert (error.path, error.offset) == (str(path), begin)
            assert str(path) in error.message
            assert f"byte {begin}:" in error.message


def test_a_page_that_the_disk_lost_is_refused(life: Life) -> None:
    """Zeros in the middle are no padding."""
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    data[life.ends[2] : life.ends[5]] = bytes(life.ends[5] - life.ends[2])
    path.write_bytes(data)
    assert damaged(life.directory).offset == life.ends[2]


def test_a_refusal_changes_no_file(life: Life) -> None:
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    data[life.ends[2]] ^= 1
    path.write_bytes(data + bytes(100))
    damaged(life.directory)
    assert path.read_bytes() == data + bytes(100)


def test_a_journal_that_is_cut_before_the_last_is_refused(life: Life) -> None:
    store, queue = opened(life.directory)
    store.rotate()
    take(store, queue, [Pushed("after", NOW, NOW, b"")])
    store.close()
    path = life.directory / JOURNAL
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    error = damaged(life.directory)
    assert (error.path, error.offset) == (str(path), life.ends[-2])
    path.write_bytes(data + bytes(100))
    again, _ = recovered(life.directory)
    assert ranked(again) == ranked(queue)


@pytest.mark.parametrize("fate", ["gone", "cut", "flipped"])
def test_an_older_dump_does_not_stand_in_for_a_newer_one(life: Life, fate: str) -> None:
    """Its journals are gone, or would have to be: never a part of the queue."""
    for _ in range(2):
        store, queue = opened(life.directory)
        generation = store.rotate()
        write_dump(str(life.directory), generation, queue)
        take(store, queue, [Pushed(f"t{generation}", NOW, NOW, b"")])
        store.commit()
        store.forget_before(generation)
        store.close()
    path = life.directory / "dump-00000003.msgpack"
    data = path.read_bytes()
    if fate == "gone":
        path.unlink()
        with pytest.raises(StoreError, match=r"journal-00000001.*is missing"):
            recover(str(life.directory), TaskQueue())
        return
    path.write_bytes(data[:-1] if fate == "cut" else data[:30] + b"\xff" + data[31:])
    assert damaged(life.directory).path == str(path)


@pytest.mark.parametrize(
    ("gone", "named"), [([1], 1), ([2], 2), ([3], 3), ([1, 2], 1), ([2, 3], 2)]
)
def test_a_missing_journal_is_refused_by_name(
    tmp_path: Path, gone: list[int], named: int
) -> None:
    store, _ = opened(tmp_path)
    for _ in range(3):
        store.rotate()
    store.close()
    for generation in gone:
        (tmp_path / f"journal-{generation:08}.msgpack").unlink()
    with pytest.raises(StoreError, match=f"journal-{named:08}.msgpack is missing"):
        recover(str(tmp_path), TaskQueue())


def test_a_dump_without_its_journal_is_refused_by_name(tmp_path: Path) -> None:
    write_dump(str(tmp_path), 5, TaskQueue())
    with pytest.raises(StoreError, match=r"journal-00000005.msgpack is missing"):
        recover(str(tmp_path), TaskQueue())


def test_an_event_that_does_not_fit_is_damage(tmp_path: Path) -> None:
    """The checksums are good, so this would be a bug of ours; still nothing is lost."""
    store, _ = opened(tmp_path)
    store.append([Pushed("a", NOW, NOW, b"")])
    store.commit()
    begin = store.journal_size
    store.append([Leased("b", NOW, 1)])
    store.close()
    error = damaged(tmp_path)
    assert error.offset == begin
    assert "Leased" in error.message


@pytest.mark.parametrize(
    "record",
    [
        [[99, "an event of the future"]],
        [[11, 1.0, "a field of the future"]],
        [[21, "mail", 1.0, {"colour": "of the future"}, {}]],
        [[1, "too few"]],
        [[]],
        [7],
        7,
    ],
)
def test_an_event_that_only_a_newer_version_understands_is_refused(
    life: Life, record: object
) -> None:
    """By file and offset, not by a traceback."""
    path = life.directory / JOURNAL
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.JOURNAL, 1)
    body = msgpack.packb([record])
    path.write_bytes(data + format.block(body, salt, life.ends[-1]))
    error = damaged(life.directory)
    assert (error.path, error.offset) == (str(path), life.ends[-1])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "within its header"),
        (b"SQLite format 3\0" + bytes(100), "no such file of poussetaches"),
        (format.header(format.DUMP, 1, 7), "no such file of poussetaches"),
        (format.header(format.JOURNAL, 2, 7), "says generation 2"),
    ],
)
def test_a_foreign_file_is_refused_by_name(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / JOURNAL).write_bytes(content)
    error = damaged(tmp_path)
    assert JOURNAL in error.message
    assert reason in error.message


@pytest.mark.parametrize("kind", ["journal", "dump"])
def test_a_file_of_a_newer_version_is_refused_by_name(
    life: Life, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(format, "VERSION", 2)
        store, queue = opened(life.directory)
        generation = store.rotate()
        if kind == "dump":
            write_dump(str(life.directory), generation, queue)
        store.close()
    with pytest.raises(StoreError, match=f"{kind}-00000002.*newer") as caught:
        recover(str(life.directory), TaskQueue())
    assert not isinstance(caught.value, StoreDamaged)


# --- the salt -----------------------------------------------------------------------


def forged(salt: int, synced: int) -> bytes:
    """A block that claims to know so much to be on disk."""
    record: list[Event] = [Pushed("forged", NOW, NOW, b"")]
    body = format.journal_body([format.pack_record(record)])
    return format.block(body, salt, synced)


@pytest.mark.parametrize("knows_the_salt", [False, True])
def test_a_payload_cannot_pass_for_a_block(
    tmp_path: Path, knows_the_salt: bool
) -> None:
    """When the block that holds it is torn, recovery finds the payload behind the tear.

    Who could know the salt could make it refuse; so this test can fail.
    """
    life = lived(tmp_path / "data")
    path = life.directory / JOURNAL
    salt = format.read_header(str(path), path.read_bytes(), format.JOURNAL, 1)
    salt ^= 0 if knows_the_salt else 1
    payload = bytes(50) + forged(salt, life.ends[-1] + 1) + bytes(50)
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("evil", NOW, NOW, payload)])
    store.commit()
    killed(store)
    whole, _ = recovered(life.directory)
    assert whole.tasks["evil"].spec == payload
    data = bytearray(path.read_bytes())
    data[life.ends[-1] + 16] ^= 1
    path.write_bytes(data)
    if knows_the_salt:
        damaged(life.directory)
    else:
        torn, _ = recovered(life.directory)
        assert ranked(torn) == life.states[-1]


def test_a_payload_that_is_this_very_journal_does_not_pass_for_it(
    tmp_path: Path,
) -> None:
    """Its blocks have the right salt, but they know of nothing beyond themselves."""
    life = lived(tmp_path / "data")
    path = life.directory / JOURNAL
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("backup", NOW, NOW, path.read_bytes())])
    store.commit()
    killed(store)
    data = bytearray(path.read_bytes())
    data[life.ends[-1] + 16] ^= 1
    path.write_bytes(data)
    torn, _ = recovered(life.directory)
    assert ranked(torn) == life.states[-1]


# --- forgetting ---------------------------------------------------------------------


def test_what_a_dump_replaces_is_forgotten(tmp_path: Path) -> None:
    for generation in (1, 2, 3, 4):
        (tmp_path / f"journal-{generation:08}.msgpack").touch()
        (tmp_path / f"dump-{generation:08}.msgpack").touch()
    (tmp_path / "lock").touch()
    (tmp_path / "journal-1.msgpack").touch()
    forget_before(str(tmp_path), 3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "dump-00000003.msgpack",
        "dump-00000004.msgpack",
        "journal-00000003.msgpack",
        "journal-00000004.msgpack",
        "journal-1.msgpack",
        "lock",
    ]


def test_a_copy_of_the_directory_is_a_backup(life: Life, tmp_path: Path) -> None:
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("more", NOW, NOW, b"")])
    store.commit()
    shutil.copytree(life.directory, tmp_path / "backup")
    store.close()
    again, _ = recovered(tmp_path / "backup")
    assert ranked(again) == ranked(queue)
    apply(again, [Leased("more", NOW, 1)])
