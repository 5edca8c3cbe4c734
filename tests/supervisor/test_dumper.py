"""The dump writer: when it is sent out, and what is left of one that fails."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Submission
from poussetaches.store.disk import Store
from poussetaches.supervisor import dumper
from poussetaches.supervisor.clock import Clock
from poussetaches.supervisor.dumper import Dumper
from poussetaches.supervisor.keeper import Keeper
from tests.support.faults import fail
from tests.support.queues import POLICY, ranked
from tests.support.service import wait_until
from tests.support.stores import copied, recovered

INTERVAL = 300.0


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    queue = TaskQueue()
    store, _ = Store.open(str(tmp_path / "data"), "always", queue, patience=0.0)
    keeper = Keeper(queue, store, Clock(0.0), POLICY, slots=1, end_room=1000)
    yield keeper
    store.close()


def push(keeper: Keeper, id: str) -> None:
    keeper.push(Submission(id, b"spec", 0.0, ""))
    keeper.commit()


def dumper_of(keeper: Keeper) -> Dumper:
    return Dumper(keeper, interval=INTERVAL, now=0.0, close_sockets=lambda: None)


def finish(sent: Dumper, now: float = 1.0) -> None:
    """Wait until the dump writer has ended."""

    def reaped() -> bool:
        sent.reap(now)
        return sent._pid is None

    wait_until(reaped)


def tell(message: str, *arguments: object) -> None:
    """A logger's warning that comes through from a fork, too."""
    os.write(2, f"{message % arguments}\n".encode())


def test_a_dump_is_due_when_there_is_news_and_an_interval_has_passed(
    keeper: Keeper,
) -> None:
    sent = dumper_of(keeper)
    assert sent.due_at() == float("inf")
    push(keeper, "a")
    assert sent.due_at() == INTERVAL
    sent.begin(INTERVAL)
    assert sent.due_at() == float("inf")
    finish(sent)
    assert sent.due_at() == float("inf")
    push(keeper, "b")
    assert sent.due_at() == 2 * INTERVAL


def test_a_dump_replaces_what_was_there(keeper: Keeper, tmp_path: Path) -> None:
    push(keeper, "a")
    sent = dumper_of(keeper)
    sent.begin(1.0)
    push(keeper, "b")
    finish(sent, 3.5)
    assert sent.duration == 2.5
    assert {path.name for path in (tmp_path / "data").iterdir()} == {
        "dump-00000002.msgpack",
        "journal-00000002.msgpack",
        "lock",
    }
    again, _ = recovered(copied(tmp_path / "data", tmp_path / "copy"))
    assert ranked(again) == ranked(keeper.queue)


def test_a_dump_writer_that_fails_leaves_nothing_and_loses_nothing(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it wrote may be what fills the disk."""
    push(keeper, "a")
    sent = dumper_of(keeper)
    with monkeypatch.context() as patch:
        fail(patch, "rename", errno.ENOSPC, at=2)
        sent.begin(1.0)
        finish(sent)
    assert sent.duration is None
    push(keeper, "b")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {
        "journal-00000001.msgpack",
        "journal-00000002.msgpack",
        "lock",
    }
    again, _ = recovered(copied(tmp_path / "data", tmp_path / "copy"))
    assert ranked(again) == ranked(keeper.queue)


@pytest.mark.parametrize("call", ["posix_fallocate", "fork"])
def test_a_dump_that_cannot_be_begun_is_not_tried_again_at_once(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """However long the journal has become."""
    monkeypatch.setattr(dumper, "LARGE_JOURNAL", 10)
    push(keeper, "a")
    sent = dumper_of(keeper)
    assert sent.due_at() < INTERVAL
    with monkeypatch.context() as patch:
        if call == "fork":

            def no_fork() -> int:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

            patch.setattr(os, "fork", no_fork)
        else:
            fail(patch, call, errno.ENOSPC)
        sent.begin(1000.0)
    push(keeper, "b")
    assert 1000.0 < sent.due_at() < 1000.0 + INTERVAL
    assert set(keeper.queue.tasks) == {"a", "b"}


def test_a_dump_that_keeps_failing_is_tried_ever_more_seldom(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And said once each time, with when it is tried again."""
    sent = dumper_of(keeper)
    now = 0.0
    pauses = []
    with monkeypatch.context() as patch:
        for number in range(12):
            push(keeper, f"t{number}")
            pauses.append(sent.due_at() - now)
            now = sent.due_at()
            if number % 2:
                fail(patch, "posix_fallocate", errno.ENOSPC)
                sent.begin(now)
                patch.undo()
            else:
                fail(patch, "rename", errno.ENOSPC, at=2)
                sent.begin(now)
                patch.undo()
                finish(sent, now + 1)
    assert pauses == [300, 600, 1200, 2400] + [3600] * 8
    said = [one.getMessage() for one in caplog.records]
    # The writers, which are processes of their own, say it themselves.
    assert said == [
        "no dump: the disk has no room for another journal; "
        f"the next attempt is made in {pause} s"
        for pause in (1200, *[3600] * 5)
    ]
    push(keeper, "more")
    sent.begin(now)
    finish(sent, now + 1)
    push(keeper, "and more")
    assert sent.due_at() == now + INTERVAL


def test_a_large_journal_that_cannot_be_dumped_is_no_reason_to_hurry(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumper, "LARGE_JOURNAL", 10)
    push(keeper, "a")
    sent = dumper_of(keeper)
    fail(monkeypatch, "posix_fallocate", errno.ENOSPC)
    now = 0.0
    pauses = []
    for _ in range(12):
        pauses.append(sent.due_at() - now)
        now = sent.due_at()
        sent.begin(now)
    assert pauses == [10 * 2**n for n in range(9)] + [3600] * 3


def test_a_dump_writer_says_why_it_failed_and_when_it_is_tried_again(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    push(keeper, "a")
    sent = dumper_of(keeper)
    # It has no handler but the one of last resort, which writes to stderr.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with monkeypatch.context() as patch:
        fail(patch, "rename", errno.EIO, at=2)
        sent.begin(1.0)
        finish(sent)
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(
        r"no dump: \[Errno 5\] Input/output error.*; "
        r"the next attempt is made in 600 s",
        line,
    )


def test_a_killed_dump_writer_is_told_of(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    push(keeper, "a")
    sent = dumper_of(keeper)

    def kill(old: str, new: str) -> None:
        if os.getpid() != ours:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(old, new)

    ours, rename = os.getpid(), os.rename
    monkeypatch.setattr(os, "rename", kill)
    sent.begin(1.0)
    finish(sent)
    assert "no dump: killed by SIGKILL; the next attempt is made in 600 s" in (
        caplog.text
    )


@pytest.mark.parametrize("is_written", [True, False])
def test_what_cannot_be_removed_is_told_and_does_no_harm(
    keeper: Keeper,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    is_written: bool,
) -> None:
    push(keeper, "a")
    sent = dumper_of(keeper)
    with monkeypatch.context() as patch:
        fail(patch, "unlink", errno.EIO)
        # The writer removes what it has replaced, the supervisor what is unfinished.
        patch.setattr(dumper.log, "warning", tell)
        if not is_written:
            fail(patch, "rename", errno.EIO, at=2)
        sent.begin(1.0)
        finish(sent)
    assert capfd.readouterr().err.count("cannot be removed: [Errno 5]") == 1
    assert (sent.duration is not None) == is_written
    push(keeper, "b")
    again, _ = recovered(copied(tmp_path / "data", tmp_path / "copy"))
    assert ranked(again) == ranked(keeper.queue)


def test_a_dump_that_is_abandoned_is_gone(keeper: Keeper, tmp_path: Path) -> None:
    push(keeper, "a")
    sent = dumper_of(keeper)
    sent.begin(1.0)
    sent.abandon()
    sent.abandon()
    again, _ = recovered(copied(tmp_path / "data", tmp_path / "copy"))
    assert ranked(again) == ranked(keeper.queue)
