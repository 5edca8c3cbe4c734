"""The stores of every version stay readable for ever (see tests/golden/make.py)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from poussetaches.model.attempt import Attempt
from poussetaches.model.backoff import Growth
from poussetaches.model.counts import Counts
from poussetaches.model.events import Leased
from poussetaches.model.queue import TaskQueue
from poussetaches.model.size import size_of
from poussetaches.model.task import Schedule, State, Task, Terms
from poussetaches.store import format
from poussetaches.store.dump import read_dump
from tests.golden import make
from tests.support.queues import ranked
from tests.support.stores import opened, recovered, take

GOLDEN = Path(__file__).parents[1] / "golden"
BEGIN = 1_767_225_600.0


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A copy of the store of version 1, as recovery writes where it reads."""
    return Path(shutil.copytree(GOLDEN / "store-1", tmp_path / "store"))


def test_every_version_has_its_golden_store() -> None:
    versions = {int(path.name.split("-")[1]) for path in GOLDEN.glob("store-*")}
    assert versions == set(range(1, format.VERSION + 1))


WAITING = Task(
    "waiting",
    b"spec of waiting",
    "",
    0.0,
    BEGIN + 3600.0,
    1,
    terms=Terms(None, "clé"),
)


def test_the_dump_of_version_1(store: Path) -> None:
    queue = TaskQueue()
    read_dump(str(store), 7, queue)
    assert queue.tasks == {
        "waiting": WAITING,
        "leased": Task(
            "leased",
            b"spec of leased",
            "",
            0.0,
            BEGIN,
            2,
            State.LEASED,
            attempts=1,
            terms=Terms(-1),
        ),
        "retrying": Task(
            "retrying",
            b"",
            "",
            0.0,
            BEGIN + 6.5,
            4,
            attempts=1,
            last_run_at=BEGIN + 2.0,
            error_status=503,
            error=b"busy",
            terms=Terms(3),
        ),
        "hourly": Task(
            "hourly",
            b"spec of hourly",
            "@hourly",
            BEGIN + 3600.0,
            BEGIN + 3602.5,
            8,
            terms=Terms(2),
        ),
    }
    assert queue.leased == {"leased": queue.tasks["leased"]}
    assert queue.schedules == {
        "hourly": Schedule("hourly", "@hourly", b"spec of hourly", Terms(2))
    }
    assert queue.succeeded == {
        "succeeded": Task(
            "succeeded",
            b"\xc1\xc1PT",
            "",
            0.0,
            BEGIN - 2.0,
            5,
            State.SUCCEEDED,
            attempts=1,
            last_run_at=BEGIN + 2.0,
            terms=Terms(None, "once"),
        )
    }
    assert queue.dead == {
        "dead": Task(
            "dead",
            b"spec of dead",
            "",
            0.0,
            BEGIN - 3.0,
            6,
            State.DEAD,
            attempts=1,
            last_run_at=BEGIN + 3.0,
            error_status=-1,
            error=b"\xff\x00no route",
            terms=Terms(0),
        )
    }
    assert queue.counts == Counts(accepted=7, succeeded=1, dead=1, cancelled=1)
    assert queue.paused
    assert (queue.skew, queue.latest) == (-2.5, BEGIN + 5.0)
    assert list(queue.keys.ended()) == [("once", "succeeded", BEGIN + 2.0)]
    assert queue.keys.known("clé", BEGIN) == "waiting"


def test_the_store_of_version_1(store: Path) -> None:
    queue, found = recovered(store)
    assert (found.records, found.torn, found.journal.generation) == (14, 0, 7)
    retrying, ended = queue.dead["retrying"], queue.succeeded["leased"]
    assert retrying.past == (
        Attempt(
            2,
            BEGIN + 6.5,
            BEGIN + 12.0,
            BEGIN + 13.0,
            0,
            500,
            "failed",
            "",
            b"broken",
            "",
        ),
    )
    # Nobody knows when the first one began: it was under way when the dump was written.
    assert [(one.began_at, one.outcome) for one in ended.past] == [
        (0.0, "failed"),
        (BEGIN + 14.0, "succeeded"),
    ]
    assert queue.tasks["pushed"].pushed_at == BEGIN + 11.0
    forget_attempts(queue)
    moved = Task("moved", b"", "", 0.0, BEGIN + 50.0, 11)
    pushed = Task(
        "pushed",
        b"spec of pushed",
        "",
        0.0,
        BEGIN + 11.0,
        9,
        State.LEASED,
        attempts=1,
        terms=Terms(5),
        begun_at=BEGIN + 17.0,
    )
    recurred = Task("élève", b"spec", "@every 5s", BEGIN + 21.0, BEGIN + 21.0, 13)
    assert queue.tasks == {task.id: task for task in (WAITING, moved, pushed, recurred)}
    assert queue.leased == {"pushed": pushed}
    assert queue.turns.first() == recurred
    assert queue.schedules == {"élève": Schedule("élève", "@every 5s", b"spec")}
    assert list(queue.succeeded) == ["succeeded", "leased"]
    assert queue.succeeded["leased"] == Task(
        "leased",
        b"spec of leased",
        "",
        0.0,
        BEGIN + 14.0,
        12,
        State.SUCCEEDED,
        attempts=2,
        last_run_at=BEGIN + 15.0,
        error_status=-1,
        error=b"gone",
        terms=Terms(-1),
    )
    assert list(queue.dead) == ["retrying"]
    assert queue.dead["retrying"] == Task(
        "retrying",
        b"",
        "",
        0.0,
        BEGIN + 6.5,
        4,
        State.DEAD,
        attempts=2,
        last_run_at=BEGIN + 13.0,
        error_status=500,
        error=b"broken",
        terms=Terms(3),
    )
    assert queue.counts == Counts(accepted=10, succeeded=2, dead=2, cancelled=2)
    assert queue.difference() == 0
    assert queue.paused
    assert (queue.skew, queue.latest) == (1.25, BEGIN + 19.0)


def test_a_store_of_version_1_goes_on(store: Path) -> None:
    """What today's code appends is read together with what was there."""
    going, queue = opened(store)
    take(going, queue, [Leased("élève", BEGIN + 21.0, 1)])
    going.close()
    again, found = recovered(store)
    assert found.records == 15
    assert set(again.leased) == {"pushed", "élève"}
    assert ranked(again) == ranked(queue)


def test_what_was_added_to_version_1(tmp_path: Path) -> None:
    """Queues, policies and what came with them."""
    expected, queue = both("store-1-policies", tmp_path)
    for one in (expected, queue):
        forget_attempts(one)
    assert ranked(queue) == ranked(expected)
    assert queue.tasks.keys() == {"behind", "s"}
    assert list(queue.expired) == ["expired", "head"]
    assert queue.turns.queues.keys() == {"default", "mail"}
    assert queue.turns.queues["mail"].settings.backoff == Growth(1.0, None, 2)
    schedule = queue.schedules["s"]
    assert (schedule.text, schedule.paused) == ("@hourly", False)
    assert schedule.last is not None
    assert schedule.last.outcome == "succeeded"


def test_attempts_were_added_to_version_1(tmp_path: Path) -> None:
    expected, queue = both("store-1-attempts", tmp_path)
    assert ranked(queue) == ranked(expected)
    (dead,) = queue.dead.values()
    assert [one.outcome for one in dead.past] == [
        "failed",
        "lost",
        "deferred",
        "failed",
    ]
    assert [one.kind for one in dead.past] == ["status", "lost", "snooze", "dead"]
    (kept,) = queue.succeeded.values()
    assert kept.past[0].excerpt == b"the result \xff"
    assert queue.tasks["late"].worker == 4


def test_revivals_were_added_to_version_1(tmp_path: Path) -> None:
    expected, queue = both("store-1-revived", tmp_path)
    assert ranked(queue) == ranked(expected)
    assert not queue.dead
    assert queue.counts.dead == 0
    # Their attempts start over, and what they were is remembered.
    after = queue.tasks["after"]
    assert (after.attempts, [one.status for one in after.past]) == (1, [500])
    assert queue.keys.known("clé", BEGIN + 5.0) == "after"


def both(name: str, tmp_path: Path) -> tuple[TaskQueue, TaskQueue]:
    """What happened to the queue of a golden store, and what is read of it."""
    before, ticks = make.STORES[name]
    expected = TaskQueue()
    for event in before:
        expected.apply(event)
    for tick in ticks:
        for record in tick:
            for event in record:
                expected.apply(event)
    store = Path(shutil.copytree(GOLDEN / name, tmp_path / "store"))
    queue, _ = recovered(store)
    return expected, queue


def forget_attempts(queue: TaskQueue) -> None:
    """What a dump of that time knows nothing of."""
    for task in (*queue.tasks.values(), *queue.remembered):
        queue.size -= size_of(task)
        task.pushed_at = task.leased_at = 0.0
        task.past = ()
        queue.size += size_of(task)


def test_every_kind_of_event_is_in_a_golden_store() -> None:
    found: set[type] = set()
    for before, ticks in make.STORES.values():
        found.update(map(type, before))
        found.update(type(e) for tick in ticks for record in tick for e in record)
    assert found == {*format.EVENTS.values()}
