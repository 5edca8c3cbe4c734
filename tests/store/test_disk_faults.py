"""Every way in which the system can say no, at every call of a life of a store.

Whatever it says: an operation is refused and the store goes on, or it raises and the
store is not used any more. Then what the disk holds is everything that was
acknowledged, and at most what was under way besides.
"""

from __future__ import annotations

import copy
import errno
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from poussetaches.errors import StoreError, StoreFull
from poussetaches.model.events import Pushed
from poussetaches.model.queue import TaskQueue
from poussetaches.store import dump, journal
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from tests.support.faults import CALLS, fail
from tests.support.queues import NOW, ranked
from tests.support.stores import killed, recovered, take

#: What each call may say.
ERRORS = {
    "fdatasync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "ftruncate": (errno.EIO, errno.ENOSPC),
    "open": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE),
    "posix_fallocate": (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    "pwrite": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "rename": (errno.EIO, errno.ENOSPC, errno.EDQUOT),
    "unlink": (errno.EIO, errno.ENOSPC),
}
#: Failures, some of them once, that end a life or are made up for.
NEVER_REFUSED = {
    ("fdatasync", True),
    ("fdatasync", False),
    ("ftruncate", True),
    ("ftruncate", False),
    ("posix_fallocate", True),
}


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 256)
    monkeypatch.setattr(dump, "ROWS", 2)


class Life:
    """What a supervisor does with its store, and what it makes of its refusals."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store: Store
        self._queue: TaskQueue
        #: Tasks that clients were told of.
        self.acknowledged: set[str] = set()
        #: Those of the commit that did not come back.
        self.in_doubt: set[str] = set()
        #: How often something was refused that did not end the life.
        self.refused = 0

    def live(self) -> None:
        """Raises OSError or StoreError where a service would end."""
        for number in range(2):
            self._open()
            self._push(f"{number} first", 10)
            self._push(f"{number} large", 600)
            self._dump(f"{number} during")
            self._push(f"{number} after the dump", 10)
            if number == 0:
                killed(self._store)
                self._tear()
            else:
                self._store.close()

    def _open(self) -> None:
        self._queue = TaskQueue()
        directory = os.fspath(self._directory)
        self._store, _ = Store.open(directory, "always", self._queue, patience=0.0)

    def _push(self, id: str, size: int) -> None:
        try:
            take(self._store, self._queue, [Pushed(id, NOW, NOW, bytes(size))])
        except StoreFull:
            self.refused += 1
            return
        self.in_doubt = {id}
        self._store.commit()
        self.acknowledged |= self.in_doubt
        self.in_doubt = set()

    def _dump(self, meanwhile: str) -> None:
        try:
            generation = self._store.rotate()
        except StoreFull:
            self.refused += 1
            return
        then = copy.deepcopy(self._queue)
        self._push(meanwhile, 10)
        # The writer is a process of its own: its errors end only itself.
        tidy: Callable[[], None]
        try:
            write_dump(os.fspath(self._directory), generation, then)
        except OSError:
            self.refused += 1
            tidy = self._store.forget_unfinished
        else:
            tidy = lambda: self._store.forget_before(generation)  # noqa: E731
        try:
            tidy()
        except OSError:
            self.refused += 1

    def _tear(self) -> None:
        newest = max(self._directory.glob("journal-*.msgpack"))
        with newest.open("ab") as file:
            file.write(b"torn" * 20)


def descriptors() -> set[int]:
    found = map(int, os.listdir("/proc/self/fd"))
    # The list had one itself.
    return {fd for fd in found if os.path.exists(f"/proc/self/fd/{fd}")}


@pytest.mark.parametrize("once", [True, False], ids=["once", "from then on"])
@pytest.mark.parametrize("call", CALLS)
def test_whatever_the_system_says_what_was_acknowledged_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, once: bool
) -> None:
    cases = 0
    ended = 0
    refused = 0
    for error in ERRORS[call]:
        for at in itertools.count(1):
            directory = tmp_path / f"{error}-{at}"
            life = Life(directory)
            before = descriptors()
            with monkeypatch.context() as patch:
                counter = fail(patch, call, error, at=at, once=once)
                try:
                    life.live()
                except (OSError, StoreError):
                    ended += 1
            for left in descriptors() - before:
                os.close(left)
            refused += life.refused
            queue, _ = recovered(directory)
            assert life.acknowledged <= set(queue.tasks)
            assert set(queue.tasks) <= life.acknowledged | life.in_doubt
            again, found = recovered(directory)
            assert (ranked(again), found.torn) == (ranked(queue), 0)
            assert not list(directory.glob("*.tmp"))
            if counter.calls < at:
                assert len(life.acknowledged) == 8
                break
            cases += 1
        assert at > 2
    if call == "fdatasync":
        # What was not synced is never acknowledged, nor synced again.
        assert ended == cases
    # Nobody depends on anything being removed.
    assert (ended > 0) == (call != "unlink")
    # Who has no room for much may have some for what is needed at once.
    if (call, once) not in NEVER_REFUSED:
        assert refused > 0
