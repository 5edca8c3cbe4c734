"""The keeper: what is decided is on disk and in the queue alike."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import seal
from poussetaches.errors import InvalidInput, QueueFull, StoreFull, TooLarge
from poussetaches.model.backoff import DEFAULT
from poussetaches.model.bounds import UNBOUNDED, Bounds
from poussetaches.model.decisions import Policy
from poussetaches.model.endings import Outcome
from poussetaches.model.queue import TaskQueue
from poussetaches.model.recurrence import unschedule
from poussetaches.model.rules import Rules
from poussetaches.model.task import Spec, Special, State, Submission, Task, Terms
from poussetaches.store.disk import Store
from poussetaches.store.journal import Journal
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.keeper import Keeper
from tests.support.queues import FREE

POLICY = Policy(DEFAULT, Rules("UTC"), seal)


class StoppedClock(Clock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self.wall_ahead = 0.0

    def now(self) -> float:
        return self.time

    def skew(self) -> float:
        return self.wall_ahead


class House:
    """A keeper on a real store, and the means to start it anew."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.clock = StoppedClock()
        self.bounds = UNBOUNDED
        self.slots = 1
        self.keeper: Keeper
        self.start()

    def start(self) -> None:
        queue = TaskQueue()
        store, _ = Store.open(str(self._directory), "always", queue, patience=0.0)
        self.keeper = Keeper(
            queue,
            store,
            self.clock,
            POLICY,
            slots=self.slots,
            end_room=10_000,
            bounds=self.bounds,
        )

    def start_again(self) -> None:
        """Stop and start, for what was changed to count."""
        self.keeper.store.close()
        self.start()

    def crash(self) -> None:
        """Lose what is in memory only, and start again from disk."""
        self.keeper.store._lock.release()
        self.start()

    @property
    def queue(self) -> TaskQueue:
        return self.keeper.queue


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.keeper.store.close()


def test_a_committed_push_survives_and_an_uncommitted_one_does_not(
    house: House,
) -> None:
    house.keeper.push(Submission("a", b"spec"))
    house.keeper.commit()
    house.keeper.push(Submission("b", b"spec"))
    house.crash()
    assert list(house.queue.tasks) == ["a"]


def test_a_task_goes_its_way_to_success(house: House) -> None:
    house.keeper.push(Submission("a", b"spec", delay=5.0))
    assert house.keeper.lease(FREE) is None
    house.clock.time += 5.0
    task = house.keeper.lease(FREE)
    assert task is not None
    assert (task.state, task.attempts) == (State.LEASED, 1)
    assert house.keeper.lease(FREE) is None
    house.keeper.conclude(task, Outcome(True, 200, b""))
    assert house.queue.counts.succeeded == 1
    assert house.queue.difference() == 0


def test_what_was_in_flight_at_a_crash_is_tried_again_and_counted(
    house: House,
) -> None:
    house.keeper.push(Submission("a", b"spec"))
    assert house.keeper.lease(FREE) is not None
    house.keeper.commit()
    house.crash()
    assert house.keeper.orphans.take(house.queue.leased.values()) == 1
    again = house.keeper.lease(FREE)
    assert again is not None
    assert again.attempts == 2


def full(patch: pytest.MonkeyPatch, room: list[int]) -> None:
    """The disk has ``room[0]`` bytes for each operation."""

    def make_room(journal: Journal, size: int) -> None:
        if size > room[0]:
            raise StoreFull("full")

    patch.setattr(Journal, "make_room", make_room)


def test_what_was_in_flight_stays_so_until_there_is_room_to_say_otherwise(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for id in ("a", "b", "c"):
        house.keeper.push(Submission(id, b"spec"))
    assert house.keeper.lease(FREE) is not None
    assert house.keeper.lease(FREE) is not None
    house.keeper.commit()
    house.crash()
    assert house.keeper.orphans.due_in() == float("inf")
    room = [0]
    full(monkeypatch, room)
    assert house.keeper.orphans.take(house.queue.leased.values()) == 2
    assert list(house.queue.leased) == ["a", "b"]
    with pytest.raises(StoreFull):
        house.keeper.push(Submission("d", b"spec"))
    with pytest.raises(StoreFull):
        house.keeper.lease(FREE)
    # Once in a while is enough, and one line for all.
    assert 0.0 < house.keeper.orphans.due_in() <= 1.0
    for _ in range(3):
        house.clock.time += house.keeper.orphans.due_in()
        assert house.keeper.orphans.due_in() == 0.0
        house.keeper.orphans.hand_back()
    assert caplog.text.count("the disk is full") == 1
    # Room for one of them.
    room[0] = 150
    house.clock.time += house.keeper.orphans.due_in()
    house.keeper.orphans.hand_back()
    assert list(house.queue.leased) == ["b"]
    # Too soon; then there is plenty.
    room[0] = 1_000_000
    house.keeper.orphans.hand_back()
    assert list(house.queue.leased) == ["b"]
    house.clock.time += house.keeper.orphans.due_in()
    house.keeper.orphans.hand_back()
    assert not house.queue.leased
    assert house.keeper.orphans.due_in() == float("inf")
    assert "there was room to hand back" in caplog.text
    house.keeper.commit()
    house.crash()
    assert house.keeper.orphans.take(house.queue.leased.values()) == 0
    assert [task.attempts for task in house.queue.tasks.values()] == [1, 1, 0]
    assert house.queue.difference() == 0


def test_nobody_takes_the_room_of_what_is_to_be_handed_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that fits finds room for every end, and for them besides."""
    for id in ("a", "b"):
        house.keeper.push(Submission(id, b"spec"))
    assert house.keeper.lease(FREE) is not None
    house.keeper.commit()
    house.crash()
    room = [0]
    full(monkeypatch, room)
    house.keeper.orphans.take(house.queue.leased.values())
    room[0] = 10_150
    with pytest.raises(StoreFull):
        house.keeper.lease(FREE)
    room[0] = 10_400
    assert house.keeper.lease(FREE) is not None


def test_a_full_disk_refuses_pushes_before_leases_and_never_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 0

    def make_room(journal: Journal, size: int) -> None:
        if size > room:
            raise StoreFull("full")

    monkeypatch.setattr(Journal, "make_room", make_room)
    room = 100_000
    house.keeper.push(Submission("a", b"spec"))
    house.keeper.push(Submission("b", b"spec"))
    room = 10_300  # what the ends need and a little: not enough for another task
    with pytest.raises(StoreFull):
        house.keeper.push(Submission("c", b"spec"))
    assert list(house.queue.tasks) == ["a", "b"]
    task = house.keeper.lease(FREE)
    assert task is not None
    room = 10_000
    with pytest.raises(StoreFull):
        house.keeper.lease(FREE)
    assert house.queue.tasks["b"].state is State.WAITING
    house.keeper.conclude(task, Outcome(False, 500, b"x" * 5_000))
    assert house.queue.tasks["a"].state is State.WAITING
    house.keeper.commit()
    house.crash()
    assert house.queue.tasks["a"].error == b"x" * 5_000


@pytest.mark.parametrize("slots", [1, 3, 8, 100])
@pytest.mark.parametrize("tasks", [1, 2, 5, 20])
def test_what_was_accepted_can_be_begun_and_ended_on_a_full_disk(
    house: House, monkeypatch: pytest.MonkeyPatch, slots: int, tasks: int
) -> None:
    """Each push is given no byte more than it asks for; then there is none at all."""
    house.slots = slots
    house.start_again()
    room = 0
    growing = True

    def make_room(journal: Journal, size: int) -> None:
        nonlocal room
        if growing:
            room = max(room, journal.offset + size)
        elif journal.offset + size > room:
            raise StoreFull("full")

    monkeypatch.setattr(Journal, "make_room", make_room)
    for number in range(tasks):
        terms = Terms(max_retries=0)
        house.keeper.push(Submission(str(number), b"spec", terms=terms))
        house.keeper.commit()
    growing = False
    with pytest.raises(StoreFull):
        house.keeper.push(Submission("more", b"spec"))
    while house.queue.tasks:
        begun: list[Task] = []
        while len(begun) < slots and (task := house.keeper.lease(FREE)) is not None:
            begun.append(task)
            house.keeper.commit()
        assert begun
        for task in begun:
            house.keeper.conclude(task, Outcome(False, 500, b"no"))
            house.keeper.commit()
    assert house.queue.counts.dead == tasks


def test_a_bad_schedule_changes_nothing(house: House) -> None:
    with pytest.raises(InvalidInput):
        house.keeper.push(Submission("a", b"spec", schedule="nonsense"))
    assert not house.queue.schedules
    assert not house.queue.tasks


def test_pausing_twice_is_one_event_and_survives(house: House) -> None:
    house.keeper.pause()
    house.keeper.pause()
    house.keeper.push(Submission("a", b"spec"))
    assert house.keeper.lease(FREE) is None
    house.keeper.commit()
    house.crash()
    assert house.queue.paused
    house.keeper.resume()
    assert house.keeper.lease(FREE) is not None


def test_a_clock_that_is_set_moves_schedules_but_no_delays(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.keeper.push(Submission("delayed", b"spec", delay=60.0))
    house.keeper.push(Submission("daily", b"spec", schedule="0 0 * * *"))
    delayed = house.queue.tasks["delayed"].eta
    daily = house.queue.tasks["daily"].eta
    house.keeper.watch_clock()
    assert house.queue.tasks["daily"].eta == daily
    house.clock.wall_ahead = 3600.0
    house.keeper.watch_clock()
    assert house.queue.tasks["delayed"].eta == delayed
    assert house.queue.tasks["daily"].eta == daily - 3600.0
    assert "the wall clock was set" in caplog.text
    house.keeper.commit()
    house.crash()
    assert house.queue.skew == 3600.0


def test_a_schedule_whose_rule_cannot_be_read_any_more_is_dropped_aloud(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house.keeper.push(Submission("s", b"spec", schedule="@every 1s"))
    house.clock.time += 1.0
    task = house.keeper.lease(FREE)
    assert task is not None

    def unreadable(rules: Rules, *arguments: object) -> float:
        raise InvalidInput("no longer a rule")

    monkeypatch.setattr(Rules, "following", unreadable)
    house.keeper.conclude(task, Outcome(True, 200, b""))
    assert not house.queue.schedules
    assert "schedule dropped" in caplog.text
    assert house.queue.difference() == 0


def test_a_rule_that_cannot_be_read_any_more_disturbs_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.keeper.push(Submission("s", b"spec", schedule="@daily"))

    def unreadable(rules: Rules, text: str) -> bool:
        raise InvalidInput("no longer a rule")

    monkeypatch.setattr(Rules, "follows_wall_clock", unreadable)
    house.clock.wall_ahead = 3600.0
    house.keeper.watch_clock()
    assert house.queue.skew == 3600.0
    assert house.keeper.wall_slot(house.queue.tasks["s"]) > 0.0


def test_a_death_is_a_warning_that_names_the_task(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.keeper.push(Submission("a", b"spec"))
    for _ in range(11):
        house.clock.time += 10**6
        task = house.keeper.lease(FREE)
        assert task is not None
        house.keeper.conclude(task, Outcome(False, 500, b"no"))
    assert list(house.queue.dead) == ["a"]
    last = caplog.records[-1]
    assert (last.levelname, last.message) == ("WARNING", "dead")
    told = last.__dict__["fields"]
    assert (told["task"], told["attempt"], told["status"]) == ("a", 11, 500)


def test_a_success_whose_follow_ups_cannot_be_is_told_as_a_failure(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.keeper.push(Submission("a", b"spec"))
    task = house.keeper.lease(FREE)
    assert task is not None
    nowhere = Submission("b" * 32, b"spec", terms=Terms(queue="mial"))
    house.keeper.conclude(task, Outcome(True, 200, b"", follow_ups=[nowhere]))
    last = caplog.records[-1]
    assert last.message == "attempt failed"
    assert "there is no queue 'mial'" in last.__dict__["fields"]["error"]


def test_an_attempt_after_which_nobody_waits_any_more_is_told_with_its_callback(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    special = Special(expires=house.clock.now() + 0.5, roll_back="http://h/")
    spec = seal(Spec("http://h/"))
    house.keeper.push(Submission("a", spec, terms=Terms(special=special)))
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.conclude(task, Outcome(False, 500, b"no"))
    assert list(house.queue.expired) == ["a"]
    assert "expired" in [record.message for record in caplog.records]


def test_a_callback_to_what_is_no_url_any_more_ends_as_the_task_of_one(
    house: House,
) -> None:
    """It was one for the version that took it; what cannot be read must not end us."""
    terms = Terms(max_retries=0, special=Special(roll_back="gopher://h/"))
    house.keeper.push(Submission("a", seal(Spec("http://h/")), terms=terms))
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.conclude(task, Outcome(False, 500, b"no"))
    assert list(house.queue.dead) == ["a"]
    called = house.keeper.lease(FREE)
    assert called is not None
    assert called.terms.origin == ""


def test_a_key_is_one_task_also_after_a_crash(house: House) -> None:
    terms = Terms(key="order 7")
    assert house.keeper.push(Submission("a", b"spec", terms=terms)) == ["a"]
    assert house.keeper.push(Submission("b", b"other", terms=terms)) == ["a"]
    house.keeper.commit()
    house.crash()
    assert house.keeper.push(Submission("c", b"spec", terms=terms)) == ["a"]
    assert list(house.queue.tasks) == ["a"]


def test_a_full_queue_refuses_what_is_new_and_knows_what_it_has(house: House) -> None:
    house.bounds = Bounds(max_tasks=1)
    house.start_again()
    terms = Terms(key="order 7")
    house.keeper.push(Submission("a", b"spec", terms=terms))
    with pytest.raises(QueueFull, match="max_tasks") as caught:
        house.keeper.push(Submission("b", b"spec"))
    assert caught.value.retry_after > 0
    assert house.keeper.push(Submission("c", b"spec", terms=terms)) == ["a"]
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.conclude(task, Outcome(True, 200, b""))
    assert house.keeper.push(Submission("b", b"spec")) == ["b"]


def test_a_batch_needs_room_for_what_is_new_in_it_only(house: House) -> None:
    house.bounds = Bounds(max_tasks=3)
    house.start_again()
    first, second = (Submission(id, b"spec", terms=Terms(key=id)) for id in ("a", "b"))
    house.keeper.push(first, second)
    new = Submission("c", b"spec")
    assert house.keeper.push(first, second, new) == ["a", "b", "c"]
    with pytest.raises(QueueFull, match="max_tasks"):
        house.keeper.push(first, second, Submission("d", b"spec"))


def test_more_at_once_than_there_ever_is_room_for_is_not_to_be_tried_again(
    house: House,
) -> None:
    house.bounds = Bounds(max_tasks=1)
    house.start_again()
    with pytest.raises(TooLarge, match="2 pushes at once are more than max_tasks, 1"):
        house.keeper.push(Submission("a", b"spec"), Submission("b", b"spec"))
    assert not house.queue.tasks
    assert house.keeper.push(Submission("a", b"spec")) == ["a"]


def test_a_known_schedule_is_no_news_to_a_full_queue(house: House) -> None:
    house.bounds = Bounds(max_tasks=1)
    house.start_again()
    schedule = Submission("s", b"spec", schedule="@hourly")
    assert house.keeper.push(schedule) == ["s"]
    assert house.keeper.push(schedule) == ["s"]


def test_dead_letters_are_let_go_and_that_survives(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.bounds = Bounds(retain_dead_for=3600.0)
    house.start_again()
    house.keeper.push(Submission("a", b"spec", terms=Terms(max_retries=0)))
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.conclude(task, Outcome(False, 500, b"no"))
    assert house.keeper.forget_in() == 3600.0
    house.keeper.forget()
    assert list(house.queue.dead) == ["a"]
    house.clock.time += 3600
    house.keeper.forget()
    house.keeper.commit()
    assert "dead letters dropped" in caplog.text
    house.crash()
    assert not house.queue.dead
    assert house.keeper.forget_in() == float("inf")


def test_on_a_full_disk_dead_letters_stay_without_spinning(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.bounds = Bounds(retain_dead=0)
    house.start_again()
    house.keeper.push(Submission("a", b"spec", terms=Terms(max_retries=0)))
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.conclude(task, Outcome(False, 500, b"no"))
    with monkeypatch.context() as patch:

        def full(journal: Journal, size: int) -> None:
            raise StoreFull("full")

        patch.setattr(Journal, "make_room", full)
        house.keeper.forget()
    assert list(house.queue.dead) == ["a"]
    assert house.keeper.forget_in() > 0
    house.clock.time += house.keeper.forget_in()
    house.keeper.forget()
    assert not house.queue.dead


def with_callback(id: str, **special: Any) -> Submission:
    """Whoever is told of its end is sent all that was to be delivered, too."""
    terms = Terms(max_retries=0, special=Special(roll_back="http://h/", **special))
    return Submission(id, seal(Spec("http://h/", b"x" * 50_000)), terms=terms)


@pytest.mark.parametrize("how", ["failed", "lost"])
def test_a_callback_that_finds_no_room_puts_the_death_off(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Or the service would end, and end again at every start, until there is room."""
    house.keeper.push(with_callback("a"))
    task = house.keeper.lease(FREE)
    assert task is not None
    house.keeper.commit()
    room = [10_000]
    with monkeypatch.context() as patch:
        full(patch, room)
        if how == "failed":
            house.keeper.conclude(task, Outcome(False, 500, b"no"))
        else:
            house.keeper.lose(task, "gone")
    assert (task.state, task.attempts) == (State.WAITING, 0)
    house.clock.time += 10
    assert house.keeper.lease(FREE) is task
    house.keeper.conclude(task, Outcome(False, 500, b"no"))
    assert list(house.queue.dead) == ["a"]
    assert house.queue.waiting == 1
    assert house.queue.difference() == 0


def test_what_expires_without_room_for_its_callback_holds_nobody_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it delivered late, and its end comes when there is room."""
    soon = house.clock.now() + 5
    house.keeper.push(with_callback("a", expires=soon), Submission("b", b"spec"))
    house.keeper.commit()
    house.clock.time += 5
    room = [20_000]
    with monkeypatch.context() as patch:
        full(patch, room)
        house.keeper.expire()
        assert house.keeper.lease(FREE) is house.queue.tasks["b"]
        assert house.keeper.lease(FREE) is None
        assert house.keeper.due_at(FREE) == house.clock.now() + 10
    house.clock.time += 10
    house.keeper.expire()
    assert list(house.queue.expired) == ["a"]
    assert house.queue.waiting == 1


def test_only_the_end_of_an_attempt_is_not_on_disk_when_the_commit_returns(
    house: House,
) -> None:
    """Nobody is told of it. Everything else is told to somebody at once."""
    keeper = house.keeper

    def is_on_disk() -> bool:
        keeper.commit()
        return not keeper.store.wants_sync

    keeper.push(Submission("a", b"spec"))
    assert is_on_disk()
    keeper.push(Submission("s", b"spec", schedule="@hourly"))
    assert is_on_disk()
    for outcome in (Outcome(False, 500, b"no"), Outcome(True, 200, b"")):
        house.clock.time += 10
        task = keeper.lease(FREE)
        assert task is not None
        assert is_on_disk()
        keeper.conclude(task, outcome)
        assert not is_on_disk()
    keeper.pause()
    assert is_on_disk()
    keeper.resume()
    assert is_on_disk()
    keeper.decide(lambda queue, now, _: unschedule(queue, now))
    assert is_on_disk()


def follow_up(number: int) -> Submission:
    return Submission(f"{number:032d}", b"spec")


def test_follow_ups_of_an_answer_find_no_room_in_a_full_queue(house: House) -> None:
    """The success is not written without them, and no attempt is spent."""
    house.bounds = Bounds(max_tasks=2)
    house.start_again()
    house.keeper.push(Submission("parent", b"spec"), Submission("other", b"spec"))
    parent, other = house.keeper.lease(FREE), house.keeper.lease(FREE)
    assert parent is not None
    assert other is not None
    outcome = Outcome(True, 200, b"", follow_ups=[follow_up(1)])
    house.keeper.conclude(parent, outcome)
    assert (parent.state, parent.attempts) == (State.WAITING, 0)
    assert parent.eta == house.clock.now() + 10
    assert b"cannot be accepted now: the queue is full" in (parent.error or b"")
    house.keeper.conclude(other, Outcome(True, 200, b""))
    house.clock.time += 10
    assert house.keeper.lease(FREE) is parent
    house.keeper.conclude(parent, outcome)
    assert list(house.queue.tasks) == [follow_up(1).id]
    assert house.queue.difference() == 0
