"""What is saved of a damaged store, and what is told of the rest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgpack
import pytest

from poussetaches.errors import StoreDamaged, StoreError, StoreTooNew
from poussetaches.model import decisions, endings
from poussetaches.model.events import (
    Cancelled,
    ClockStepped,
    Died,
    Event,
    Failed,
    Forgotten,
    Leased,
    Moved,
    Paused,
    Pushed,
    Recurred,
    Revived,
    Scheduled,
    SchedulePaused,
    ScheduleResumed,
    Succeeded,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State, Submission
from poussetaches.store import dump, format
from poussetaches.store.blocks import BlockReader
from poussetaches.store.dump import write_dump
from poussetaches.store.inspection import inspect
from poussetaches.store.salvage import UNREADABLE, Losses, Salvage
from poussetaches.store.stopped import begin
from tests.support.queues import FAILURE, FREE, NOW, OK, POLICY, apply, ranked
from tests.support.stores import RECORDS, Life, copied, lived, opened, recovered, take

JOURNAL = "journal-00000001.msgpack"
LATER = NOW + 1_000_000.0


def ignore(amount: int) -> None:
    """No progress is shown."""


def salvaged(directory: Path) -> tuple[TaskQueue, Losses]:
    """What is saved; the files stay as they are, and a new store holds it."""
    before = {one.name: one.read_bytes() for one in directory.iterdir()}
    salvage = Salvage(str(directory), retain_succeeded=1000, step=ignore)
    salvage.run(LATER, POLICY)
    assert {one.name: one.read_bytes() for one in directory.iterdir()} == before
    assert salvage.queue.difference() == 0
    return salvage.queue, salvage.losses


def stored(queue: TaskQueue, directory: Path) -> None:
    """Put what was saved into a new store: it must be whole, and the same."""
    begin(str(directory), queue)
    found = inspect(str(directory), retain_succeeded=1000, in_use=False, step=ignore)
    assert found.faults == []
    again, _ = recovered(directory)
    assert ranked(again) == ranked(queue)


def damage(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def without(life: Life, *numbers: int) -> tuple[TaskQueue, Losses]:
    """What is saved if the blocks of these records cannot be read."""
    for number in numbers:
        damage(life.directory / JOURNAL, life.ends[number] + 25)
    return salvaged(life.directory)


def story(seed: int, length: int) -> list[list[Event]]:
    """A life of a queue as it might be."""
    draw = random.Random(seed)
    queue = TaskQueue()
    records: list[list[Event]] = []
    now = NOW

    def deeds() -> Iterator[Iterable[Event]]:
        for number in range(length):
            kind = draw.choice(["push", "push", "lease", "lease", "end", "end", "end"])
            held = list(queue.leased.values())
            if number % 20 == 5:
                text = f"@every {number}s"
                push = Submission(f"s{number}", b"s", schedule=text)
                yield decisions.push(queue, push, now, POLICY)
            elif kind == "push":
                delay = draw.choice([0.0, 0.0, 5.0, 10_000.0])
                push = Submission(f"t{number}", b"t", delay)
                yield decisions.push(queue, push, now, POLICY)
            elif kind == "lease":
                event = decisions.lease(queue, now, FREE)
                yield [event] if event else []
            elif held:
                task = draw.choice(held)
                outcome = draw.choice([OK, FAILURE, FAILURE])
                yield endings.conclude(queue, task, outcome, now, 0.5, POLICY)

    for events in deeds():
        if record := list(events):
            apply(queue, record)
            records.append(record)
        now += 20.0
    return records


@pytest.mark.parametrize("seed", range(4))
def test_one_lost_block_loses_no_more_than_the_tasks_that_were_pushed_in_it(
    tmp_path: Path, seed: int
) -> None:
    records = story(seed, 150)
    life = lived(tmp_path / "data", records=records)
    whole, _ = recovered(life.directory)
    data = (life.directory / JOURNAL).read_bytes()
    assert len(whole.tasks) > 10
    assert whole.dead
    for number in range(len(records) - 1):
        #: What happened first in it to each task.
        lost = {getattr(event, "id", ""): event for event in reversed(records[number])}
        queue, losses = without(life, number)
        (life.directory / JOURNAL).write_bytes(data)
        assert len(losses.gaps) == 1
        for id, task in whole.tasks.items():
            if isinstance(lost.get(id), Pushed | Scheduled):
                assert id not in queue.tasks or task.schedule
                continue
            saved = queue.tasks[id]
            if id not in lost:
                assert (saved.attempts, saved.state) == (task.attempts, task.state)
                assert (saved.eta, saved.slot) == (task.eta, task.slot)
        for id in set(queue.tasks) - set(whole.tasks):
            # It has ended; but who can know?
            assert isinstance(lost[id], Succeeded | Died)
        for ended in ("succeeded", "dead"):
            before, after = getattr(whole, ended), getattr(queue, ended)
            assert set(after) <= set(before)
            assert set(before) - set(after) <= set(lost)
        for id, event in lost.items():
            if isinstance(event, Pushed):
                live = id in whole.tasks and (id not in queue.tasks)
                later = [one for record in records[number + 1 :] for one in record]
                heard = any(getattr(one, "id", "") == id for one in later)
                assert (id in losses.tasks) == (live and heard)
    stored(queue, tmp_path / "new")


def test_what_is_not_damaged_is_saved_as_it_is(tmp_path: Path) -> None:
    life = lived(tmp_path / "data")
    queue, losses = salvaged(life.directory)
    assert ranked(queue) == life.states[-1]
    assert losses == Losses()
    stored(queue, tmp_path / "new")


def test_a_torn_tail_is_no_loss(tmp_path: Path) -> None:
    life = lived(tmp_path / "data")
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes()[:-5])
    queue, losses = salvaged(life.directory)
    assert ranked(queue) == life.states[-2]
    assert losses.torn == life.ends[-1] - 5 - life.ends[-2]
    assert (losses.gaps, losses.missing) == ([], [])


def test_what_a_start_would_cut_off_behind_a_torn_place_is_saved(
    tmp_path: Path,
) -> None:
    life = lived(tmp_path / "data", "off")
    queue, losses = without(life, 4)
    assert [gap.offset for _, gap in losses.gaps] == [life.ends[4]]
    assert losses.torn == 0
    assert queue.paused


def test_a_journal_without_its_header_is_saved_whole(tmp_path: Path) -> None:
    life = lived(tmp_path / "data")
    path = life.directory / JOURNAL
    path.write_bytes(bytes(24) + path.read_bytes()[24:])
    queue, losses = salvaged(life.directory)
    assert ranked(queue) == life.states[-1]
    assert [(gap.offset, gap.end) for _, gap in losses.gaps] == [(0, 24)]


def test_a_task_whose_lease_is_lost_ends_as_it_ended(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Failed("a", NOW + 1, 1, 500, b"", NOW + 2)],
        [Leased("a", NOW + 2, 2)],
        [Succeeded("a", NOW + 3, 2, 200)],
        [Paused(NOW)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 1, 2, 3)
    assert (queue.tasks, losses.mended) == ({}, 1)
    assert queue.succeeded["a"].attempts == 2
    assert queue.succeeded["a"].error == UNREADABLE


def test_a_task_whose_end_is_lost_is_delivered_again(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Succeeded("a", NOW + 1, 1, 200)],
        [Paused(NOW)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 2)
    # The start of a service takes it back, as after a crash.
    assert queue.leased["a"].attempts == 1
    assert (losses.tasks, losses.difference) == ([], 0)


def test_a_lost_failure_is_made_up_when_the_next_attempt_is_known(
    tmp_path: Path,
) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Failed("a", NOW + 1, 1, 500, b"", NOW + 2)],
        [Moved("a", NOW, NOW + 9)],
        [Leased("a", NOW + 9, 2)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 2)
    assert queue.leased["a"].attempts == 2
    assert losses.mended == 1
    assert not losses.skipped


@pytest.mark.parametrize("lost", [(2,), (1, 2)])
def test_a_task_that_came_back_had_died(tmp_path: Path, lost: tuple[int, ...]) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Died("a", NOW + 1, 1, 500, b"")],
        [Revived("a", NOW + 5, NOW + 6)],
        [Paused(NOW + 6)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, *lost)
    task = queue.tasks["a"]
    assert (task.state, task.attempts, task.eta) == (State.WAITING, 0, NOW + 6)
    assert (queue.counts.dead, losses.mended, losses.difference) == (0, 1, 0)


@pytest.mark.parametrize(
    "event",
    [
        Leased("a", NOW + 9, 1),
        Succeeded("a", NOW + 9, 1, 200),
        Died("a", NOW + 9, 1, 500, b""),
        Moved("a", NOW + 9, NOW + 9),
        Cancelled("a", NOW + 9),
    ],
)
def test_a_dead_letter_that_went_on_had_come_back(tmp_path: Path, event: Event) -> None:
    again: list[list[Event]] = [[Revived("a", NOW + 5, NOW + 6)]]
    if isinstance(event, Succeeded | Died):
        again.append([Leased("a", NOW + 8, 1)])
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Died("a", NOW + 1, 1, 500, b"")],
        *again,
        [event],
        [Paused(NOW + 10)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, *range(3, 3 + len(again)))
    whole = TaskQueue()
    apply(whole, [event for record in records for event in record])
    assert list(queue.tasks) == list(whole.tasks)
    assert list(queue.dead) == list(whole.dead)
    assert queue.counts == whole.counts
    assert (losses.tasks, losses.mended, losses.difference) == ([], 1, 0)


def test_a_dead_letter_that_was_forgotten_had_died(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Died("a", NOW + 1, 1, 500, b"")],
        [Forgotten("a", NOW + 5)],
        [Paused(NOW + 6)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 2)
    assert (queue.tasks, dict(queue.dead)) == ({}, {})
    assert (queue.counts.dead, losses.mended, losses.difference) == (1, 1, 0)


def test_a_task_whose_push_is_lost_is_told_by_its_id(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Pushed("a", NOW, NOW, b""), Pushed("b", NOW, NOW, b"")],
        [Leased("a", NOW, 1)],
        [Leased("b", NOW, 1)],
        [Cancelled("b", NOW)],
        [Pushed("c", NOW, NOW, b"")],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 0)
    assert list(queue.tasks) == ["c"]
    assert losses.tasks == ["a"]
    assert losses.skipped == {"Leased": 2, "Cancelled": 1}


def test_a_schedule_goes_on_with_the_run_that_is_known_last(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Scheduled("s", NOW, "@every 1h", b""), Recurred("s", NOW, NOW, NOW)],
        [Leased("s", NOW, 1)],
        [Succeeded("s", NOW, 1, 200), Recurred("s", NOW, NOW + 3600, NOW + 3600)],
        [Leased("s", NOW + 3600, 1)],
        [
            Succeeded("s", NOW + 3601, 1, 200),
            Recurred("s", NOW + 3601, NOW + 7200, NOW + 7200),
        ],
        [Paused(NOW)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 1, 2, 3)
    assert queue.tasks["s"].slot == NOW + 7200
    assert len(queue.succeeded) == 1
    assert losses.restarted == []
    assert salvaged(life.directory)[1].difference == 0


def test_a_schedule_whose_run_is_known_was_resumed(tmp_path: Path) -> None:
    records: list[list[Event]] = [
        [Scheduled("s", NOW, "@every 1h", b""), Recurred("s", NOW, NOW, NOW)],
        [SchedulePaused("s", NOW), Cancelled("s", NOW)],
        [ScheduleResumed("s", NOW)],
        [Recurred("s", NOW, NOW + 3600, NOW + 3600)],
        [Paused(NOW)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 2)
    assert queue.tasks["s"].slot == NOW + 3600
    assert not queue.schedules["s"].paused
    assert losses.mended == 1


def test_a_run_that_is_known_by_its_follower_only_has_ended(tmp_path: Path) -> None:
    """Its attempts were more than those of the run that its end is taken for."""
    records: list[list[Event]] = [
        [Scheduled("s", NOW, "@every 1h", b""), Recurred("s", NOW, NOW, NOW)],
        [Leased("s", NOW, 1)],
        [Failed("s", NOW, 1, 500, b"", NOW + 1)],
        [Leased("s", NOW + 1, 2)],
        [Succeeded("s", NOW, 2, 200), Recurred("s", NOW, NOW + 3600, NOW + 3600)],
        [Leased("s", NOW + 3600, 1)],
        [
            Succeeded("s", NOW + 3601, 1, 200),
            Recurred("s", NOW + 3601, NOW + 7200, NOW + 7200),
        ],
        [Paused(NOW)],
    ]
    life = lived(tmp_path / "data", records=records)
    queue, losses = without(life, 4)
    assert (queue.tasks["s"].slot, queue.tasks["s"].attempts) == (NOW + 7200, 0)
    assert losses.skipped == {"Leased": 1, "Succeeded": 1}


def test_a_schedule_that_lost_its_run_gets_the_next_one(tmp_path: Path) -> None:
    store, queue = opened(tmp_path)
    queue.apply(Scheduled("s", NOW, "0 0 * * *", b"s"))
    queue.apply(Scheduled("nonsense", NOW, "61 0 * * *", b"s"))
    queue.apply(Scheduled("paused", NOW, "@hourly", b"s"))
    queue.apply(SchedulePaused("paused", NOW))
    store.rotate()
    write_dump(str(tmp_path), 2, queue)
    store.forget_before(2)
    store.close()
    saved, losses = salvaged(tmp_path)
    assert (losses.restarted, losses.dropped) == (["s"], ["nonsense"])
    assert saved.tasks["s"].eta > LATER
    assert list(saved.schedules) == ["s", "paused"]
    assert list(saved.tasks) == ["s"]
    stored(saved, tmp_path / "new")


def test_a_missing_journal_is_told_and_passed_over(tmp_path: Path) -> None:
    store, queue = opened(tmp_path)
    for id in ("a", "b", "c"):
        take(store, queue, [Pushed(id, NOW, NOW, b"")])
        store.commit()
        store.rotate()
    store.close()
    (tmp_path / "journal-00000002.msgpack").unlink()
    saved, losses = salvaged(tmp_path)
    assert list(saved.tasks) == ["a", "c"]
    assert losses.missing == [str(tmp_path / "journal-00000002.msgpack")]


def test_journals_whose_dump_is_gone_are_replayed(tmp_path: Path) -> None:
    store, queue = opened(tmp_path)
    store.rotate()
    take(store, queue, [Pushed("a", NOW, NOW, b"")])
    store.close()
    (tmp_path / JOURNAL).unlink()
    saved, losses = salvaged(tmp_path)
    assert list(saved.tasks) == ["a"]
    assert losses.missing == [str(tmp_path / "dump-00000002.msgpack")]


# --- damaged dumps ------------------------------------------------------------------


@pytest.fixture
def dumped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of generation 2, its dump in many blocks; and what came after."""
    monkeypatch.setattr(dump, "ROWS", 2)
    directory = tmp_path / "data"
    store, queue = opened(directory)
    take(store, queue, *RECORDS)
    for number in range(10):
        take(store, queue, [Pushed(f"t{number}", NOW, NOW, b"")])
    store.commit()
    store.rotate()
    write_dump(str(directory), 2, queue)
    take(store, queue, [Pushed("after", NOW, NOW, b"")], [ClockStepped(NOW, 7.0)])
    store.close()
    return directory


def forget_first(directory: Path) -> None:
    """As after a dump."""
    (directory / JOURNAL).unlink()


def blocks(path: Path) -> list[tuple[int, str]]:
    """Where the blocks of a dump begin, and of what kind they are."""
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.DUMP, 2)
    reader = BlockReader(str(path), data, salt)
    return [(block.offset, block.body[0]) for block in reader]


def test_the_rest_of_a_damaged_dump_is_saved(dumped: Path) -> None:
    path = dumped / "dump-00000002.msgpack"
    whole, _ = salvaged(dumped)
    forget_first(dumped)
    data = path.read_bytes()
    seen = set()
    for offset, kind in blocks(path):
        damage(path, offset + 21)
        saved, losses = salvaged(dumped)
        path.write_bytes(data)
        assert [(where, gap.offset) for where, gap in losses.gaps] == [
            (str(path), offset)
        ]
        assert "after" in saved.tasks
        assert saved.skew == 7.0
        seen.add(kind)
        if kind == "queue":
            # The pause is forgotten, the counts are made from what is there.
            assert (saved.paused, saved.counts.accepted) == (False, 15)
        elif kind == "tasks":
            assert len(whole.tasks) - len(saved.tasks) in (1, 2)
        elif kind == "dead":
            assert (list(whole.dead), list(saved.dead)) == (["a"], [])
            assert losses.difference == 0
    assert seen == {"queue", "tasks", "succeeded", "dead", "schedules", "end"}


def test_a_cut_dump_is_saved_as_far_as_it_goes(dumped: Path, tmp_path: Path) -> None:
    path = dumped / "dump-00000002.msgpack"
    forget_first(dumped)
    end, kind = blocks(path)[-1]
    assert kind == "end"
    path.write_bytes(path.read_bytes()[:end])
    saved, losses = salvaged(dumped)
    assert len(saved.tasks) == 13
    assert [gap.reason for _, gap in losses.gaps] == ["the dump is cut off"]
    stored(saved, tmp_path / "new")


def test_a_damaged_dump_is_not_missed_if_its_journals_go_back_far_enough(
    dumped: Path,
) -> None:
    whole, _ = salvaged(dumped)
    damage(dumped / "dump-00000002.msgpack", 30)
    saved, losses = salvaged(dumped)
    assert ranked(saved) == ranked(whole)
    assert losses == Losses()


def test_a_damaged_dump_mends_what_the_journals_before_it_lost(dumped: Path) -> None:
    """And tasks that only these know are live."""
    path = dumped / "dump-00000002.msgpack"
    whole, _ = salvaged(dumped)
    rows = [offset for offset, kind in blocks(path) if kind == "tasks"]
    damage(path, rows[0] + 21)
    # All that came before the dump was one commit.
    damage(dumped / JOURNAL, 30)
    saved, losses = salvaged(dumped)
    assert len(losses.gaps) == 2
    assert len(whole.tasks) - len(saved.tasks) in (1, 2)


def test_the_newest_whole_dump_is_what_it_begins_with(dumped: Path) -> None:
    whole, _ = salvaged(dumped)
    (dumped / "dump-00000003.msgpack").write_bytes(b"rubbish")
    (dumped / "journal-00000003.msgpack").write_bytes(
        format.header(format.JOURNAL, 3, 1)
    )
    saved, losses = salvaged(dumped)
    assert ranked(saved) == ranked(whole)
    assert losses.missing == []


def test_a_journal_that_is_gone_is_made_up_for_by_a_damaged_dump(
    dumped: Path,
) -> None:
    store, queue = opened(dumped)
    take(store, queue, [Pushed("later", NOW, NOW, b"")])
    store.commit()
    store.rotate()
    generation = store.rotate()
    write_dump(str(dumped), generation, queue)
    store.close()
    (dumped / "journal-00000003.msgpack").unlink()
    path = dumped / f"dump-{generation:08}.msgpack"
    path.write_bytes(path.read_bytes()[:-1])
    saved, losses = salvaged(dumped)
    assert ranked(saved) == ranked(queue)
    assert [where for where, _ in losses.gaps] == [str(path)]
    assert losses.missing == []


# --- what cannot be salvaged --------------------------------------------------------


def test_a_directory_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        salvaged(tmp_path)


def test_what_only_a_newer_version_understands_is_not_thrown_away(
    tmp_path: Path,
) -> None:
    life = lived(tmp_path / "data")
    path = life.directory / JOURNAL
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.JOURNAL, 1)
    strange = format.block(msgpack.packb([[[99, "new"]]]), salt, len(data))
    path.write_bytes(data + strange)
    with pytest.raises(StoreTooNew, match="start the version that wrote it") as caught:
        salvaged(life.directory)
    assert (caught.value.path, caught.value.offset) == (str(path), len(data))
    assert "repair" not in caught.value.message


@pytest.mark.parametrize("kind", ["tasks", "novelties"])
def test_nor_is_a_row_of_a_dump(tmp_path: Path, kind: str) -> None:
    salt = 7
    body = msgpack.packb([kind, [["too", "few"]]])
    damaged = format.block(b"\xc0", salt)[:-1] + b"?"
    content = format.header(format.DUMP, 2, salt) + damaged + format.block(body, salt)
    (tmp_path / "dump-00000002.msgpack").write_bytes(content)
    with pytest.raises(StoreTooNew):
        salvaged(tmp_path)


def test_a_whole_dump_of_a_newer_version_is_not_passed_over(tmp_path: Path) -> None:
    salt = 7
    body = msgpack.packb(["novelties", []])
    content = format.header(format.DUMP, 2, salt) + format.block(body, salt)
    (tmp_path / "dump-00000002.msgpack").write_bytes(content)
    with pytest.raises(StoreTooNew):
        salvaged(tmp_path)


def test_the_refusal_of_a_start_names_what_helps(tmp_path: Path) -> None:
    life = lived(tmp_path / "data")
    damage(life.directory / JOURNAL, life.ends[3] + 2)
    with pytest.raises(StoreDamaged) as caught:
        recovered(life.directory)
    for part in (JOURNAL, f"byte {life.ends[3]}:", "`poussetaches store repair`"):
        assert part in caught.value.message
    assert State.DEAD in {
        task.state for task in salvaged(life.directory)[0].dead.values()
    }


# --- whatever may happen to a disk --------------------------------------------------


def spoil(draw: random.Random, directory: Path) -> None:
    """Damage a file or two, or have one be gone."""
    for _ in range(draw.choice([1, 1, 2, 3])):
        path = draw.choice(sorted(directory.glob("*.msgpack")))
        data = bytearray(path.read_bytes())
        begin = draw.randrange(len(data))
        end = min(len(data), begin + draw.randrange(300))
        match draw.choice(["flip", "flip", "cut", "zero", "noise", "drop"]):
            case "flip":
                data[begin] ^= 1 << draw.randrange(8)
            case "cut":
                del data[max(1, begin) :]
            case "zero":
                data[begin:end] = bytes(end - begin)
            case "noise":
                data[begin:end] = draw.randbytes(end - begin)
            case "drop":
                data[:] = b"?"
        path.write_bytes(data)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_damaged_the_result_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(dump, "ROWS", 4)
    draw = random.Random(seed)
    directory = tmp_path / "data"
    store, queue = opened(directory)
    forgetful = draw.random() < 0.5
    for record in story(seed, 80):
        take(store, queue, record)
        store.commit()
        if draw.random() < 0.05:
            generation = store.rotate()
            if draw.random() < 0.7:
                write_dump(str(directory), generation, queue)
                if forgetful:
                    store.forget_before(generation)
    store.close()
    for number in range(10):
        spoilt = copied(directory, tmp_path / f"spoilt-{number}")
        spoil(draw, spoilt)
        found = inspect(str(spoilt), retain_succeeded=1000, in_use=False, step=ignore)
        saved, _ = salvaged(spoilt)
        stored(saved, tmp_path / f"new-{number}")
        if not found.faults:
            # What a service would start with is among it.
            known = {*saved.tasks, *saved.succeeded, *saved.dead}
            assert set(recovered(spoilt)[0].tasks) <= known
