"""What the public may ask of one task, of the queue that has it."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.channel.messages import seal
from poussetaches.errors import ChannelError, Conflict, InvalidInput, NotFound
from poussetaches.model.events import (
    Died,
    Event,
    Expired,
    Leased,
    Pushed,
    Recurred,
    Scheduled,
    Succeeded,
)
from poussetaches.model.lookup import find, find_live, find_replaceable
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Spec, State, Submission, Task, Terms
from poussetaches.supervisor.meters import Meters
from poussetaches.supervisor.task_verbs import TaskVerbs
from tests.support.queues import NOW, POLICY, apply

SPEC = seal(Spec("http://h/"))
OTHER = seal(Spec("http://h/other"))
ENDED = ("done", "dead", "late")


@pytest.fixture
def queue() -> TaskQueue:
    queue = TaskQueue()
    events: list[Event] = [
        *(Pushed(id, NOW, NOW, SPEC) for id in ("waiting", "held", *ENDED)),
        *(Leased(id, NOW, 1) for id in ("held", "done", "dead")),
        Succeeded("done", NOW, 1, 200),
        Died("dead", NOW, 1, 500, b"no"),
        Expired("late", NOW),
        Scheduled("run", NOW, "@daily", SPEC),
        Recurred("run", NOW, NOW + 60, NOW + 60),
    ]
    apply(queue, events)
    return queue


class Clock:
    """Stands still."""

    @staticmethod
    def now() -> float:
        return NOW + 1


class Dispatch:
    """Has all slots free."""

    slots = free = 16
    draining = False

    def __init__(self) -> None:
        self.begun: list[Task] = []
        self.is_resting = False

    def rests(self, now: float) -> bool:
        return self.is_resting

    def begin(self, task: Task, now: float) -> None:
        self.begun.append(task)


class Keeper:
    """Decides and applies, and writes nothing down."""

    clock = Clock()

    def __init__(self, queue: TaskQueue) -> None:
        self.queue = queue
        self.meters = Meters(queue, NOW)

    def decide(self, decision: Any) -> list[Event]:
        events: list[Event] = decision(self.queue, NOW + 1, POLICY)
        apply(self.queue, events)
        return events


def view(task: Task) -> tuple[Any, ...]:
    return task.id, task.spec, task.state


def check(submission: Submission) -> None:
    if not submission.id:
        raise ChannelError("no id")


@pytest.fixture
def dispatch() -> Dispatch:
    return Dispatch()


@pytest.fixture
def verbs(queue: TaskQueue, dispatch: Dispatch) -> dict[str, Any]:
    return TaskVerbs(Keeper(queue), dispatch, view, check).table()  # type: ignore[arg-type]


def test_a_task_is_found_whatever_has_become_of_it(queue: TaskQueue) -> None:
    assert find(queue, "waiting").state is State.WAITING
    assert [find(queue, id).state.value for id in ENDED] == [
        "succeeded",
        "dead",
        "expired",
    ]
    with pytest.raises(NotFound):
        find(queue, "nobody")


def test_of_a_schedule_the_live_run_is_found(queue: TaskQueue) -> None:
    apply(queue, [Leased("run", NOW, 1), Succeeded("run", NOW, 1, 200)])
    assert find(queue, "run").state is State.SUCCEEDED
    apply(queue, [Recurred("run", NOW, NOW + 90, NOW + 90)])
    assert find(queue, "run").state is State.WAITING


@pytest.mark.parametrize("id", ENDED)
def test_what_has_ended_is_not_changed_any_more(queue: TaskQueue, id: str) -> None:
    for look in (find_live, find_replaceable):
        with pytest.raises(Conflict, match="already"):
            look(queue, id)


def test_only_what_waits_for_itself_is_replaced(queue: TaskQueue) -> None:
    assert find_replaceable(queue, "waiting").id == "waiting"
    with pytest.raises(Conflict, match="under way"):
        find_replaceable(queue, "held")
    with pytest.raises(Conflict, match="run of a schedule"):
        find_replaceable(queue, "run")


def test_a_cancelled_task_is_shown_and_gone(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    for id in ("waiting", "held"):
        assert verbs["task"](id=id)[0] == id
        assert verbs["cancel"](id=id) == (id, SPEC, State.CANCELLED)
        with pytest.raises(NotFound):
            verbs["task"](id=id)
    assert queue.counts.cancelled == 2
    assert queue.difference() == 0


def test_a_dead_letter_is_shown_and_gone(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    assert verbs["cancel"](id="dead") == ("dead", SPEC, State.DEAD)
    with pytest.raises(NotFound):
        verbs["task"](id="dead")
    for id in ("done", "late"):
        with pytest.raises(Conflict):
            verbs["cancel"](id=id)
    # It was dead, and has been: nobody is to think that it was cancelled.
    assert (queue.counts.dead, queue.counts.cancelled) == (1, 0)


def test_what_waits_is_run_by_whoever_has_room(
    queue: TaskQueue, verbs: dict[str, Any], dispatch: Dispatch
) -> None:
    verbs["run"](id="waiting")
    assert dispatch.begun == [queue.tasks["waiting"]]
    for id in ("held", "run", *ENDED):
        with pytest.raises(Conflict):
            verbs["run"](id=id)
    assert len(dispatch.begun) == 1


def test_a_dead_letter_is_retried(queue: TaskQueue, verbs: dict[str, Any]) -> None:
    fresh_id = "f" * 32
    with pytest.raises(Conflict, match="not dead: it has succeeded"):
        verbs["retry"](id="done", fresh_id=fresh_id)
    assert verbs["retry"](id="dead", fresh_id=fresh_id)[0] == "dead"
    apply(queue, [Leased("run", NOW + 1, 1), Died("run", NOW + 1, 1, 500, b"")])
    apply(queue, [Recurred("run", NOW + 1, NOW + 90, NOW + 90)])
    assert verbs["retry"](id="run", fresh_id=fresh_id)[0] == fresh_id
    assert queue.tasks.keys() == {"waiting", "held", "dead", "run", fresh_id}
    assert queue.difference() == 0


@pytest.mark.parametrize("fresh_id", [7, "f", "0" * 32])
def test_a_fresh_id_is_one(
    queue: TaskQueue, verbs: dict[str, Any], fresh_id: Any
) -> None:
    apply(queue, [Pushed("0" * 32, NOW, NOW, SPEC)])
    with pytest.raises(ChannelError):
        verbs["retry"](id="dead", fresh_id=fresh_id)


def test_a_cancelled_run_leaves_its_schedule_going_on(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    before = queue.tasks["run"].slot
    verbs["cancel"](id="run")
    assert queue.tasks["run"].slot > before


def test_a_replaced_task_is_another_one_under_its_id(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    asked = ("f" * 32, OTHER, 5.0, "", Terms(3))
    assert verbs["replace"](id="waiting", submission=asked) == (
        "waiting",
        OTHER,
        State.WAITING,
    )
    assert queue.tasks["waiting"].eta == NOW + 6
    assert queue.tasks["waiting"].terms.max_retries == 3
    assert queue.difference() == 0


def test_an_edit_changes_what_it_says_and_keeps_the_time(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    told = verbs["editable"](id="waiting")
    assert told["task"] == ("waiting", SPEC, State.WAITING)
    asked = ("f" * 32, OTHER, 0.0, "", Terms(3))
    given = {"id": "waiting", "version": told["version"], "submission": asked}
    assert verbs["edit"](**given, keeps_time=True)[1] == OTHER
    task = queue.tasks["waiting"]
    assert (task.eta, task.terms.max_retries) == (NOW, 3)
    # Somebody else has looked at it before.
    with pytest.raises(Conflict, match="changed meanwhile"):
        verbs["edit"](**given, keeps_time=True)
    given["version"] = task.order
    verbs["edit"](**given, keeps_time=True)
    assert queue.tasks["waiting"].order == given["version"], "nothing was to change"
    verbs["edit"](**given, keeps_time=False)
    assert queue.tasks["waiting"].eta == NOW + 1


def test_only_what_waits_for_itself_is_edited(verbs: dict[str, Any]) -> None:
    for id in ("held", "run", *ENDED):
        with pytest.raises(Conflict):
            verbs["editable"](id=id)


def test_why_it_is_not_running_by_the_wall_clock(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    queue.skew = 100.0
    assert verbs["why"](id="run") == (
        "run",
        "waiting",
        "default",
        "",
        [("not_due", "It is due in 59 s.", NOW + 160, {"seconds": 59.0})],
        NOW + 160,
        59.0,
    )
    [(code, _, until, _)] = verbs["why"](id="dead")[4]
    assert (code, until) == ("ended", None)


def test_a_full_disk_is_why_nothing_begins(
    verbs: dict[str, Any], dispatch: Dispatch
) -> None:
    [(code, *_)] = verbs["why"](id="waiting")[4]
    assert code == "next"
    dispatch.is_resting = True
    [(code, _, until, _)] = verbs["why"](id="waiting")[4]
    assert (code, until) == ("disk_full", None)


@pytest.mark.parametrize(
    "arguments",
    [{"version": "1", "keeps_time": True}, {"version": 1, "keeps_time": 1}],
)
def test_a_nonsensical_edit_is_the_end_of_who_sent_it(
    verbs: dict[str, Any], arguments: dict[str, Any]
) -> None:
    with pytest.raises(ChannelError):
        verbs["edit"](id="waiting", submission=("f" * 32, OTHER), **arguments)


def test_a_replacement_for_no_queue_is_refused(
    queue: TaskQueue, verbs: dict[str, Any]
) -> None:
    asked = ("f" * 32, OTHER, 5.0, "", Terms(queue="nowhere"))
    with pytest.raises(InvalidInput, match="nowhere"):
        verbs["replace"](id="waiting", submission=asked)
    assert queue.tasks["waiting"].spec == SPEC


@pytest.mark.parametrize(
    "arguments",
    [
        {"id": 7, "submission": ("f" * 32, OTHER)},
        {"id": "waiting", "submission": 7},
        {"id": "waiting", "submission": ("f" * 32, "no bytes")},
        {"id": "waiting", "submission": ("", OTHER)},
        {"id": "waiting", "submission": ("f" * 40, OTHER, 0.0, "@daily")},
    ],
)
def test_nonsense_is_the_end_of_who_sent_it(
    verbs: dict[str, Any], arguments: dict[str, Any]
) -> None:
    with pytest.raises(ChannelError):
        verbs["replace"](**arguments)
