"""The state machine of the queue, with its store on a real disk, and crashes."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from poussetaches.model.events import Event
from poussetaches.model.queue import TaskQueue
from poussetaches.store import journal
from poussetaches.store.disk import Store
from poussetaches.store.dump import write_dump
from poussetaches.store.format import MARK
from tests.model.machine import SECONDS, STEPS, QueueMachine
from tests.store.conftest import MEMORY
from tests.support.queues import ranked
from tests.support.stores import copied


class StoreMachine(QueueMachine):
    """Every decision is a record of a store; what is committed survives."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(journal, "CHUNK", 1024)
        # In memory if it may be: nothing here depends on a sync.
        memory = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="poussetaches-test-", dir=memory))
        self.crashes = 0
        self._open(self.folder / "data")
        self._keep()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)
        self.patch.undo()

    def _open(self, directory: Path) -> TaskQueue:
        """Start with what is in ``directory``."""
        queue = self.new_queue()
        self.store, self.recovered = Store.open(
            str(directory), "always", queue, patience=0.0
        )
        return queue

    def _keep(self) -> None:
        """This is what a crash leaves."""
        self.kept = copy.deepcopy((self.queue, self.ledger))

    def record(self, events: list[Event]) -> None:
        if events:
            self.store.append(events)
        super().record(events)

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self._keep()

    @rule(
        tail=st.sampled_from([b"", bytes(999), MARK, MARK + b"\0\0\0\7rubbish"]),
        seconds=st.one_of(SECONDS, STEPS),
    )
    def crash(self, tail: bytes, seconds: float) -> None:
        """Everything that is not on disk is lost, and the last write may be torn."""
        self.crashes += 1
        left = copied(Path(self.store.directory), self.folder / str(self.crashes))
        newest = left / f"journal-{self.store.generation:08}.msgpack"
        with newest.open("r+b") as file:
            file.seek(self.store.journal_size)
            file.write(tail)
        self.store.close()
        self._recover(left, seconds)
        assert (self.recovered.torn > 0) == bool(tail.strip(b"\0"))

    @rule(seconds=st.one_of(SECONDS, STEPS))
    def replay(self, seconds: float) -> None:
        """The service stops as it should, and starts again."""
        self.store.close()
        self._keep()
        self._recover(Path(self.store.directory), seconds)
        assert self.recovered.torn == 0

    def _recover(self, directory: Path, seconds: float) -> None:
        queue, self.ledger = self.kept
        self.queue = self._open(directory)
        assert ranked(self.queue) == ranked(queue)
        self.now += seconds
        self._keep()
        self.recover()

    @rule(succeeds=st.booleans(), meanwhile=st.booleans())
    def load(self, succeeds: bool, meanwhile: bool) -> None:
        """A dump is written, or its writer dies; meanwhile the service goes on."""
        self.commit()
        then = copy.deepcopy(self.queue)
        generation = self.store.rotate()
        if meanwhile:
            self.push(0.0, None)
            self.commit()
        if succeeds:
            assert write_dump(self.store.directory, generation, then)
            self.store.forget_before(generation)

    def recover(self) -> None:
        """Not a rule here: only a start does that."""
        super().recover()


TestStore = StoreMachine.TestCase
# Its disk makes it slow; what needs no disk is tried in tests/model.
TestStore.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=40
)
