"""What ``check`` finds, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest

from poussetaches.model.events import Leased, Pushed, Scheduled, SchedulePaused
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format, inspection
from poussetaches.store.dump import write_dump
from poussetaches.store.inspection import Inspection, inspect, total_size
from tests.support.queues import NOW, ranked
from tests.support.stores import RECORDS, Life, lived, opened, take

JOURNAL = "journal-00000001.msgpack"


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return lived(tmp_path / "data")


def inspected(
    directory: Path,
    *,
    in_use: bool = False,
    step: Callable[[int], object] = lambda amount: None,
) -> Inspection:
    before = {one.name: one.read_bytes() for one in directory.iterdir()}
    found = inspect(str(directory), retain_succeeded=1000, in_use=in_use, step=step)
    assert {one.name: one.read_bytes() for one in directory.iterdir()} == before
    return found


def test_a_whole_store_is_described(life: Life) -> None:
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes() + bytes(1000))
    steps: list[int] = []
    found = inspected(life.directory, step=steps.append)
    assert found.faults == []
    assert sum(steps) == total_size(str(life.directory)) - format.HEADER_SIZE
    (file,) = found.files
    assert (file.name, file.kind, file.generation) == (JOURNAL, "journal", 1)
    assert (file.version, file.needed, file.damages) == (1, True, [])
    assert (file.blocks, file.entries) == (len(RECORDS), len(RECORDS))
    assert (file.size, file.padding, file.torn) == (life.ends[-1] + 1000, 1000, 0)
    assert found.queue is not None
    assert ranked(found.queue) == life.states[-1]
    assert found.records == len(RECORDS)


def test_an_empty_directory_is_whole(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    assert (found.files, found.queue, found.faults) == ([], None, [])


def test_what_is_not_needed_may_be_damaged(life: Life) -> None:
    store, queue = opened(life.directory)
    generation = store.rotate()
    write_dump(str(life.directory), generation, queue)
    take(store, queue, [Pushed("after", NOW, NOW, b"")])
    store.close()
    (life.directory / JOURNAL).write_bytes(b"rubbish")
    for name in ("dump-00000003.msgpack.tmp", "README"):
        (life.directory / name).write_bytes(b"half of")
    found = inspected(life.directory)
    assert found.faults == []
    assert [(file.name, file.needed) for file in found.files] == [
        (JOURNAL, False),
        ("dump-00000002.msgpack", True),
        ("journal-00000002.msgpack", True),
    ]
    assert found.files[0].damages
    assert (found.files[1].entries, found.files[2].entries) == (5, 1)
    assert found.unfinished == ["dump-00000003.msgpack.tmp"]
    assert found.others == ["README"]
    assert found.queue is not None
    assert ranked(found.queue) == ranked(queue)


def test_a_torn_tail_is_told_and_is_no_fault(life: Life) -> None:
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes()[:-5] + bytes(9))
    found = inspected(life.directory)
    assert found.faults == []
    assert found.files[0].torn == life.ends[-1] - 5 - life.ends[-2]
    assert found.files[0].padding == 9
    assert found.queue is not None
    assert ranked(found.queue) == life.states[-2]


def test_what_a_start_would_cut_off_with_the_torn_place_is_told(
    tmp_path: Path,
) -> None:
    """Without syncs nothing says what had been on disk."""
    life = lived(tmp_path / "data", "off")
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    data[life.ends[4] + 21] ^= 1
    path.write_bytes(data)
    found = inspected(life.directory)
    (file,) = found.files
    assert (found.faults, file.damages) == ([], [])
    assert file.torn == life.ends[-1] - life.ends[4]
    assert (file.entries, file.cut) == (len(RECORDS) - 1, len(RECORDS) - 5)
    assert found.queue is not None
    assert ranked(found.queue) == life.states[4]


def test_every_damage_is_named_with_file_and_offset(life: Life) -> None:
    path = life.directory / JOURNAL
    data = bytearray(path.read_bytes())
    for number in (2, 5, 6):
        data[life.ends[number] + 21] ^= 1
    path.write_bytes(data)
    found = inspected(life.directory)
    first, second = life.ends[2], life.ends[5]
    assert [gap.offset for gap in found.files[0].damages] == [first, second]
    reason = "the checksum of a block does not fit"
    assert found.faults == [
        f"{path}: damaged at byte {first}: {reason}",
        f"{path}: damaged at byte {second}: {reason}",
    ]
    assert "store repair" in found.advice
    assert found.queue is None


def test_a_journal_that_was_stopped_is_described_as_one(tmp_path: Path) -> None:
    life = lived(tmp_path / "data", stopped=True)
    (file,) = inspected(life.directory).files
    assert (file.entries, file.blocks) == (len(RECORDS), len(RECORDS) + 1)
    assert (file.torn, file.padding, file.damages) == (0, 0, [])


def test_a_journal_that_has_a_successor_is_not_torn_but_damaged(life: Life) -> None:
    store, _ = opened(life.directory)
    store.rotate()
    store.close()
    path = life.directory / JOURNAL
    path.write_bytes(path.read_bytes()[:-5])
    found = inspected(life.directory)
    (fault,) = found.faults
    assert fault.startswith(f"{path}: damaged at byte {life.ends[-2]}: ")
    assert [gap.offset for gap in found.files[0].damages] == [life.ends[-2]]
    assert found.files[0].torn == 0


def test_damage_in_use_is_looked_at_again(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be what was just being written."""
    path = life.directory / JOURNAL
    data = path.read_bytes()
    path.write_bytes(data[: life.ends[2]] + b"?" + data[life.ends[2] + 1 :])
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    assert inspected(life.directory, in_use=True).faults
    assert len(pauses) == inspection.TRIES - 1

    def mend(seconds: float) -> None:
        path.write_bytes(data)

    monkeypatch.setattr("time.sleep", mend)
    found = inspect(
        str(life.directory), retain_succeeded=9, in_use=True, step=lambda n: None
    )
    assert found.faults == []


def test_a_file_that_goes_while_it_is_in_use_is_no_fault(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = life.directory / "journal-00000000.msgpack"
    gone.symlink_to("nowhere")
    arguments = (str(life.directory),)
    with pytest.raises(FileNotFoundError):
        inspect(*arguments, retain_succeeded=9, in_use=False, step=lambda n: None)

    def forget(seconds: float) -> None:
        gone.unlink()

    monkeypatch.setattr("time.sleep", forget)
    found = inspect(*arguments, retain_succeeded=9, in_use=True, step=lambda n: None)
    assert found.faults == []


def test_what_recovery_refuses_is_a_fault(life: Life) -> None:
    store, queue = opened(life.directory)
    take(store, queue, [Pushed("x", NOW, NOW, b"")])
    store.commit()
    begin = store.journal_size
    store.append([Leased("nobody", NOW, 1)])
    store.close()
    found = inspected(life.directory)
    (fault,) = found.faults
    assert f"{JOURNAL}: damaged at byte {begin}: Leased does not fit" in fault
    assert "store repair" not in fault


def test_a_missing_journal_is_a_fault(tmp_path: Path) -> None:
    write_dump(str(tmp_path), 5, TaskQueue())
    (fault,) = inspected(tmp_path).faults
    assert "journal-00000005.msgpack is missing" in fault
    assert "store repair" not in fault


def test_against_a_newer_version_no_repair_is_advised(life: Life) -> None:
    path = life.directory / JOURNAL
    data = path.read_bytes()
    salt = format.read_header(str(path), data, format.JOURNAL, 1)
    strange = format.block(msgpack.packb([[[99, "new"]]]), salt, len(data))
    path.write_bytes(data + strange)
    found = inspected(life.directory)
    assert len(found.faults) == 1
    assert found.advice == "start the version that wrote it"


def test_a_file_of_a_newer_version_is_a_fault(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(format, "VERSION", 2)
        data = format.header(format.JOURNAL, 1, 7)
    (life.directory / JOURNAL).write_bytes(data)
    found = inspected(life.directory)
    assert len(found.faults) == 1
    assert "newer" in found.faults[0]
    assert found.advice == "start the version that wrote it"


def test_contradictions_of_a_readable_store_are_faults(tmp_path: Path) -> None:
    store, queue = opened(tmp_path)
    queue.apply(Scheduled("s", NOW, "@hourly", b""))
    queue.apply(Scheduled("paused", NOW, "@hourly", b""))
    queue.apply(SchedulePaused("paused", NOW))
    queue.counts.accepted = 3
    generation = store.rotate()
    write_dump(str(tmp_path), generation, queue)
    store.close()
    assert inspected(tmp_path).faults == [
        "the counts do not add up: the difference is 3",
        "schedule s (@hourly) has no next run",
    ]
