"""The bytes on disk."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import StoreDamaged, StoreError
from poussetaches.model import events
from poussetaches.model.events import Cancelled, Event, Paused, Pushed
from poussetaches.model.task import Schedule, State, Task
from poussetaches.store import format
from poussetaches.store.format import Block, BlockReader, Tail

SALT = 0x5EED_5A17
PATH = "some/file"

NUMBERS = st.integers(-(2**63), 2**64 - 1)
MOMENTS = st.floats()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
BYTES = st.binary(max_size=200)
LIMITS = st.none() | NUMBERS

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(events.Pushed, TEXTS, MOMENTS, MOMENTS, BYTES, LIMITS),
    st.builds(events.Scheduled, TEXTS, MOMENTS, TEXTS, BYTES, LIMITS),
    st.builds(events.Recurred, TEXTS, MOMENTS, MOMENTS, MOMENTS),
    st.builds(events.Unscheduled, TEXTS, MOMENTS),
    st.builds(events.Leased, TEXTS, MOMENTS, NUMBERS),
    st.builds(events.Succeeded, TEXTS, MOMENTS, NUMBERS, NUMBERS),
    st.builds(events.Failed, TEXTS, MOMENTS, NUMBERS, NUMBERS, BYTES, MOMENTS),
    st.builds(events.Died, TEXTS, MOMENTS, NUMBERS, NUMBERS, BYTES),
    st.builds(events.Cancelled, TEXTS, MOMENTS),
    st.builds(events.Moved, TEXTS, MOMENTS, MOMENTS),
    st.builds(events.Paused, MOMENTS),
    st.builds(events.Resumed, MOMENTS),
    st.builds(events.ClockStepped, MOMENTS, MOMENTS),
)
TASKS = st.builds(
    Task,
    id=TEXTS,
    spec=BYTES,
    schedule=TEXTS,
    slot=MOMENTS,
    eta=MOMENTS,
    order=NUMBERS,
    state=st.sampled_from(State),
    attempts=NUMBERS,
    last_run_at=MOMENTS,
    error_status=NUMBERS,
    error=st.none() | BYTES,
    max_retries=LIMITS,
)


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN is equal to NaN, and of the same types."""
    return repr(one) == repr(other)


# --- events and rows ----------------------------------------------------------------


@given(st.lists(st.lists(EVENTS, min_size=1, max_size=4), max_size=6))
def test_any_records_come_back(records: list[list[Event]]) -> None:
    packed = [format.pack_record(record) for record in records]
    body = msgpack.unpackb(format.journal_body(packed))
    assert same(list(format.unpack_journal(body)), records)


def test_the_codes_of_the_events_are_for_ever() -> None:
    """Every code is on the disks of users. New ones go to the end."""
    assert {code: kind.__name__ for code, kind in format.EVENTS.items()} == {
        1: "Pushed",
        2: "Scheduled",
        3: "Recurred",
        4: "Unscheduled",
        5: "Leased",
        6: "Succeeded",
        7: "Failed",
        8: "Died",
        9: "Cancelled",
        10: "Moved",
        11: "Paused",
        12: "Resumed",
        13: "ClockStepped",
    }
    assert format.STATES[:5] == [
        State.WAITING,
        State.LEASED,
        State.SUCCEEDED,
        State.DEAD,
        State.CANCELLED,
    ]
    assert format.VERSION == 1


def test_every_event_has_a_code_and_every_state_a_number() -> None:
    kinds = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and kind.__module__ == events.__name__
    }
    assert set(format.CODES) == kinds
    assert set(format.STATES) == set(State)


@pytest.mark.parametrize(
    "event", [Cancelled("a" + chr(0xD800), 0.0), events.Leased("a", 0.0, 2**64)]
)
def test_what_cannot_be_packed_spoils_nothing_after_it(event: Event) -> None:
    with pytest.raises((OverflowError, UnicodeEncodeError)):
        format.pack_record([Paused(1.0), event])
    packed = format.pack_record([Paused(2.0)])
    assert msgpack.unpackb(packed) == [[11, 2.0]]


@given(TASKS)
def test_any_task_comes_back(task: Task) -> None:
    packed = format.pack_dump("tasks", [format.task_row(task)])
    kind, [row] = msgpack.unpackb(packed)
    assert kind == "tasks"
    assert same(format.row_task(row), task)


@given(st.builds(Schedule, TEXTS, TEXTS, BYTES, LIMITS))
def test_any_schedule_comes_back(schedule: Schedule) -> None:
    packed = format.pack_dump("schedules", [format.schedule_row(schedule)])
    _, [row] = msgpack.unpackb(packed)
    assert format.row_schedule(row) == schedule


# --- the header ---------------------------------------------------------------------


def test_a_header_is_these_bytes() -> None:
    assert format.header(format.JOURNAL, 7, 0x01020304) == (
        b"PTJOURNL" + bytes([0, 0, 0, 1, 0, 0, 0, 7, 1, 2, 3, 4]) + b"U,\x8f\xc2"
    )


@given(st.integers(1, 99_999_999), st.integers(0, 2**32 - 1), BYTES)
def test_a_header_gives_the_salt_back(generation: int, salt: int, rest: bytes) -> None:
    data = format.header(format.DUMP, generation, salt) + rest
    assert format.read_header(PATH, data, format.DUMP, generation) == salt


def test_every_bit_of_a_header_counts() -> None:
    head = format.header(format.JOURNAL, 1, SALT)
    for bit in range(len(head) * 8):
        flipped = bytearray(head)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreDamaged) as caught:
            format.read_header(PATH, bytes(flipped), format.JOURNAL, 1)
        assert caught.value.path == PATH
        assert caught.value.offset == (0 if bit < 64 else 20)


@pytest.mark.parametrize("length", range(24))
def test_a_header_that_is_cut_is_no_header(length: int) -> None:
    head = format.header(format.JOURNAL, 1, SALT)[:length]
    with pytest.raises(StoreDamaged, match="within its header"):
        format.read_header(PATH, head, format.JOURNAL, 1)


def test_a_file_under_the_name_of_another_is_refused() -> None:
    head = format.header(format.JOURNAL, 1, SALT)
    with pytest.raises(StoreDamaged, match="no such file of poussetaches"):
        format.read_header(PATH, head, format.DUMP, 1)
    with pytest.raises(StoreDamaged, match="says generation 1"):
        format.read_header(PATH, head, format.JOURNAL, 2)


def test_a_file_of_a_newer_version_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(format, "VERSION", 2)
    head = format.header(format.JOURNAL, 1, SALT)
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"some/file .*newer.*format 2.* 1") as caught:
        format.read_header(PATH, head, format.JOURNAL, 1)
    assert not isinstance(caught.value, StoreDamaged)


# --- blocks -------------------------------------------------------------------------


def file_of(*bodies: Any, synced: int = 0, tail: bytes = b"") -> bytes:
    """A file with a block of each body, all written in the knowledge of ``synced``."""
    blocks = [format.block(msgpack.packb(body), SALT, synced) for body in bodies]
    return b"".join([format.header(format.JOURNAL, 1, SALT), *blocks, tail])


def read(data: bytes) -> tuple[list[Block], Tail]:
    reader = BlockReader(PATH, data, SALT)
    return list(reader), reader.tail


def test_a_block_is_these_bytes() -> None:
    length_and_synced = bytes([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3])
    assert format.block(b"\x01", 2, 3) == (
        b"\xc1\xc1PT" + length_and_synced + b"\xdc\xc0\xfb\xa2" + b"\x01"
    )


@given(st.lists(BYTES, max_size=5), st.integers(0, 100))
def test_blocks_come_back_with_where_they_stand(
    bodies: list[bytes], zeros: int
) -> None:
    blocks, tail = read(file_of(*bodies, tail=bytes(zeros)))
    assert [block.body for block in blocks] == bodies
    offsets = [24, *(block.end for block in blocks)]
    assert [block.offset for block in blocks] == offsets[:-1]
    assert tail == Tail(offsets[-1], 0)


def test_every_bit_of_a_block_counts() -> None:
    whole = file_of([1, b"two"])
    for bit in range(24 * 8, len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        blocks, tail = read(bytes(flipped))
        assert blocks == []
        assert tail.offset == 24
        assert tail.torn > 0


def test_a_block_of_another_file_is_none() -> None:
    """The salt: what lay there before, or in a payload, does not pass for ours."""
    foreign = format.block(msgpack.packb("foreign"), SALT + 1)
    blocks, tail = read(file_of("ours", tail=foreign))
    assert [block.body for block in blocks] == ["ours"]
    assert tail.torn == len(foreign)


def test_a_block_without_a_body_is_none() -> None:
    """Or a row of marks would be a row of blocks."""
    blocks, tail = read(file_of("ours", tail=format.block(b"", SALT)))
    assert len(blocks) == 1
    assert tail.torn > 0


@pytest.mark.parametrize(
    ("synced", "is_damage"), [(0, False), (24, False), (25, True), (1000, True)]
)
def test_a_block_that_was_on_disk_when_a_later_one_was_written_is_damage(
    synced: int, is_damage: bool
) -> None:
    data = bytearray(file_of("first", "second", synced=synced))
    data[24 + 20] ^= 1
    if is_damage:
        with pytest.raises(StoreDamaged, match="byte 24: the checksum") as caught:
            read(bytes(data))
        assert (caught.value.path, caught.value.offset) == (PATH, 24)
    else:
        assert read(bytes(data)) == ([], Tail(24, len(data) - 24))


def test_damage_is_found_behind_any_number_of_marks_and_torn_blocks() -> None:
    blocks = [format.block(msgpack.packb(n), SALT, 30) for n in range(4)]
    for number in range(3):
        blocks[number] = blocks[number][:-1]
    rubbish = format.MARK * 3 + b"\xc1\xc1P"
    data = format.header(format.JOURNAL, 1, SALT) + rubbish.join(blocks)
    with pytest.raises(StoreDamaged, match="byte 24"):
        read(data)


def test_pushed_can_be_read_without_what_was_added_later() -> None:
    [[event]] = format.unpack_journal([[[1, "a", 1.0, 2.0, b"spec"]]])
    assert event == Pushed("a", 1.0, 2.0, b"spec", None)
