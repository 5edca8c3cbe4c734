"""Leases: never more than a worker has slots, each outcome once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poussetaches.channel.messages import Ended, Lease, Message
from poussetaches.errors import StoreFull, Unavailable
from poussetaches.model.named_queue import SHARES
from poussetaches.model.queue import TaskQueue
from poussetaches.model.revival import retry
from poussetaches.model.task import State, Submission, Terms
from poussetaches.store.disk import Store
from poussetaches.supervisor.children import Child
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.dispatch import MOMENT, REST, Dispatch
from poussetaches.supervisor.keeper import Keeper
from tests.supervisor.test_keeper import POLICY


class Peer:
    """Remembers what the child was sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


class Workers:
    """The children of a supervisor, without their processes."""

    def __init__(self, *slots: int) -> None:
        process: Any = None
        self.all = [
            Child("worker", i + 1, process, Peer(), 0.0, 0.0, ready=True, slots=n)  # type: ignore[arg-type]
            for i, n in enumerate(slots)
        ]

    def __iter__(self) -> Iterator[Child]:
        return iter(self.all)

    def workers(self) -> list[Child]:
        return [child for child in self.all if child.ready]


def leases(worker: Child) -> list[Lease]:
    sent: list[Any] = worker.peer.sent  # type: ignore[attr-defined]
    return sent


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    queue = TaskQueue()
    store, _ = Store.open(str(tmp_path), "off", queue, patience=0.0)
    keeper = Keeper(queue, store, Clock(0.0), POLICY, slots=1, end_room=0)
    yield keeper
    store.close()


def push(
    keeper: Keeper, count: int, delay: float = 0.0, origin: str | None = None
) -> None:
    """Push tasks to one ``origin``, or each to one of its own."""
    for i in range(count):
        id = f"{len(keeper.queue.tasks)}-{i}"
        terms = Terms(origin=origin or f"http://{id}:80")
        keeper.push(Submission(id, b"spec", delay=delay, terms=terms))


def ended(lease: int, *, ok: bool = True) -> Ended:
    return Ended(lease, ok, 200 if ok else 500, b"", 0.25)


def test_a_worker_gets_no_more_than_it_has_slots(keeper: Keeper) -> None:
    workers = Workers(3, 2)
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 10)
    dispatch.lease(time.monotonic())
    assert [len(leases(worker)) for worker in workers] == [3, 2]
    assert dispatch.in_flight == 5
    assert dispatch.due_at(time.monotonic()) == float("inf")


def test_the_least_loaded_worker_comes_first(keeper: Keeper) -> None:
    workers = Workers(4, 4)
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 4)
    dispatch.lease(time.monotonic())
    assert [len(leases(worker)) for worker in workers] == [2, 2]


def test_one_target_alone_gets_one_share_of_all_slots(keeper: Keeper) -> None:
    """And what waits for it wakes nobody up, until something has ended."""
    workers = Workers(2 * SHARES, 2 * SHARES)
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 6, origin="http://hangs:80")
    dispatch.lease(time.monotonic())
    assert dispatch.in_flight == 4
    assert dispatch.due_at(time.monotonic()) == float("inf")
    push(keeper, 6, origin="http://other:80")
    assert dispatch.due_at(1000.0) <= 1000.0
    dispatch.lease(time.monotonic())
    assert dispatch.in_flight == 8
    assert dispatch.due_at(time.monotonic()) == float("inf")
    [worker, _] = workers
    dispatch.ended(worker, ended(leases(worker)[0].lease))
    assert dispatch.due_at(1000.0) <= 1000.0


def test_the_limit_of_a_target_follows_the_workers_that_live(keeper: Keeper) -> None:
    workers = Workers(2 * SHARES, 2 * SHARES)
    workers.all[1].ready = False
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 9, origin="http://one:80")
    dispatch.lease(time.monotonic())
    assert dispatch.in_flight == 2
    workers.all[1].ready = True
    dispatch.lease(time.monotonic())
    assert dispatch.in_flight == 4


def test_what_is_run_by_hand_goes_to_who_has_most_room(keeper: Keeper) -> None:
    workers = Workers(2, 3)
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    keeper.pause()
    push(keeper, 6, delay=60.0, origin="http://one:80")
    tasks = [*keeper.queue.tasks.values()]
    for task in tasks[:5]:
        dispatch.begin(task, time.monotonic())
    assert [len(leases(worker)) for worker in workers] == [2, 3]
    assert {task.worker for task in tasks[:5]} == {one.index for one in workers}
    with pytest.raises(Unavailable, match="No worker has a free slot"):
        dispatch.begin(tasks[5], time.monotonic())
    assert tasks[5].state is State.WAITING
    for worker in workers:
        for lease in leases(worker):
            dispatch.ended(worker, ended(lease.lease))
        worker.ready = False
    assert keeper.queue.counts.succeeded == 5
    with pytest.raises(Unavailable, match="No worker is ready"):
        dispatch.begin(tasks[5], time.monotonic())
    dispatch.draining = True
    with pytest.raises(Unavailable, match="stopping"):
        dispatch.begin(tasks[5], time.monotonic())


def test_a_late_outcome_does_not_touch_what_was_retried(keeper: Keeper) -> None:
    workers = Workers(1)
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    [worker] = workers
    keeper.push(Submission("dies", b"spec", terms=Terms(0)))
    dispatch.lease(time.monotonic())
    dispatch.ended(worker, ended(1, ok=False))
    task = keeper.queue.dead["dies"]
    keeper.decide(lambda queue, now, policy: retry(queue, task, "x", now, policy))
    dispatch.lease(time.monotonic())
    dispatch.ended(worker, ended(1))
    assert (task.state, task.attempts, dispatch.late) == (State.LEASED, 1, 1)
    dispatch.ended(worker, ended(2))
    assert task.state is State.SUCCEEDED


def test_a_worker_that_is_not_ready_gets_nothing(keeper: Keeper) -> None:
    workers = Workers(4, 4)
    workers.all[0].ready = False
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 4)
    dispatch.lease(time.monotonic())
    assert [len(leases(worker)) for worker in workers] == [0, 4]


def test_an_outcome_frees_its_slot(keeper: Keeper) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 2)
    dispatch.lease(time.monotonic())
    dispatch.ended(worker, ended(leases(worker)[0].lease))
    dispatch.lease(time.monotonic())
    assert len(leases(worker)) == 2
    assert (worker.succeeded, worker.failed, worker.busy) == (1, 0, 0.25)
    assert keeper.queue.counts.succeeded == 1


def test_an_outcome_counts_once(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 1)
    dispatch.lease(time.monotonic())
    lease = leases(worker)[0].lease
    dispatch.ended(worker, ended(lease, ok=False))
    dispatch.ended(worker, ended(lease))
    dispatch.ended(worker, ended(lease + 1))
    assert (dispatch.failed, dispatch.succeeded, dispatch.late) == (1, 0, 2)
    assert keeper.queue.counts.succeeded == 0
    assert "late outcome ignored" in caplog.text


def test_what_an_attempt_brought_reaches_the_queue_whole(keeper: Keeper) -> None:
    workers = Workers(2)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 2)
    dispatch.lease(time.monotonic())
    busy, refused = leases(worker)
    dispatch.ended(worker, Ended(busy.lease, False, 503, b"", 0.1, False, 7200.0))
    dispatch.ended(worker, Ended(refused.lease, False, -1, b"no", 0.1, True))
    wait = keeper.queue.tasks[busy.id].eta - keeper.clock.now()
    assert 7199.0 < wait <= 7200.0
    assert list(keeper.queue.dead) == [refused.id]


def test_a_success_whose_follow_ups_are_refused_is_counted_as_none(
    keeper: Keeper,
) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 1)
    dispatch.lease(time.monotonic())
    answer = ended(leases(worker)[0].lease)
    answer.follow_ups = [Submission("follow", b"", terms=Terms(queue="unknown"))]
    dispatch.ended(worker, answer)
    assert (dispatch.succeeded, worker.succeeded) == (0, 0)
    assert (dispatch.failed, worker.failed) == (1, 1)


def test_what_a_dead_worker_held_is_leased_again_at_once(keeper: Keeper) -> None:
    workers = Workers(2, 0)
    first, second = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 2)
    dispatch.lease(time.monotonic())
    dispatch.lose(first, "it is gone")
    first.ready = False
    second.slots = 2
    dispatch.lease(time.monotonic())
    assert [lease.attempt for lease in leases(second)] == [2, 2]
    assert {lease.id for lease in leases(second)} == {x.id for x in leases(first)}
    assert dispatch.lost == 2
    dispatch.ended(first, ended(leases(first)[0].lease))
    assert dispatch.late == 1
    assert keeper.queue.counts.succeeded == 0


def test_what_a_stopped_worker_held_is_for_the_next_start(keeper: Keeper) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    keeper.push(Submission("last", b"spec", terms=Terms(0)))
    dispatch.lease(time.monotonic())
    dispatch.hand_back(worker)
    assert keeper.queue.tasks["last"].attempts == 1
    assert (keeper.queue.waiting, keeper.queue.counts.dead) == (1, 0)
    assert not worker.holds


def test_an_outcome_that_cannot_be_kept_leaves_the_task_with_its_worker(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is lost with the worker, and not held by nobody."""
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 1)
    dispatch.lease(time.monotonic())
    lease = leases(worker)[0].lease

    def fail(record: object, **_: object) -> None:
        raise TypeError("no record has such a thing")

    with monkeypatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(keeper.store, "append", fail)
        dispatch.ended(worker, ended(lease))
    assert list(worker.holds) == [lease]
    dispatch.lose(worker, "it sent nonsense")
    assert keeper.queue.waiting == 1


def test_nothing_is_leased_while_draining_or_paused(keeper: Keeper) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 1)
    keeper.pause()
    dispatch.lease(time.monotonic())
    assert dispatch.due_at(time.monotonic()) == float("inf")
    keeper.resume()
    dispatch.draining = True
    dispatch.lease(time.monotonic())
    assert dispatch.due_at(time.monotonic()) == float("inf")
    assert leases(worker) == []


def test_an_attempt_that_no_worker_ends_in_time_is_seen(keeper: Keeper) -> None:
    workers = Workers(2)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 2)
    dispatch.lease(1000.0)
    assert dispatch.overdue(1060.0 + MOMENT) == 0
    assert dispatch.overdue(1060.1 + MOMENT) == 2
    dispatch.ended(worker, ended(1))
    assert dispatch.overdue(1060.1 + MOMENT) == 1


def test_the_loop_sleeps_until_exactly_the_next_eta(keeper: Keeper) -> None:
    dispatch = Dispatch(keeper, Workers(1), timeout=60.0)  # type: ignore[arg-type]
    assert dispatch.due_at(1000.0) == float("inf")
    push(keeper, 1, delay=60.0)
    assert dispatch.due_at(1000.0) == pytest.approx(1060.0, abs=0.5)


def test_a_full_disk_rests_deliveries_without_spinning(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(1)
    [worker] = workers
    dispatch = Dispatch(keeper, workers, timeout=60.0)  # type: ignore[arg-type]
    push(keeper, 1)

    def full(free: int, worker: int) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "lease", full)
        dispatch.lease(1000.0)
    assert dispatch.due_at(1000.0) == 1000.0 + REST
    dispatch.lease(1000.0 + REST / 2)
    assert leases(worker) == []
    assert dispatch.rests(1000.0 + REST)
    # Nothing has been due since, and so nobody knows whether there is room.
    assert not dispatch.rests(1000.0 + 10 * REST)
    dispatch.lease(1000.0 + REST)
    assert len(leases(worker)) == 1
    assert not dispatch.rests(1000.0 + REST)
