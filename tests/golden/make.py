"""Writes the golden stores of this code's version: ``python -m tests.golden.make``.

Only those that are not there yet. The files of older versions are what the disks of
users hold; they are never written again. Of one version there is another store whenever
something was added to it: the first one shows that what lacks it can be read, the next
one that it can.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from poussetaches.model import events
from poussetaches.model.backoff import Growth
from poussetaches.model.events import Event
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, Terms
from poussetaches.store import format
from poussetaches.store.dump import write_dump
from poussetaches.store.journal import Journal

HERE = Path(__file__).parent
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


#: The same of what came with queues and policies.
SPECIAL = Special(
    BEGIN + 500.0,
    BEGIN + 900.0,
    12.5,
    (1.0, 60.0),
    Growth(10.0, 300.0, 3),
    "groupe é",
    "http://a/back",
    "http://a/done",
)
BY_NAME = Special(
    name="nightly", timezone="Europe/Paris", missed="all", overlap="queue"
)


def policed(special: Special | None, queue: str = "mail") -> Terms:
    return Terms(None, "", "http://a:80", queue, special)


MORE_BEFORE: list[Event] = [
    events.QueueSet("mail", BEGIN, {"rate": [20.0, "m"], "concurrency": 4}, {}),
    events.QueueSet("by hand", BEGIN, None, {"paused": True}),
    events.Pushed("head", BEGIN, BEGIN, b"spec", policed(SPECIAL)),
    events.Pushed("behind", BEGIN, BEGIN - 5.0, b"spec", policed(SPECIAL)),
    events.Pushed("expired", BEGIN, BEGIN, b"spec", policed(None)),
    events.Expired("expired", BEGIN + 1.0),
    events.Leased("head", BEGIN + 2.0, 1),
    events.Deferred("head", BEGIN + 3.0, 1, 503, b"away", BEGIN + 4.0),
    events.Scheduled("s", BEGIN, "30 2 * * *", b"spec", policed(BY_NAME)),
    events.Recurred("s", BEGIN, BEGIN + 10.0, BEGIN + 10.0),
    events.Leased("s", BEGIN + 11.0, 1),
    events.Succeeded("s", BEGIN + 12.0, 1, 200),
    events.SchedulePaused("s", BEGIN + 13.0),
]

MORE_JOURNAL: list[list[list[Event]]] = [
    [[events.QueueSet("mail", BEGIN + 20.0, None, {"backoff": [1.0, None, 2]})]],
    [[events.QueueDropped("by hand", BEGIN + 21.0)]],
    [[events.Leased("head", BEGIN + 22.0, 1)]],
    [[events.Deferred("head", BEGIN + 23.0, 1, -1, b"refused", BEGIN + 23.0)]],
    [[events.Replaced("behind", BEGIN + 24.0, BEGIN + 99.0, b"new", policed(None))]],
    [[events.Expired("head", BEGIN + 25.0)]],
    [
        [
            events.ScheduleResumed("s", BEGIN + 26.0),
            events.Rescheduled("s", BEGIN + 26.0, "@hourly", b"", policed(BY_NAME)),
            events.Recurred("s", BEGIN + 26.0, BEGIN + 3600.0, BEGIN + 3600.0),
        ]
    ],
]

#: The same of what came with the history of attempts.
ATTEMPTS_BEFORE: list[Event] = [
    events.Pushed("retrying", BEGIN, BEGIN, b"spec"),
    events.Leased("retrying", BEGIN + 1.0, 1, 2),
    events.Failed(
        "retrying", BEGIN + 2.0, 1, 503, b"busy", BEGIN + 3.0, "status", "ab12"
    ),
    events.Leased("retrying", BEGIN + 3.0, 2, 1),
    events.Pushed("kept", BEGIN, BEGIN, b"spec"),
    events.Leased("kept", BEGIN + 1.0, 1, 1),
    events.Succeeded("kept", BEGIN + 2.0, 1, 200, "cd34", b"the result \xff"),
]

ATTEMPTS_JOURNAL: list[list[list[Event]]] = [
    [[events.Failed("retrying", BEGIN + 4.0, 2, -1, b"gone", BEGIN + 5.0, "lost")]],
    [[events.Leased("retrying", BEGIN + 5.0, 3, 1)]],
    [
        [
            events.Deferred(
                "retrying", BEGIN + 6.0, 3, 200, b"", BEGIN + 7.0, "snooze", "ef56"
            )
        ]
    ],
    [[events.Leased("retrying", BEGIN + 7.0, 3, 2)]],
    [[events.Died("retrying", BEGIN + 8.0, 3, 410, b"gone", "dead", "0a1b")]],
    [[events.Pushed("late", BEGIN + 9.0, BEGIN + 9.0, b"spec")]],
    [[events.Leased("late", BEGIN + 9.5, 1, 4)]],
]

#: The same of dead letters that came back.
REVIVED_BEFORE: list[Event] = [
    events.Pushed("before", BEGIN, BEGIN, b"spec", policed(SPECIAL)),
    events.Leased("before", BEGIN + 1.0, 1, 2),
    events.Died("before", BEGIN + 2.0, 1, 503, b"busy", "status", "ab12"),
    events.Revived("before", BEGIN + 3.0, BEGIN + 3.0),
    events.Pushed("after", BEGIN, BEGIN, b"spec", KEYED),
    events.Leased("after", BEGIN + 1.0, 1, 1),
    events.Died("after", BEGIN + 2.0, 1, 500, b"broken", "status", "cd34"),
]

REVIVED_JOURNAL: list[list[list[Event]]] = [
    [[events.Leased("before", BEGIN + 3.5, 1, 1)]],
    [[events.Revived("after", BEGIN + 4.0, BEGIN + 4.0)]],
    [[events.Leased("after", BEGIN + 4.5, 1, 1)]],
]

STORES = {
    "store-1": (BEFORE, JOURNAL),
    "store-1-policies": (MORE_BEFORE, MORE_JOURNAL),
    "store-1-attempts": (ATTEMPTS_BEFORE, ATTEMPTS_JOURNAL),
    "store-1-revived": (REVIVED_BEFORE, REVIVED_JOURNAL),
}


def main() -> None:
    missing = [name for name in STORES if not (HERE / name).exists()]
    if not missing:
        sys.exit("all golden stores are there already")
    # The same bytes whoever runs this.
    secrets.randbits = lambda k: 0x5EED_5A17
    for name in missing:
        _write(HERE / name, *STORES[name])


def _write(folder: Path, before: list[Event], ticks: list[list[list[Event]]]) -> None:
    folder.mkdir()
    queue = TaskQueue()
    for event in before:
        queue.apply(event)
    write_dump(str(folder), GENERATION, queue)
    journal = Journal.create(str(folder), GENERATION)
    for tick in ticks:
        journal.append([format.pack_record(record) for record in tick])
        journal.sync()
    journal.end()
    journal.close()


if __name__ == "__main__":
    main()
