"""Dead letters, grouped by what they died of."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.channel.messages import url_of
from poussetaches.model import causes as module
from poussetaches.model.causes import OTHERS, Cause, Causes, Entry, cause_of, largest
from poussetaches.model.events import Forgotten
from poussetaches.model.filter import Filter
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER
from tests.support.dead_letters import ORIGIN, die
from tests.support.queues import NOW, reloaded


def grouped(causes: Causes) -> dict[Cause, list[str]]:
    """Ids by cause, in order of dying."""
    return {
        group.cause: [task.id for task in causes.beyond(id, None)]
        for id, group in causes.groups.items()
    }


def whole(queue: TaskQueue) -> dict[Cause, list[str]]:
    """The same, without an index."""
    found: dict[Cause, list[str]] = {}
    for task in sorted(queue.dead.values(), key=Filter(cause="").position):
        found.setdefault(cause_of(task, url_of(task.spec)), []).append(task.id)
    return found


def test_one_cause_has_one_id_and_another_another() -> None:
    queue = TaskQueue()
    one = die(queue, "a", "no user 7", path="/mail/17?x=1")
    same = die(queue, "b", "no user 4711", path="/mail/18")
    url = url_of(one.spec)
    cause = cause_of(one, url)
    assert cause == Cause(ORIGIN, "/mail/*", 500, "no user <n>")
    assert cause_of(same, url_of(same.spec)) == cause
    # Part of what people keep: it must be the same for ever.
    assert cause.id == "a1be2db169ec009e"
    others = [
        die(queue, "c", "no user 7", path="/mail/17", status=503),
        die(queue, "d", "no user 7", path="/post/17"),
        die(queue, "e", "no group 7", path="/mail/17"),
        die(queue, "f", "no user 7", path="/mail/17", status=NO_ANSWER),
    ]
    ids = {cause_of(task, url_of(task.spec)).id for task in (one, same, *others)}
    assert len(ids) == 5


def test_what_is_let_go_of_is_in_nobodys_hands() -> None:
    """Else a dump of a million dead letters takes the memory of two."""
    queue = TaskQueue()
    die(queue, "a")
    assert queue.dead.causes(url_of).catch_up(10)
    for task in queue.dead.let_go():
        holders = gc.get_referrers(task)
        assert not any(isinstance(one, Entry) for one in holders)


def test_nobody_pays_who_does_not_ask() -> None:
    queue = TaskQueue()
    die(queue, "a")
    before = queue.memory
    assert queue.dead.size == 0
    causes = queue.dead.causes(url_of)
    assert len(causes) == 0
    assert causes.catch_up(10)
    assert len(causes) == 1
    assert queue.memory == before + module.ENTRY_SIZE
    queue.apply(Forgotten("a", NOW))
    assert causes.groups == {}
    assert queue.dead.causes(url_of) is causes


@given(
    deeds=st.lists(
        st.tuples(
            st.sampled_from(["die", "die", "die", "forget", "catch up"]),
            st.integers(0, 30),
        ),
        max_size=40,
    ),
    late=st.integers(0, 20),
)
def test_the_index_is_what_a_look_at_everything_finds(
    deeds: list[tuple[str, int]], late: int
) -> None:
    """Whenever it was begun, and whatever died or went while it caught up."""
    queue = TaskQueue()
    rng = random.Random(late)
    causes: Causes | None = None
    for number, (what, pick) in enumerate(deeds):
        if number == late:
            causes = queue.dead.causes(url_of)
        if what == "die":
            # Not in order of eta.
            delay = rng.uniform(-50.0, 50.0)
            die(
                queue,
                f"t{number}",
                f"no user {pick}" if pick % 2 else "away",
                status=500 + pick % 3,
                at=NOW + number,
                delay=delay,
            )
        elif what == "forget" and queue.dead:
            id = [*queue.dead][pick % len(queue.dead)]
            queue.apply(Forgotten(id, NOW + number))
        elif causes is not None:
            causes.catch_up(1 + pick % 4)
    causes = queue.dead.causes(url_of)
    while not causes.catch_up(3):
        pass
    assert grouped(causes) == whole(queue)
    assert len(causes) == len(queue.dead)
    for group in causes.groups.values():
        first, last = group.ends
        members = whole(queue)[group.cause]
        assert (first.task.id, last.task.id) == (members[0], members[-1])
    again = reloaded(queue, TaskQueue()).dead.causes(url_of)
    again.catch_up(1000)
    assert grouped(again) == whole(queue)


def test_a_run_that_dies_again_stands_there_once() -> None:
    """Of a schedule the last dead run is kept."""
    queue = TaskQueue()
    causes = queue.dead.causes(url_of)
    assert causes.catch_up(5)
    die(queue, "a", "one thing", at=NOW)
    die(queue, "a", "another", at=NOW + 1.0)
    assert [c.error for c in grouped(causes)] == ["another"]


def test_too_many_causes_are_told_apart_by_status_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_CAUSES", 2)
    queue = TaskQueue()
    causes = queue.dead.causes(url_of)
    for number, word in enumerate(["one", "two", "three", "four", "one"]):
        die(queue, f"t{number}", word, status=503 if word == "four" else 500)
    found = {(c.error, c.status): ids for c, ids in grouped(causes).items()}
    assert found == {
        ("one", 500): ["t0", "t4"],
        ("two", 500): ["t1"],
        (OTHERS, 500): ["t2"],
        (OTHERS, 503): ["t3"],
    }
    for id in [*queue.dead]:
        queue.apply(Forgotten(id, NOW))
    assert causes.groups == {}
    assert len(causes) == 0


def test_the_largest_group_comes_first_and_a_page_goes_on_after_another() -> None:
    queue = TaskQueue()
    causes = queue.dead.causes(url_of)
    for number, word in enumerate(["a", "b", "b", "c", "c", "c", "d", "d"]):
        die(queue, f"t{number}", word)
    groups = causes.groups.values()
    seen: list[str] = []
    after = None
    while True:
        some, after = largest(groups, 1, after)
        seen += [group.cause.error for group in some]
        if after is None:
            break
    assert [seen[0], seen[-1]] == ["c", "a"]
    assert sorted(seen) == ["a", "b", "c", "d"]
    assert largest(groups, 4, None)[1] is None
    assert largest([], 4, None) == ([], None)


def test_a_group_fits_by_what_is_in_its_cause() -> None:
    queue = TaskQueue()
    causes = queue.dead.causes(url_of)
    die(queue, "a", status=503)
    (group,) = causes.groups.values()
    for fitting in (
        Filter(),
        Filter(origin=ORIGIN),
        Filter(cause=group.id),
        Filter(statuses=((404, 404), (500, 599))),
    ):
        assert group.fits(fitting)
    for other in (
        Filter(origin="http://b:80"),
        Filter(cause="0" * 16),
        Filter(statuses=((404, 404), (500, 502))),
    ):
        assert not group.fits(other)
