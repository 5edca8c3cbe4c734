"""The bytes on disk."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.errors import StoreDamaged, StoreError
from poussetaches.model import events
from poussetaches.model.attempt import Attempt
from poussetaches.model.backoff import Growth
from poussetaches.model.events import Cancelled, Event, Paused, Pushed
from poussetaches.model.task import (
    PLAIN,
    LastRun,
    Schedule,
    Special,
    State,
    Task,
    Terms,
)
from poussetaches.store import format

SALT = 0x5EED_5A17
PATH = "some/file"

NUMBERS = st.integers(-(2**63), 2**64 - 1)
#: Of a negative zero a row keeps no sign.
MOMENTS = st.floats().map(lambda moment: moment + 0.0)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
BYTES = st.binary(max_size=200)
GROWTHS = st.builds(Growth, MOMENTS, st.none() | MOMENTS, st.none() | NUMBERS)
SPECIALS = st.builds(Special, growth=st.none() | GROWTHS)
TERMS = st.builds(Terms, st.none() | NUMBERS, TEXTS, special=st.none() | SPECIALS)

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(events.Pushed, TEXTS, MOMENTS, MOMENTS, BYTES, TERMS),
    st.builds(events.Scheduled, TEXTS, MOMENTS, TEXTS, BYTES, TERMS),
    st.builds(events.Recurred, TEXTS, MOMENTS, MOMENTS, MOMENTS),
    st.builds(events.Unscheduled, TEXTS, MOMENTS),
    st.builds(events.Rescheduled, TEXTS, MOMENTS, TEXTS, BYTES, TERMS),
    st.builds(events.SchedulePaused, TEXTS, MOMENTS),
    st.builds(events.ScheduleResumed, TEXTS, MOMENTS),
    st.builds(events.Leased, TEXTS, MOMENTS, NUMBERS, NUMBERS),
    st.builds(
        events.Succeeded, TEXTS, MOMENTS, NUMBERS, NUMBERS, TEXTS, st.none() | BYTES
    ),
    st.builds(
        events.Failed, TEXTS, MOMENTS, NUMBERS, NUMBERS, BYTES, MOMENTS, TEXTS, TEXTS
    ),
    st.builds(events.Died, TEXTS, MOMENTS, NUMBERS, NUMBERS, BYTES, TEXTS, TEXTS),
    st.builds(events.Cancelled, TEXTS, MOMENTS),
    st.builds(events.Moved, TEXTS, MOMENTS, MOMENTS),
    st.builds(events.Revived, TEXTS, MOMENTS, MOMENTS),
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
    terms=TERMS,
    begun_at=MOMENTS,
    pushed_at=MOMENTS,
)
ATTEMPTS = st.builds(
    Attempt,
    NUMBERS,
    MOMENTS,
    MOMENTS,
    MOMENTS,
    NUMBERS,
    NUMBERS,
    TEXTS,
    TEXTS,
    BYTES,
    TEXTS,
)
LAST_RUNS = st.builds(LastRun, MOMENTS, MOMENTS, TEXTS, NUMBERS, NUMBERS)


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
        14: "Forgotten",
        15: "Deferred",
        16: "Expired",
        17: "Replaced",
        18: "Rescheduled",
        19: "SchedulePaused",
        20: "ScheduleResumed",
        21: "QueueSet",
        22: "QueueDropped",
        23: "Revived",
    }
    assert format.STATES[:6] == [
        State.WAITING,
        State.LEASED,
        State.SUCCEEDED,
        State.DEAD,
        State.CANCELLED,
        State.EXPIRED,
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
    assert same(again(task), task)


@given(TASKS, NUMBERS, st.lists(ATTEMPTS, min_size=1, max_size=3), NUMBERS)
def test_any_attempts_come_back(
    task: Task, worker: int, past: list[Attempt], dropped: int
) -> None:
    task.worker, task.past, task.dropped = worker, tuple(past), dropped
    assert same(again(task), task)


def test_an_attempt_under_way_comes_back() -> None:
    task = Task("t", b"", "", 0.0, 1.0, 1, State.LEASED, leased_at=2.0, worker=3)
    assert again(task) == task


def test_a_task_without_attempts_takes_no_room_for_them() -> None:
    assert len(format.task_row(Task("t", b"", "", 0.0, 1.0, 1))) == 14


def again(task: Task) -> Task:
    """As it comes out of a dump."""
    packed = format.pack_dump("tasks", [format.task_row(task)])
    kind, [row] = msgpack.unpackb(packed)
    assert kind == "tasks"
    return format.row_task(row)


@given(
    st.builds(
        Schedule, TEXTS, TEXTS, BYTES, TERMS, st.booleans(), st.none() | LAST_RUNS
    )
)
def test_any_schedule_comes_back(schedule: Schedule) -> None:
    packed = format.pack_dump("schedules", [format.schedule_row(schedule)])
    _, [row] = msgpack.unpackb(packed)
    assert same(format.row_schedule(row), schedule)


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


def test_pushed_can_be_read_without_what_was_added_later() -> None:
    [[event]] = format.unpack_journal([[[1, "a", 1.0, 2.0, b"spec"]]])
    assert event == Pushed("a", 1.0, 2.0, b"spec", PLAIN)
