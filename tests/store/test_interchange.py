"""What is exported is imported, the same; and nothing else is taken."""

from __future__ import annotations

import dataclasses
import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from poussetaches import archive
from poussetaches.archive import fields
from poussetaches.channel.messages import seal
from poussetaches.errors import InvalidInput
from poussetaches.model.attempt import Attempt
from poussetaches.model.backoff import Growth
from poussetaches.model.counts import Counts
from poussetaches.model.decisions import push
from poussetaches.model.endings import conclude
from poussetaches.model.events import (
    ClockStepped,
    Died,
    Event,
    Failed,
    Leased,
    Paused,
    Pushed,
    Succeeded,
)
from poussetaches.model.keys import EndedKey
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import unschedule
from poussetaches.model.rules import Rules
from poussetaches.model.task import (
    How,
    LastRun,
    Report,
    Schedule,
    Spec,
    Special,
    State,
    Submission,
    Task,
    Terms,
)
from poussetaches.schema import parse_push
from poussetaches.store.addition import Addition, add
from poussetaches.store.interchange import export, line_count, read_export
from tests.support.pushes import bodies
from tests.support.queues import NOW, OK, POLICY, apply, ranked, state

RULES = Rules("UTC")
SPEC = seal(Spec("http://127.0.0.1:1/x", bytes(range(256)), 204))
#: What an import makes of the URL, as a push does.
ORIGIN = "http://127.0.0.1:1"
PLAIN = Terms(origin=ORIGIN)
#: What is a queue's own.
OWN = {"counts": (), "latest": 0.0}
BARE = seal(Spec("http://127.0.0.1:1/x"))


@pytest.fixture
def queue() -> TaskQueue:
    """One with something of everything."""
    queue = TaskQueue()
    events: list[Event] = [
        Pushed("waiting", NOW, NOW + 0.1, SPEC, PLAIN),
        Pushed("retried", NOW, NOW, BARE, Terms(-1, "", ORIGIN)),
        Leased("retried", NOW, 1),
        Failed("retried", NOW + 1, 1, 500, b"\xff\0no", NOW + 2.5),
        Pushed("held", NOW, NOW, SPEC, Terms(7, "", ORIGIN)),
        Leased("held", NOW, 1),
        Pushed("done", NOW, NOW, SPEC, PLAIN),
        Leased("done", NOW, 1),
        Succeeded("done", NOW + 1 / 3, 1, 204),
        Pushed("dead", NOW, NOW, SPEC, Terms(0, "", ORIGIN)),
        Leased("dead", NOW, 1),
        Died("dead", NOW + 1, 1, -1, b"no answer"),
    ]
    apply(queue, events)
    apply(
        queue, push(queue, Submission("dropped", BARE, 0, "@daily", PLAIN), NOW, POLICY)
    )
    apply(queue, [Leased("dropped", NOW, 1)])
    apply(queue, unschedule(queue, NOW))
    for id, text in (("every", "@every 90s"), ("daily", "30 2 * * *")):
        submission = Submission(id, SPEC, schedule=text, terms=Terms(3, "", ORIGIN))
        apply(queue, push(queue, submission, NOW, POLICY))
    apply(queue, [Leased("every", NOW, 1)])
    run = queue.tasks["every"]
    apply(queue, conclude(queue, run, OK, NOW, 0.5, POLICY))
    apply(queue, push(queue, Submission("again", SPEC, terms=PLAIN), NOW, POLICY))
    return queue


def ignore(amount: int) -> None:
    """No progress is shown."""


def exported(queue: TaskQueue) -> list[bytes]:
    lines = [*export(queue, POLICY)]
    assert len(lines) == line_count(queue) + 1
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    return lines


def imported(lines: list[bytes], into: TaskQueue | None = None) -> TaskQueue:
    steps: list[int] = []
    addition = read_export(lines, RULES, steps.append)
    assert sum(steps) == sum(map(len, lines))
    both, _ = add(into or TaskQueue(), addition, NOW, POLICY)
    assert both.difference() == 0
    return both


def refused(*lines: bytes | dict[str, Any]) -> str:
    """The sentence with which an export of these lines is refused."""
    data = [ln if isinstance(ln, bytes) else json.dumps(ln).encode() for ln in lines]
    with pytest.raises(InvalidInput) as caught:
        read_export(data, RULES, ignore)
    return caught.value.message


def task(**given: Any) -> dict[str, Any]:
    return {"kind": "task", "id": "a", "url": "http://h/"} | given


def test_what_is_exported_is_imported_the_same(queue: TaskQueue) -> None:
    apply(queue, [Paused(NOW)])
    again = imported(exported(queue))
    # The counts are of what is there, and nothing has happened to it here.
    assert ranked(again) | OWN == ranked(queue) | OWN
    assert again.counts == Counts(len(queue.tasks) + 3, succeeded=2, dead=1)
    assert exported(imported(exported(again))) == exported(again)


def test_everything_of_a_task_is_in_its_line(queue: TaskQueue) -> None:
    lines = [json.loads(line) for line in exported(queue)]
    (waiting,) = [line for line in lines if line.get("id") == "waiting"]
    assert waiting == {
        "kind": "task",
        "id": "waiting",
        "state": "waiting",
        "url": "http://127.0.0.1:1/x",
        "payload": b64encode(bytes(range(256))).decode(),
        "expected": 204,
        "schedule": "",
        "slot": 0.0,
        "eta": NOW + 0.1,
        "order": queue.tasks["waiting"].order,
        "attempts": 0,
        "last_run_at": 0.0,
        "error_status": 0,
        "error": None,
        "max_retries": None,
        "key": "",
        "how": None,
        "queue": "default",
        "special": None,
        "begun_at": 0.0,
        "pushed_at": NOW,
        "leased_at": 0.0,
        "worker": 0,
        "past": [],
        "dropped": 0,
    }


@pytest.mark.parametrize(
    ("line", "thing", "inside"),
    [
        (archive.TaskLine, Task, {"spec", "terms"}),
        (archive.ScheduleLine, Schedule, {"spec", "text", "terms"}),
    ],
)
def test_no_field_is_left_behind(line: Any, thing: Any, inside: set[str]) -> None:
    """Whoever gives a task another field gives the lines of an export one, too."""
    fields = {one.name for one in dataclasses.fields(thing)} - inside
    if thing is Schedule:
        fields.add("schedule")
    fields |= {*Spec._fields, *Terms._fields}
    if thing is Schedule:
        fields.remove("key")  # it is recognised by its id
    fields.remove("origin")  # it is in the URL
    assert set(line.__struct_fields__) == fields


@pytest.mark.parametrize(
    ("line", "thing"),
    [
        (fields.HowLine, How),
        (fields.ReportLine, Report),
        (fields.SpecLine, Spec),
        (fields.SpecialLine, Special),
        (fields.GrowthLine, Growth),
        (fields.LastRunLine, LastRun),
    ],
)
def test_nor_is_one_of_what_is_in_a_task(line: Any, thing: Any) -> None:
    assert line.__struct_fields__ == thing._fields


#: Everything a task may have that few have.
HOW = How("PUT", (("X-One", "1"),), True, True, '{"a":1}')
SPECIAL = Special(
    eta=NOW + 1,
    expires=NOW + 2.5,
    timeout=0.5,
    waits=(1.0, 2.0),
    group="g",
    roll_back="http://h/back",
    on_success="http://h/done",
)
OF_A_SCHEDULE = Special(
    growth=Growth(1.0, 60.0, 4),
    name="cleanup",
    timezone="Europe/Paris",
    missed="all",
    overlap="queue",
)
REPORT = Report(
    "dead",
    "a",
    seal(Spec("http://h/", b"{}", ("2xx", 404), HOW)),
    "mail",
    3,
    -1,
    b"\xff no",
    NOW + 1 / 3,
)


@pytest.mark.parametrize(
    "task",
    [
        Task("t", seal(Spec("http://h/", b"1", "2xx", HOW)), "", 0.0, NOW, 1),
        Task("t", seal(Spec("http://h/", None, (200, "4xx"))), "", 0.0, NOW, 1),
        Task("t", seal(Spec("http://h/", how=How(report=REPORT))), "", 0.0, NOW, 1),
        Task("t", BARE, "", 0.0, NOW, 1, attempts=2, begun_at=NOW - 1 / 3),
        Task(
            "t",
            seal(Spec("http://h/", how=How(keep_result=True))),
            "",
            0.0,
            NOW,
            1,
            pushed_at=NOW - 9.5,
            leased_at=NOW - 1 / 3,
            worker=2,
            past=(
                Attempt(
                    7,
                    NOW,
                    0.0,
                    NOW + 1 / 3,
                    2,
                    -1,
                    "deferred",
                    "connect",
                    b"\xff",
                    "ab",
                ),
            ),
            dropped=3,
        ),
        Task(
            "t",
            BARE,
            "",
            0.0,
            NOW,
            1,
            terms=Terms(5, "k", ORIGIN, "mail", SPECIAL),
        ),
        Task(
            "t",
            BARE,
            "@daily",
            NOW,
            NOW,
            1,
            terms=Terms(None, "", ORIGIN, "mail", OF_A_SCHEDULE),
        ),
    ],
)
def test_the_rare_things_of_a_task_come_back(task: Task) -> None:
    line = archive.task_line(task)
    again = archive.read_line(line, RULES)
    assert isinstance(again, Task)
    assert again == dataclasses.replace(
        task, terms=task.terms._replace(origin=again.terms.origin)
    )
    assert archive.task_line(again) == line


def test_the_rare_things_of_a_schedule_come_back() -> None:
    last = LastRun(NOW, NOW + 1 / 3, "dead", 3, 500)
    terms = Terms(3, "", ORIGIN, "mail", OF_A_SCHEDULE)
    schedule = Schedule("s", "@daily", BARE, terms, True, last)
    assert archive.read_line(archive.schedule_line(schedule), RULES) == schedule


@settings(max_examples=300)
@given(bodies())
def test_whatever_was_pushed_is_imported_the_same(body: dict[str, Any]) -> None:
    pushed = parse_push(json.dumps(body).encode(), RULES)
    id, spec, _, text, terms = pushed
    task = Task(id, seal(spec), text, 0.0, NOW, 1, terms=Terms.of(terms))
    assert archive.read_line(archive.task_line(task), RULES) == task


def test_the_last_run_of_a_schedule_is_told_by_the_wall_clock() -> None:
    last = LastRun(NOW, NOW + 5, "succeeded", 1, 200)
    schedules = [
        Schedule("e", "@every 90s", BARE, PLAIN, True, last),
        Schedule("d", "@daily", BARE, PLAIN, True, last),
    ]
    there = TaskQueue()
    there.apply(ClockStepped(NOW, 1000.0))
    both, _ = add(there, Addition(schedules, []), NOW, POLICY)
    kept = [both.schedules[id].last for id in ("e", "d")]
    assert kept == [
        last._replace(slot=NOW - 1000, at=NOW - 995),
        last._replace(at=NOW - 995),
    ]
    again = [archive.read_line(line, RULES) for line in exported(both)[1:]]
    assert again == schedules


def test_an_import_brings_the_times_of_the_wall_clock(queue: TaskQueue) -> None:
    """The timelines of the two queues stand differently."""
    queue.apply(ClockStepped(NOW, 1000.0))
    into = TaskQueue()
    into.apply(ClockStepped(NOW, -500.0))
    after = imported(exported(queue), into)
    assert after.skew == -500.0
    assert after.tasks["waiting"].eta == NOW + 0.1 + 1500
    assert after.tasks["retried"].last_run_at == NOW + 1 + 1500
    assert after.tasks["waiting"].last_run_at == 0.0
    # Slots of fields are moments of the wall clock, those that are counted are not.
    assert after.tasks["daily"].slot == queue.tasks["daily"].slot
    assert after.tasks["daily"].eta == queue.tasks["daily"].eta + 1500
    assert after.succeeded["every"].slot == queue.succeeded["every"].slot + 1500


def test_a_rule_that_cannot_be_read_any_more_is_exported(queue: TaskQueue) -> None:
    queue.succeeded["done"].schedule = "61 * * * *"
    queue.apply(ClockStepped(NOW, 1000.0))
    assert b"61 * * * *" in b"".join(exported(queue))


def test_known_ids_are_skipped_and_counted(queue: TaskQueue) -> None:
    lines = exported(queue)
    into = TaskQueue()
    apply(into, [Pushed("waiting", NOW, NOW, BARE), Pushed("mine", NOW, NOW, BARE)])
    apply(into, [Pushed("done", NOW, NOW, BARE), Paused(NOW)])
    before = state(into)
    addition = read_export(lines, RULES, ignore)
    both, tally = add(into, addition, NOW, POLICY)
    assert state(into) == before
    assert tally.skipped == {"waiting", "done"}
    assert both.tasks["waiting"].spec == BARE
    assert both.tasks["done"].state is State.WAITING
    assert tally.tasks[State.WAITING] == 4
    assert tally.tasks[State.LEASED] == 2
    assert (tally.tasks[State.SUCCEEDED], tally.tasks[State.DEAD]) == (1, 1)
    assert tally.schedules == 2
    assert both.paused
    assert not tally.paused
    again, tally = add(both, addition, NOW, POLICY)
    assert state(again) == state(both)
    assert len(tally.skipped) == len({one.id for one in addition.tasks})
    assert sum(tally.tasks.values()) == 0


def test_own_tasks_come_before_imported_ones_of_the_same_time(
    queue: TaskQueue,
) -> None:
    into = TaskQueue()
    apply(into, [Pushed("mine", NOW, NOW, BARE)])
    both = imported(exported(queue), into)
    orders = [one.order for one in both.tasks.values()]
    assert len(set(orders)) == len(orders)
    assert both.tasks["mine"].order < both.tasks["retried"].order
    apply(both, push(both, Submission("new", BARE), NOW, POLICY))
    assert both.tasks["new"].order > max(orders)


def test_a_pause_comes_along_into_an_empty_queue_only(queue: TaskQueue) -> None:
    apply(queue, [Paused(NOW)])
    lines = exported(queue)
    into = TaskQueue()
    apply(into, [Pushed("mine", NOW, NOW, BARE)])
    assert imported(lines).paused
    assert not imported(lines, into).paused


def test_lines_may_be_taken_out_and_written_by_hand() -> None:
    lines = [
        b'{"kind": "schedule", "id": "s", "schedule": "@hourly", "url": "http://h/"}\n',
        b'{"kind": "task", "url": "http://h/", "id": "t"}',
    ]
    queue = imported(lines)
    assert queue.tasks["t"].eta == 0.0
    # The schedule came without its next run.
    assert queue.tasks["s"].slot == NOW + 3600
    assert queue.counts.accepted == 2


def report(**how: Any) -> dict[str, Any]:
    return {
        "event": "dead",
        "id": "b",
        "spec": {"url": "http://h/", "payload": "eA==", "how": how},
        "queue": "default",
        "attempts": 1,
        "status": 500,
        "error": None,
        "at": NOW,
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "line 1: not whole JSON"),
        (b'{"kind": "task", "id": "a"', "line 1: not whole JSON"),
        (b"\xff", "line 1: not whole JSON"),
        (b"[" * 100_000, "line 1: "),
        (b"[]", "Expected `object`"),
        ({}, "missing required field `kind`"),
        ({"kind": "thing"}, "'thing'"),
        (task(id=None), "$.id"),
        (task(id="a b"), "$.id"),
        (task(id="a\n"), "$.id"),
        (task(url="ftp://h/"), "scheme ftp"),
        (task(expected=7), "expected: 7 is no status"),
        (task(expected=7, state="leased", attempts=1), "expected: 7 is no status"),
        (task(state="gone"), "$.state"),
        (task(state="cancelled"), "cancelled tasks are kept nowhere"),
        (task(state="leased"), "must have an attempt"),
        (task(schedule="* * *"), "schedule: "),
        (task(payload="no base64"), "$.payload"),
        (task(eta="soon"), "$.eta"),
        (task(eta=1e300), "$.eta"),
        (task(attempts=-1), "$.attempts"),
        (task(max_retries=-2), "$.max_retries"),
        (task(queue="a b"), "queue: "),
        (task(queue=""), "queue: "),
        (task(expected=[]), "expected: "),
        (task(expected=["9xx"]), "expected: "),
        (task(expected=[1000]), "$.expected"),
        (task(how={"colour": 1}), "colour"),
        (task(how={"method": "TRACE"}), "method: "),
        (task(how={"headers": [["X", "a\r\nb"]]}), "headers: "),
        (task(how={"headers": [["X"]]}), "$.how.headers"),
        (task(how={"metadata": "x" * 5000}), "metadata: "),
        (task(how={"metadata": "no json"}), "metadata: "),
        (task(how={"metadata": '"caf\xe9"'}), "metadata: "),
        (task(how={"is_json": True}, payload="eA=="), "json: "),
        (task(how={"is_json": True}, payload="eA==", state="dead"), "json: "),
        (task(how={"metadata": "no json"}, state="succeeded"), "metadata: "),
        (task(how={"report": {"event": "born"}}), "$.how.report"),
        (task(how={"report": report(metadata="no json")}), "metadata: "),
        (task(how={"report": report(is_json=True)}), "json: "),
        (task(special={"timeout": 0}), "timeout: "),
        (task(special={"waits": [-1]}), "backoff: "),
        (task(special={"growth": {"least": 2, "most": 1}}), "backoff: "),
        (task(special={"name": "n"}), "name: "),
        (task(special={"roll_back": "/back"}), "roll_back: "),
        (task(schedule="@daily", special={"timezone": "Mars"}), "timezone: "),
        (task(schedule="@daily", special={"missed": "some"}), "missed: "),
        (task(surprise=1), "surprise"),
        (
            {"kind": "schedule", "id": "a", "url": "http://h/", "schedule": ""},
            "schedule: empty",
        ),
        (
            {"kind": "schedule", "id": "a", "url": "h", "schedule": "@daily"},
            "must be a full URL",
        ),
        ({"kind": "export", "format": 2, "version": "2", "lines": 0}, "newer"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_taken(
    line: bytes | dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(line)
    good = task(id="good")
    message = refused(good, line)
    assert message.startswith("line 2: ")


def test_what_has_ended_may_be_what_nobody_can_push() -> None:
    line = json.dumps(task(url="nonsense", expected=0, state="dead")).encode()
    assert imported([line]).dead["a"].state is State.DEAD


def test_the_key_of_what_expired_stays_known() -> None:
    """What expired was never delivered: nothing but its moment says when that was."""
    line = task(state="expired", key="k", special={"expires": NOW - 60})
    queue = imported([json.dumps(line).encode()])
    assert [*queue.keys.ended()] == [EndedKey("k", "a", NOW - 60)]


def test_a_task_cannot_stand_in_two_lines() -> None:
    assert "line 2: this stands in an earlier line" in refused(task(), task())
    held = task(state="leased", attempts=1)
    assert "line 2: this stands in an earlier line" in refused(task(), held)
    schedule = {"kind": "schedule", "id": "s", "schedule": "@daily", "url": "http://h"}
    assert "line 2" in refused(schedule, schedule)


def test_a_run_must_be_one_of_its_schedule() -> None:
    schedule = {"kind": "schedule", "id": "a", "schedule": "@daily", "url": "http://h"}
    assert "schedule a is not one of it" in refused(schedule, task())


def test_a_cut_export_is_refused(queue: TaskQueue) -> None:
    lines = exported(queue)
    for length in range(1, len(lines)):
        assert "cut off" in refused(*lines[:length])
    assert "cut off" in refused(*lines, task(id="more"))
    assert "line 3: not whole JSON" in refused(*lines[:2], lines[2][:-5])
    assert refused() == "there is nothing in it"


def test_two_exports_in_one_file_are_refused(queue: TaskQueue) -> None:
    lines = exported(queue)
    message = refused(*lines, *lines)
    assert message.startswith(f"line {len(lines) + 1}: another export begins here")


def test_an_addition_of_nothing_changes_nothing(queue: TaskQueue) -> None:
    both, _ = add(queue, Addition([], []), NOW, POLICY)
    assert ranked(both) == ranked(queue)


def test_lines_are_json_for_everybody(queue: TaskQueue) -> None:
    for line in exported(queue):
        assert json.loads(line) == msgspec.json.decode(line)
