"""Work with dead letters, slice by slice, as a supervisor does it for an api."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.api import clearing as clearing_module
from poussetaches.api import gateway as gateway_module
from poussetaches.api.clearing import Cleared, Clearing
from poussetaches.channel.messages import url_of
from poussetaches.errors import ChannelError, QueueFull, StoreFull, Unavailable
from poussetaches.model import decisions, queue_decisions, recurrence
from poussetaches.model.filter import Filter
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, Submission, Terms
from poussetaches.schema import Selection, read_selection
from poussetaches.supervisor import dead_verbs
from tests.support.dead_letters import ORIGIN, Counter, die
from tests.support.queues import NOW, POLICY, apply

VERBS = ("retry", "delete")


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue()


@pytest.fixture
def counter(queue: TaskQueue) -> Counter:
    return Counter(queue)


@pytest.fixture
def clearing(counter: Counter) -> Clearing:
    return clearing_of(counter)


def clearing_of(counter: Counter) -> Clearing:
    return Clearing(counter.gateway())


def some(queue: TaskQueue, number: int) -> list[str]:
    """Dead letters of three causes: 0 to 2, 3 to 5 and so on; the last died last."""
    words = ("away", "broken", "refused")
    for n in range(number):
        die(queue, f"t{n}", f"{words[n % 3]} {n}", status=500 + n % 3, at=NOW + n)
    return [f"t{n}" for n in range(number)]


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_verbs, "MOST_CHANGED", 4)
    monkeypatch.setattr(clearing_module, "IDS_AT_ONCE", 3)


# --- look -----------------------------------------------------------------------------


def test_groups_say_how_many_of_what_and_since_when(
    queue: TaskQueue, clearing: Clearing
) -> None:
    some(queue, 8)
    found = clearing.groups(Filter(), limit=2, cursor=None)
    assert (found.total, found.causes) == (8, 3)
    assert [view.number for view in found.views] == [3, 3]
    (last,) = clearing.groups(Filter(), limit=2, cursor=found.cursor).views
    assert last[1:] == (
        ORIGIN,
        "/task",
        502,
        "refused <n>",
        2,
        NOW + 2,
        NOW + 5,
        "t5",
    )


def test_groups_of_a_filter_by_which_they_fall_apart(
    queue: TaskQueue, clearing: Clearing
) -> None:
    apply(queue, queue_decisions.set_queue(queue, "mail", {}, NOW))
    for n in range(9):
        die(
            queue,
            f"t{n}",
            "away",
            at=NOW + n,
            name="mail" if n % 3 else "default",
            path=f"/mail/{n % 2}",
        )
    die(queue, "other", "broken", name="mail")
    by_queue = clearing.groups(Filter("mail"), limit=1, cursor=None)
    assert (by_queue.total, by_queue.causes) == (7, 2)
    (view,) = by_queue.views
    assert (view.number, view.first, view.last, view.sample) == (
        6,
        NOW + 1,
        NOW + 8,
        "t8",
    )
    rest = clearing.groups(Filter("mail"), limit=1, cursor=by_queue.cursor)
    assert ([view.error for view in rest.views], rest.cursor) == (["broken"], None)
    by_url = clearing.groups(
        Filter(url=f"{ORIGIN}/mail/1".encode()), limit=9, cursor=None
    )
    assert [view.number for view in by_url.views] == [4]


@given(
    deaths=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 2)),
        max_size=30,
    ),
    size=st.integers(1, 7),
)
def test_a_tally_of_everything_is_what_the_groups_say(
    deaths: list[tuple[str, str, int]], size: int
) -> None:
    """However the slices fall."""
    queue = TaskQueue()
    for n, (word, path, at) in enumerate(deaths):
        die(queue, f"t{n}", word, path=f"/{path}", at=NOW + at)
    clearing = clearing_of(Counter(queue))
    whole = clearing.groups(Filter(), limit=100, cursor=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("poussetaches.model.listing.SLICE_TASKS", size)
        tallied = clearing.groups(Filter("default"), limit=100, cursor=None)
    assert [v._replace(sample="") for v in tallied.views] == [
        v._replace(sample="") for v in whole.views
    ]
    assert tallied[1:] == whole[1:]


def test_grouping_that_takes_long_goes_on_where_it_was(
    queue: TaskQueue,
    counter: Counter,
    clearing: Clearing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some(queue, 10)
    monkeypatch.setattr(dead_verbs, "SLICE_TIME", -1.0)
    monkeypatch.setattr(dead_verbs, "STRIDE", 4)
    monkeypatch.setattr(gateway_module, "GROUPING_TIME", -1.0)
    for grouped in (4, 8):
        with pytest.raises(Unavailable, match=rf"still being grouped: {grouped} of 10"):
            clearing.groups(Filter(), limit=9, cursor=None)
    assert clearing.groups(Filter(), limit=9, cursor=None).total == 10
    assert counter.calls == ["index", "index", "index", "groups"]


# --- steer ----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["retry", "delete"])
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"all": True}, range(20)),
        ({"status": "501"}, range(1, 20, 3)),
        ({"ids": ["t3", "t4", "t5", "t19", "t0"]}, (0, 3, 4, 5, 19)),
        ({"status": 501, "limit": 1}, [1]),
        ({"all": True, "limit": 6}, range(6)),
        ({"ids": ["t9", "t8", "t7", "t6", "t5"], "limit": 4}, (6, 7, 8, 9)),
        ({"queue": "nobody's"}, []),
    ],
)
def test_what_is_selected_is_cleared_and_nothing_else(
    queue: TaskQueue,
    clearing: Clearing,
    verb: str,
    selection: dict[str, Any],
    expected: Any,
) -> None:
    ids = some(queue, 20)
    cleared = clearing.clear(verb, read_selection(selection))
    gone = [ids[n] for n in expected]
    assert (cleared.done, cleared.skipped, cleared.error) == (len(gone), 0, None)
    assert set(queue.dead) == set(ids) - set(gone)
    assert set(queue.tasks) == (set(gone) if verb == "retry" else set())
    assert queue.difference() == 0


def test_a_cause_is_cleared_in_the_order_of_dying(
    queue: TaskQueue, clearing: Clearing
) -> None:
    some(queue, 20)
    groups = clearing.groups(Filter(), limit=9, cursor=None)
    cause = next(v.cause for v in groups.views if v.status == 502)
    canary = clearing.clear("retry", read_selection({"cause": cause, "limit": 1}))
    assert (canary.done, [*queue.tasks]) == (1, ["t2"])
    assert clearing.clear("delete", read_selection({"cause": cause})).done == 5
    assert {task.error_status for task in queue.dead.values()} == {500, 501}
    assert clearing.clear("delete", read_selection({"cause": cause})).done == 0


def test_an_answer_says_where_to_go_on(queue: TaskQueue, clearing: Clearing) -> None:
    """And what has died since is not taken, not even for the first time."""
    ids = some(queue, 10)
    cursor: str | None = None
    cleared: list[int] = []
    while True:
        given = {"all": True, "limit": 4} | ({"cursor": cursor} if cursor else {})
        told = clearing.clear("retry", read_selection(given))
        cleared.append(told.done)
        for id in [*queue.tasks]:
            die(queue, id, "again", at=NOW + 2000.0)
        die(queue, f"new{len(cleared)}", at=NOW + 2000.0)
        if told.cursor is None:
            break
        cursor = told.cursor
    assert sum(cleared) == len(ids)
    assert len(queue.dead) == len(ids) + len(cleared)
    assert all(task.error == b"again" for id, task in queue.dead.items() if id in ids)


def test_what_dies_again_meanwhile_is_not_taken_twice(
    queue: TaskQueue, counter: Counter, clearing: Clearing
) -> None:
    ids = some(queue, 30)

    def between() -> None:
        counter.keeper.clock.time += 1.0
        for id in [*queue.tasks]:
            die(queue, id, "again", at=counter.keeper.clock.time)

    counter.between = between
    for selection in (Selection(None), Selection(ids)):
        calls = len(counter.calls)
        assert clearing.clear("retry", selection) == Cleared(30, 0, None)
        assert len(counter.calls) < calls + 30
    assert all(task.error == b"again" for task in queue.dead.values())


@given(seed=st.integers(0, 2**32), verbs=st.tuples(*[st.sampled_from(VERBS)] * 2))
def test_two_clearings_at_once_do_each_thing_once(
    seed: int, verbs: tuple[str, str]
) -> None:
    queue = TaskQueue()
    ids = some(queue, 25)
    rng = random.Random(seed)
    first, second = Counter(queue), Counter(queue)
    others: list[Cleared] = []

    def between() -> None:
        if not others and rng.random() < 0.3:
            others.append(clearing_of(second).clear(verbs[1], Selection(None)))

    first.between = between
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dead_verbs, "MOST_CHANGED", 4)
        cleared = clearing_of(first).clear(verbs[0], Selection(None))
    others = others or [clearing_of(second).clear(verbs[1], Selection(None))]
    assert cleared.done + others[0].done == len(ids)
    assert not queue.dead
    assert len(queue.tasks) == sum(
        told.done
        for told, verb in ((cleared, verbs[0]), (others[0], verbs[1]))
        if verb == "retry"
    )


def test_ids_that_are_no_dead_letters_are_skipped(
    queue: TaskQueue, clearing: Clearing
) -> None:
    some(queue, 4)
    decide = decisions.push(queue, Submission("live", b"spec"), NOW, POLICY)
    apply(queue, decide)
    selection = Selection(["t0", "nobody", "live", "t1", "t2", "t3"])
    assert clearing.clear("delete", selection) == Cleared(4, 2, None)


def test_what_cannot_come_back_is_skipped(queue: TaskQueue, clearing: Clearing) -> None:
    ids = some(queue, 6)
    expired = queue.dead["t2"]
    expired.terms = expired.terms._replace(special=Special(expires=NOW))
    gone = queue.dead["t4"]
    gone.terms = gone.terms._replace(queue="gone")
    assert clearing.clear("retry", Selection(None)) == Cleared(4, 2, None)
    assert [*queue.dead] == ["t2", "t4"]
    assert clearing.clear("retry", Selection(ids)) == Cleared(0, 6, None)


def test_a_dead_run_of_a_schedule_comes_back_as_a_task_of_its_own(
    queue: TaskQueue, clearing: Clearing
) -> None:
    submission = Submission("s" * 40, b"spec", 0.0, "@hourly", Terms(0))
    apply(queue, decisions.push(queue, submission, NOW, POLICY))
    die(queue, "s" * 40, at=NOW + 10)
    assert clearing.clear("retry", Selection(None)).done == 1
    assert not queue.dead
    (id,) = {*queue.tasks} - {"s" * 40}
    assert len(id) == 32
    apply(queue, recurrence.unschedule(queue, NOW + 2000))


@pytest.mark.parametrize(
    "error", [QueueFull("full", retry_after=10), StoreFull("no room")]
)
@pytest.mark.parametrize("selection", [Selection(None), Selection(["t0", "t1", "t2"])])
def test_what_was_done_before_it_was_full_is_told(
    queue: TaskQueue,
    counter: Counter,
    clearing: Clearing,
    error: Unavailable,
    selection: Selection,
) -> None:
    some(queue, 20)
    room = [2]

    def full() -> None:
        if not room[0]:
            raise error
        room[0] -= 1

    counter.keeper.full = full
    cleared = clearing.clear("retry", selection)
    assert (cleared.done, cleared.skipped) == (2, 0)
    assert type(cleared.error) is type(error)
    assert cleared.error is not None
    assert cleared.error.retry_after == error.retry_after
    # Nothing was done: then it is an error like any other.
    with pytest.raises(type(error)):
        clearing.clear("retry", selection)
    assert len(queue.tasks) == 2
    room[0] = 100
    if cleared.cursor is not None:
        given = {"all": True, "cursor": cleared.cursor}
        assert clearing.clear("retry", read_selection(given)).done == 18


def test_a_long_clearing_ends_with_where_to_go_on(
    queue: TaskQueue, clearing: Clearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(queue, 10)
    monkeypatch.setattr(clearing_module, "CLEARING_TIME", -1.0)
    cleared = clearing.clear("delete", Selection(None))
    assert cleared.done == 4
    assert cleared.cursor is not None
    # Whoever names them has them all.
    assert clearing.clear("delete", Selection([*queue.dead])).done == 6


NONSENSE: list[dict[str, Any]] = [
    {"ids": "t0"},
    {"ids": [1]},
    {"ids": ["t0"] * 2000},
    {"before": "now"},
    {"before": float("nan")},
    {"cursor": 5},
    {"limit": 0},
    {"limit": True},
    {"filter": [None] * 5},
]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("verb", ["retry", "delete"])
def test_nonsense_of_a_child_changes_nothing(
    queue: TaskQueue, counter: Counter, verb: str, nonsense: dict[str, Any]
) -> None:
    some(queue, 3)
    sound = {"filter": Filter(), "ids": None, "before": None, "cursor": None}
    with pytest.raises(ChannelError):
        counter.call(f"dead_{verb}", **(sound | {"limit": 5} | nonsense))
    assert len(queue.dead) == 3


def test_a_cause_is_not_known_before_all_are_grouped(
    queue: TaskQueue, counter: Counter
) -> None:
    some(queue, 3)
    asked = {"filter": Filter(cause="0" * 16), "ids": None, "before": None}
    with pytest.raises(Unavailable, match="not been grouped yet"):
        counter.call("dead_delete", **asked, cursor=None, limit=5)
    assert queue.dead.causes(url_of).catch_up(10)
    assert counter.call("dead_delete", **asked, cursor=None, limit=5)["done"] == 0
