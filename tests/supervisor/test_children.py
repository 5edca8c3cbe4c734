"""Children, as far as that needs no process: places, patience, words."""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from poussetaches.errors import ChannelError, StartupError
from poussetaches.model.task import Task
from poussetaches.supervisor.children import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Child,
    Children,
    Hold,
    Place,
    describe,
)
from tests.support.scale import times


def child(**given: Any) -> Child:
    nothing: Any = None
    values: dict[str, Any] = {"ready": True, "slots": 4, **given}
    return Child("worker", 1, nothing, nothing, 0.0, 0.0, **values)


def hold(deadline: float) -> Hold:
    return Hold(Task("a", b"", "", 0.0, 0.0, 1), 1, deadline)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit status 0"),
        (1, "exit status 1"),
        (-signal.SIGKILL, "killed by SIGKILL"),
        (-40, "killed by signal 40"),
    ],
)
def test_how_a_process_ended_is_said_in_words(code: int, words: str) -> None:
    assert describe(code) == words


def test_pauses_double_up_to_a_limit_however_often_a_child_dies() -> None:
    place = Place("worker", 1)
    pauses = [place.next_pause() for _ in range(3000)]
    assert pauses[:4] == [
        FIRST_PAUSE,
        FIRST_PAUSE * 2,
        FIRST_PAUSE * 4,
        FIRST_PAUSE * 8,
    ]
    assert pauses[-1] == LONGEST_PAUSE == max(pauses)


def test_a_worker_is_overdue_once_it_speaks_and_does_not_report() -> None:
    """Not before: after the whole machine was frozen it must have a chance to."""
    worker = child(holds={7: hold(100.0), 8: hold(200.0)})
    worker.last_heard = 99.0
    assert not worker.is_overdue()
    worker.last_heard = 101.0
    assert worker.is_overdue()
    del worker.holds[7]
    assert not worker.is_overdue()
    assert not child().is_overdue()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def no_more(*arguments: object, **given: object) -> Any:
    raise OSError(11, "Resource temporarily unavailable")


def test_a_first_child_that_cannot_be_forked_is_one_sentence(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", no_more)
    children = Children(listener, workers=1, heartbeat_timeout=10.0)
    with pytest.raises(StartupError, match=r"api-1 cannot start: .*unavailable"):
        children.fill(time.monotonic())


def test_a_later_child_that_cannot_be_forked_is_tried_again(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has killed the child, such as a lack of memory, must not end the service."""
    fork = subprocess.Popen

    def sleeping(*arguments: object, **given: Any) -> Any:
        return fork([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    children = Children(listener, workers=1, heartbeat_timeout=10.0)
    monkeypatch.setattr(subprocess, "Popen", sleeping)
    api, worker = children.fill(0.0)
    children.part_with(worker)
    worker.process.wait()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert children.reap(100.0) == [worker]
    monkeypatch.setattr(subprocess, "Popen", no_more)
    assert children.fill(200.0) == []
    monkeypatch.setattr(subprocess, "Popen", sleeping)
    assert children.fill(200.0) == []
    [again] = children.fill(200.0 + LONGEST_PAUSE)
    assert again.name == "worker-1"
    assert children.restarts == {"api": 0, "worker": 1}
    for one in (api, again):
        children.part_with(one)
        one.process.wait()
        assert one.process.stdin is not None
        one.process.stdin.close()


def test_who_was_parted_with_is_counted_until_it_has_ended(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it may still be at the attempts that it holds."""

    class Undying:
        """A process that does not end when it is killed."""

        returncode: int | None = None

        def __init__(self, *arguments: object, **given: object) -> None:
            pass

        def poll(self) -> int | None:
            return self.returncode

        def kill(self) -> None:
            pass

    monkeypatch.setattr(subprocess, "Popen", Undying)
    children = Children(listener, workers=1, heartbeat_timeout=10.0)
    api, worker = children.fill(0.0)
    children.part_with(worker)
    assert worker not in list(children)
    assert (len(children), children.reap(1.0)) == (2, [])
    worker.process.returncode = -9
    assert children.reap(2.0) == [worker]
    assert list(children) == [api]
    assert len(children) == 1
    children.part_with(api)


def test_a_worker_that_dies_at_once_again_and_again_holds_nobody_up(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes: each is noticed, reaped and replaced, after growing pauses."""
    monkeypatch.setattr("poussetaches.supervisor.children.FIRST_PAUSE", 0.002)
    monkeypatch.setattr("poussetaches.supervisor.children.LONGEST_PAUSE", 0.016)
    fork = subprocess.Popen

    def mortal(arguments: list[str], **given: Any) -> Any:
        is_first_worker = "poussetaches.worker 1" in " ".join(arguments)
        program = ["sh", "-c", "exit 7"] if is_first_worker else ["sleep", "1000"]
        return fork(program, **given)

    monkeypatch.setattr(subprocess, "Popen", mortal)
    children = Children(listener, workers=2, heartbeat_timeout=100.0)
    lives: list[Child] = []
    ended: list[Child] = []
    with selectors.DefaultSelector() as selector:
        while len(ended) < times(5, 100):
            for one in children.fill(time.monotonic()):
                selector.register(one.peer, selectors.EVENT_READ, one)
                if one.name == "worker-1":
                    lives.append(one)
            for key, _ in selector.select(0.002):
                with pytest.raises(ChannelError):
                    key.data.peer.receive()
                selector.unregister(key.data.peer)
                children.part_with(key.data)
            ended += children.reap(time.monotonic())
    assert ended == lives
    assert {one.process.returncode for one in ended} <= {7, -signal.SIGKILL}
    for n, (one, following) in enumerate(pairwise(lives)):
        pause = min(0.016, 0.002 * 2.0 ** min(n, 10))
        assert following.started_at - one.started_at >= pause
    assert [one.name for one in children] == ["api-1", "worker-2"]
    assert [one.process.poll() for one in children] == [None, None]
    for one in list(children):
        children.part_with(one)
        one.process.wait()
