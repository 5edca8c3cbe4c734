"""Writes the golden store of this code's version: ``python -m tests.golden.make``.

Only for a version that has none yet. The files of older versions are what the disks of
users hold; they are never written again.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from poussetaches.model import events
from poussetaches.model.events import Event
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Terms
from poussetaches.store import format
from poussetaches.store.dump import write_dump
from poussetaches.store.journal import Journal

GENERATION = 7
BEGIN = 1_767_225_600.0
KEYED = Terms(None, "clé")

#: What had happened before the dump: it has something of every kind.
BEFORE: list[Event] = [
    events.Pushed("waiting", BEGIN, BEGIN + 3600.0, b"spec of waiting", KEYED),
    events.Pushed("leased", BEGIN, BEGIN, b"spec of leased", Terms(-1)),
    events.Leased("leased", BEGIN + 1.0, 1),
    events.Pushed("retrying", BEGIN - 1.0, BEGIN - 1.0, b"", Terms(3)),
    events.Leased("retrying", BEGIN + 1.0, 1),
    events.Failed("retrying", BEGIN + 2.0, 1, 503, b"busy", BEGIN + 6.5),
    events.Pushed(
        "succeeded", BEGIN - 2.0, BEGIN - 2.0, b"\xc1\xc1PT", Terms(None, "once")
    ),
    events.Leased("succeeded", BEGIN + 1.0, 1),
    events.Succeeded("succeeded", BEGIN + 2.0, 1, 204),
    events.Pushed("dead", BEGIN - 3.0, BEGIN - 3.0, b"spec of dead", Terms(0)),
    events.Leased("dead", BEGIN + 1.0, 1),
    events.Died("dead", BEGIN + 3.0, 1, -1, b"\xff\x00no route"),
    events.Pushed("cancelled", BEGIN, BEGIN, b""),
    events.Cancelled("cancelled", BEGIN + 1.0),
    events.Scheduled("hourly", BEGIN, "@hourly", b"spec of hourly", Terms(2)),
    events.Recurred("hourly", BEGIN, BEGIN + 3600.0, BEGIN + 3602.5),
    events.ClockStepped(BEGIN + 4.0, -2.5),
    events.Paused(BEGIN + 5.0),
]

#: What happened after it, as the ticks of the supervisor wrote it: every kind of event.
JOURNAL: list[list[list[Event]]] = [
    [[events.Resumed(BEGIN + 10.0)]],
    [
        [
            events.Pushed(
                "pushed", BEGIN + 11.0, BEGIN + 11.0, b"spec of pushed", Terms(5)
            ),
            events.Pushed("moved", BEGIN + 11.0, BEGIN + 99.0, b""),
        ],
        [events.Moved("moved", BEGIN + 11.0, BEGIN + 50.0)],
    ],
    [[events.Leased("retrying", BEGIN + 12.0, 2)]],
    [[events.Died("retrying", BEGIN + 13.0, 2, 500, b"broken")]],
    [[events.Failed("leased", BEGIN + 13.0, 1, -1, b"gone", BEGIN + 14.0)]],
    [[events.Leased("leased", BEGIN + 14.0, 2)]],
    [[events.Succeeded("leased", BEGIN + 15.0, 2, 200)]],
    [
        [
            events.Unscheduled("hourly", BEGIN + 16.0),
            events.Cancelled("hourly", BEGIN + 16.0),
        ],
        [
            events.Scheduled("élève", BEGIN + 16.0, "@every 5s", b"spec"),
            events.Recurred("élève", BEGIN + 16.0, BEGIN + 21.0, BEGIN + 21.0),
        ],
    ],
    [[events.Leased("pushed", BEGIN + 17.0, 1)]],
    [[events.Forgotten("dead", BEGIN + 17.5)]],
    [[events.ClockStepped(BEGIN + 18.0, 1.25)], [events.Paused(BEGIN + 19.0)]],
]


def main() -> None:
    folder = Path(__file__).parent / f"store-{format.VERSION}"
    if folder.exists():
        sys.exit(f"{folder} is there already")
    folder.mkdir()
    queue = TaskQueue()
    for event in BEFORE:
        queue.apply(event)
    # The same bytes whoever runs this.
    secrets.randbits = lambda k: 0x5EED_5A17
    write_dump(str(folder), GENERATION, queue)
    journal = Journal.create(str(folder), GENERATION)
    for tick in JOURNAL:
        journal.append([format.pack_record(record) for record in tick])
        journal.sync()
    journal.end()
    journal.close()


if __name__ == "__main__":
    main()
