"""The bytes on disk, written down and written. ``blocks.py`` reads them in a file.

A data directory holds, beside ``lock``::

    dump-<generation>.msgpack      the whole queue at one moment
    journal-<generation>.msgpack   what happened from that moment on

Generations are eight decimal digits and count up. A journal of generation g continues
the dump of generation g; generation 1 has no dump, it continues the empty queue.

Every file is a header and then blocks, all integers big-endian::

    header   magic      8 bytes   b"PTJOURNL" or b"PTQDUMP\\n"
             version    u32       of this format: 1
             generation u32
             salt       u32       random: the checksums of this file's blocks begin with
                                  it, so no payload can pass itself off as a block
             crc        u32       CRC-32 of the 20 bytes before it

    block    mark       4 bytes   c1 c1 50 54 (c1 never occurs in msgpack)
             length     u32       of the body; never 0
             synced     u64       journal: bytes of this file known to be on disk
                                  when the block was written; dump: 0
             head_crc   u32       CRC-32 of length and synced, begun with the salt
             crc        u32       CRC-32 of the body, begun with head_crc
             body       msgpack

The body of a journal block is what one tick of the supervisor wrote: an array of
records; a record is an array of events that happen wholly or not at all; an event is an
array of its code (EVENTS below) and its fields in the order of ``model/events.py``. A
journal that was closed in good order ends with a block of no records, which was written
when everything before it was on disk.

The body of a dump block is an array ``[kind, rows]``: first one "queue" block (counts,
paused, skew, latest), then "tasks", "succeeded", "dead", "expired", "schedules", "keys"
and "queues" blocks of some hundred rows each, at last one "end" block with the number
of rows before it. A dump without it is cut.

A journal is allocated ahead of what is written, so it ends in zero bytes: where only
zeros follow is the end. A block that is not whole is damage if something after it was
written in the knowledge that it was on disk, and a torn tail otherwise. The proof is a
later head whose ``head_crc`` fits and whose ``synced`` lies beyond the beginning of the
block. Its body need not be whole: the head was made after the sync it speaks of, so it
is true however little of what came with it has reached the disk. No head claims more
than what lies before itself, and one that does is none. Where a torn tail is cut, its
bytes are zero again, and that is on disk, before anything else is written there: what
was cut cannot come back behind it.

A head is checked by itself because a payload may be full of marks, and whoever looks
for a head must not go through the rest of the file for each of them. Where one fits, it
also says how long its block is: what lies in that is never taken for a block.

**How to change this.** Fields of an event or a row may be added at its end, with a
default: older files then read as they are and VERSION stays. For anything else: raise
VERSION, keep the old reader beside the new one (chosen by the header's version), write
a golden file of the new version into ``tests/golden/``, and never touch the files of
older versions there. A file of a newer version is refused by name.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack

from poussetaches.errors import StoreDamaged, StoreError
from poussetaches.model import events
from poussetaches.model.attempt import Attempt
from poussetaches.model.events import Event
from poussetaches.model.keys import EndedKey
from poussetaches.model.named_queue import QueueRow
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.task import PLAIN, LastRun, Schedule, State, Task, Terms

VERSION = 1
JOURNAL = b"PTJOURNL"
DUMP = b"PTQDUMP\n"

HEADER = struct.Struct(">8sIII")
CRC = struct.Struct(">I")
HEADER_SIZE = HEADER.size + CRC.size
assert HEADER_SIZE == 24

MARK = b"\xc1\xc1PT"
BLOCK = struct.Struct(">4sIQII")
ARRAY = struct.Struct(">BI")  # msgpack's head of an array 32
ARRAY_OF_TWO = b"\x92"
SEALED = struct.Struct(">IQ")  # the part of a block's head that head_crc covers
assert BLOCK.size == 24

#: Event types by their code on disk. Codes are never given to another event.
EVENTS: dict[int, type[Event]] = {
    1: events.Pushed,
    2: events.Scheduled,
    3: events.Recurred,
    4: events.Unscheduled,
    5: events.Leased,
    6: events.Succeeded,
    7: events.Failed,
    8: events.Died,
    9: events.Cancelled,
    10: events.Moved,
    11: events.Paused,
    12: events.Resumed,
    13: events.ClockStepped,
    14: events.Forgotten,
    15: events.Deferred,
    16: events.Expired,
    17: events.Replaced,
    18: events.Rescheduled,
    19: events.SchedulePaused,
    20: events.ScheduleResumed,
    21: events.QueueSet,
    22: events.QueueDropped,
    23: events.Revived,
}
#: Those that have Terms, and where among their fields.
WITH_TERMS = (
    events.Pushed,
    events.Scheduled,
    events.Replaced,
    events.Rescheduled,
)
TERMS = 4
CODES = {kind: code for code, kind in EVENTS.items()}
STATES = [
    State.WAITING,
    State.LEASED,
    State.SUCCEEDED,
    State.DEAD,
    State.CANCELLED,
    State.EXPIRED,
]

Record = Sequence[Event]

#: What follows in the row of a task no attempt at which was ever begun.
NO_ATTEMPTS: tuple[Any, ...] = (0.0, 0, (), 0)

#: What unpacking a whole block raises if it holds what this code does not know: a newer
#: one, of the same VERSION, has written it. Never skipped: that would be a loss.
STRANGE = (IndexError, KeyError, TypeError, ValueError)
STRANGE_REASON = "it holds what only a newer poussetaches understands"

_pack = msgpack.Packer().pack


def header(magic: bytes, generation: int, salt: int) -> bytes:
    """The first bytes of a file."""
    head = HEADER.pack(magic, VERSION, generation, salt)
    return head + CRC.pack(zlib.crc32(head))


def read_header(path: str, data: bytes, magic: bytes, generation: int) -> int:
    """The salt of a file that begins with ``data``.

    Raises StoreDamaged if it is no such file, StoreError if it is a newer one.
    """
    if len(data) < HEADER_SIZE:
        raise StoreDamaged(path, len(data), "the file ends within its header")
    head = data[: HEADER.size]
    found_magic, version, found_generation, salt = HEADER.unpack(head)
    if found_magic != magic:
        raise StoreDamaged(path, 0, "this is no such file of poussetaches")
    if CRC.unpack_from(data, HEADER.size)[0] != zlib.crc32(head):
        raise StoreDamaged(path, HEADER.size, "the header's checksum does not fit")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer poussetaches (format {version}, "
            f"this one reads up to {VERSION})"
        )
    if found_generation != generation:
        raise StoreDamaged(path, 12, f"the header says generation {found_generation}")
    return int(salt)


def block(body: bytes, salt: int, synced: int = 0) -> bytes:
    """``body`` (packed) as a block of the file that has this ``salt``."""
    head_crc = zlib.crc32(SEALED.pack(len(body), synced), salt)
    crc = zlib.crc32(body, head_crc)
    return BLOCK.pack(MARK, len(body), synced, head_crc, crc) + body


def unpack(body: bytes | memoryview) -> Any:
    """What is in the body of a block. Raises ValueError if it is no msgpack."""
    return msgpack.unpackb(body, strict_map_key=False)


def pack_record(record: Record) -> bytes:
    """A record as it stands in the body of a journal block."""
    codes = CODES
    packed: bytes = _pack([(codes[type(event)], *event) for event in record])
    return packed


def journal_body(packed_records: Sequence[bytes]) -> bytes:
    """The body of a journal block that holds these records."""
    return ARRAY.pack(0xDD, len(packed_records)) + b"".join(packed_records)


def unpack_journal(body: Any) -> Iterator[list[Event]]:
    """The records in the (unpacked) body of a journal block."""
    for record in body:
        yield [_event(row) for row in record]


def _event(row: Sequence[Any]) -> Event:
    kind = EVENTS[row[0]]
    if kind is events.QueueSet:
        _check_layers(*row[3:5])
    if kind not in WITH_TERMS:
        return kind(*row[1:])
    fields = list(row[1:])
    if len(fields) > TERMS:
        fields[TERMS] = Terms.of(fields[TERMS])
    return kind(*fields)


def pack_dump(kind: str, rows: Any) -> bytes:
    """The body of a dump block."""
    packed: bytes = _pack([kind, rows])
    return packed


def pack_row(row: Sequence[Any]) -> bytes:
    """A row as it stands in the body of a dump block."""
    packed: bytes = _pack(row)
    return packed


def dump_body(kind: str, packed_rows: Sequence[bytes]) -> bytes:
    """The body of a dump block that holds these rows."""
    head = (ARRAY_OF_TWO, _pack(kind), ARRAY.pack(0xDD, len(packed_rows)))
    return b"".join((*head, *packed_rows))


def task_row(task: Task) -> tuple[Any, ...]:
    """A task as a dump holds it."""
    row = (
        task.id,
        task.spec,
        task.schedule,
        task.slot,
        task.eta,
        task.order,
        STATES.index(task.state),
        task.attempts,
        task.last_run_at,
        task.error_status,
        task.error,
        task.terms,
        task.begun_at,
        task.pushed_at,
    )
    if not task.leased_at and not task.past:
        return row  # no attempt was ever begun
    return (*row, task.leased_at, task.worker, task.past, task.dropped)


def row_task(row: Sequence[Any]) -> Task:
    """The task that ``task_row`` wrote."""
    id, spec, schedule, slot, eta, order, state, attempts, run_at, *rest = row
    error_status, error, *later = rest
    terms = Terms.of(later[0]) if later else PLAIN
    begun_at, pushed_at = later[1:3] if len(later) > 2 else (*later[1:2], 0.0, 0.0)[:2]
    leased_at, worker, past, dropped = later[3:] if len(later) > 3 else NO_ATTEMPTS
    return Task(
        id,
        spec,
        schedule,
        slot or 0.0,  # the one zero that all have in common, not one of its own
        eta,
        order,
        STATES[state],
        attempts,
        run_at or 0.0,
        error_status,
        error,
        terms,
        begun_at or 0.0,
        eta if pushed_at == eta else pushed_at or 0.0,
        leased_at,
        worker,
        tuple([Attempt(*one) for one in past]),
        dropped,
    )


def schedule_row(schedule: Schedule) -> tuple[Any, ...]:
    """A schedule as a dump holds it."""
    return (
        schedule.id,
        schedule.text,
        schedule.spec,
        schedule.terms,
        schedule.paused,
        schedule.last,
    )


def row_schedule(row: Sequence[Any]) -> Schedule:
    """The schedule that ``schedule_row`` wrote."""
    id, text, spec, *later = row
    terms = Terms.of(later[0]) if later else PLAIN
    paused, last = later[1:3] if len(later) > 2 else (False, None)
    return Schedule(
        id, text, spec, terms, paused, None if last is None else LastRun(*last)
    )


def row_key(row: Sequence[Any]) -> EndedKey:
    """The key of a task that has ended; it is a row as it is."""
    return EndedKey(*row)


def row_queue(row: Sequence[Any]) -> QueueRow:
    """A queue; it is a row as it is. Raises one of STRANGE for one that has settings
    which are not known."""
    queue = QueueRow(*row)
    _check_layers(queue.configured, queue.changed)
    return queue


def _check_layers(configured: Any, changed: Any) -> None:
    QueueSettings.from_wire({**(configured or {}), **changed})
