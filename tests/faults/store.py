"""What a crash or a bad disk leaves of a data directory, and what becomes of that.

No process is started: the store of the service itself is told what to write, and to
recover from what is left. ``accepted`` counts a task at every moment at which it was
safe, ``lost`` at every one at which it was not there any more.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poussetaches.errors import StoreDamaged, StoreError
from poussetaches.model.queue import TaskQueue
from poussetaches.store import dump, format, journal
from tests.faults.fault import Fault
from tests.faults.trial import Trial
from tests.support.faults import dies_at
from tests.support.histories import RandomHistory, ScriptedHistory, StoreHistory
from tests.support.power import Disk
from tests.support.queues import ranked
from tests.support.stores import Life, lived, recovered

MEMORY = Path("/dev/shm")
#: Cuts that are tried at each step of a history.
CUTS = 4
#: What a disk may have left behind the journal, bytes.
SECTOR = 4096

#: Makes a history that lives in a directory and tells when something is safe.
Begin = Callable[[Path, Callable[[], None]], StoreHistory]


class StoreFault(Fault):
    """Befalls a data directory. ``times`` is what one round comes to, about."""

    @abstractmethod
    def befall(self, trial: Trial, folder: Path) -> None:
        """Once over, in a folder of its own."""

    def run(self, trial: Trial) -> None:
        for _ in range(trial.rounds):
            with _folder(trial) as folder, pytest.MonkeyPatch.context() as patch:
                patch.setattr(journal, "CHUNK", 1024)
                patch.setattr(dump, "ROWS", 2)
                self.befall(trial, folder)


class PowerCut(StoreFault):
    name = "power cut"
    times = 600

    def befall(self, trial: Trial, folder: Path) -> None:
        """Before every step of two histories, some cuts that end differently."""
        for number, begin in enumerate(_histories(trial.dice)):
            self._cut_everywhere(trial, folder / f"history-{number}", begin)

    def _cut_everywhere(self, trial: Trial, folder: Path, begin: Begin) -> None:
        (folder / "data").mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, folder / "data")
            history = begin(folder / "data", lambda: None)

            def cut() -> None:
                disk.before_change = lambda: None
                for _ in range(CUTS):
                    after = folder / "after"
                    disk.cut(trial.dice, after)
                    judge(trial, history, history.safe, after)
                    shutil.rmtree(after)
                disk.before_change = cut

            disk.before_change = cut
            history.live()
            disk.close()


class ProcessEnded(StoreFault):
    name = "ended before a file operation"
    times = 120

    def befall(self, trial: Trial, folder: Path) -> None:
        """Before each one of two histories."""
        for number, begin in enumerate(_histories(trial.dice)):
            # A process that ends tells nobody its states: they are had beforehand.
            whole = begin(folder / f"whole-{number}", lambda: None)
            whole.live()
            for step in itertools.count(1):
                if not self._end_at(trial, folder / "data", begin, whole, step):
                    break

    def _end_at(
        self, trial: Trial, data: Path, begin: Begin, whole: StoreHistory, step: int
    ) -> bool:
        """Whether it came as far as that step."""
        reader, writer = os.pipe()

        def deed() -> None:
            def tell() -> None:
                os.write(writer, history.safe.to_bytes(4, "big"))

            history = begin(data, tell)
            history.live()

        died = dies_at(step, deed)
        os.close(writer)
        told = os.read(reader, 65536)
        os.close(reader)
        judge(trial, whole, int.from_bytes(told[-4:], "big"), data)
        shutil.rmtree(data)
        return died


class JournalCut(StoreFault):
    name = "journal cut at every byte"
    times = 700

    def befall(self, trial: Trial, folder: Path) -> None:
        life = lived(folder / "data")
        data = life.journal.read_bytes()[: life.ends[-1]]
        for length in range(format.HEADER_SIZE, len(data) + 1):
            cut = data[:length]
            whole = sum(cut[:end] == data[:end] for end in life.ends) - 1
            expect_state(trial, life, cut, whole, f"cut at byte {length}")


class BitFlipped(StoreFault):
    name = "every bit of two records flipped"
    times = 1000

    def befall(self, trial: Trial, folder: Path) -> None:
        """Of one in the middle, which was safe: refused by name. Of the last one, of
        which nothing proves that it was: gone, and nothing else is."""
        life = lived(folder / "data")
        data = life.journal.read_bytes()
        last = len(life.states) - 1
        for number in (last // 2, last):
            begin, end = life.ends[number - 1 : number + 1]
            for bit in range(begin * 8, end * 8):
                flipped = bytearray(data)
                flipped[bit // 8] ^= 1 << bit % 8
                what = f"bit {bit} flipped"
                if number == last:
                    expect_state(trial, life, bytes(flipped), last - 1, what)
                else:
                    expect_refusal(trial, life, bytes(flipped), begin, what)


class Garbage(StoreFault):
    name = "garbage or zeros after the journal"
    times = 300

    def befall(self, trial: Trial, folder: Path) -> None:
        life = lived(folder / "data")
        other = lived(folder / "other").journal.read_bytes()
        data = life.journal.read_bytes()[: life.ends[-1]]
        last = len(life.states) - 1
        pieces: list[Callable[[], bytes]] = [
            lambda: trial.dice.randbytes(SECTOR),
            lambda: bytes(trial.dice.randrange(2 * SECTOR)),
            # What looks as if it might be one of ours.
            lambda: format.MARK + trial.dice.randbytes(trial.dice.randrange(100)),
            # What lay there before: blocks of another journal, from one that follows.
            lambda: other[trial.dice.choice(life.ends) :],
        ]
        for _ in range(self.times):
            tail = b"".join(p() for p in trial.dice.choices(pieces, k=2))
            expect_state(trial, life, data + tail, last, "garbage at the end")


def judge(trial: Trial, history: StoreHistory, safe: int, directory: Path) -> None:
    """What is left in ``directory``, state number ``safe`` being the last safe one."""
    accepted = history.accepted[safe] if history.accepted else set()
    trial.accepted += len(accepted)
    trial.count()
    try:
        queue, _ = recovered(directory)
    except StoreError as error:
        trial.lost += len(accepted)
        trial.expect(False, f"cut {trial.injected}: {error.message}")
        return
    lost = accepted - everything_in(queue)
    trial.lost += len(lost)
    trial.expect(not lost, f"cut {trial.injected}: {sorted(lost)} are lost")
    states = history.states[safe:] or [ranked(TaskQueue())]
    trial.expect(
        ranked(queue) in states, f"cut {trial.injected}: a queue that never was"
    )


def expect_state(trial: Trial, life: Life, data: bytes, number: int, what: str) -> None:
    """A journal of ``data`` is to be recovered as the state of that number."""
    life.journal.write_bytes(data)
    expected = life.states[number]
    ended = [*expected["succeeded"], *expected["dead"]]
    accepted = {*expected["tasks"], *(task["id"] for task in ended)}
    trial.accepted += len(accepted)
    trial.count()
    try:
        queue, _ = recovered(life.directory)
    except StoreError as error:
        trial.expect(False, f"{what}: {error.message}")
        return
    lost = accepted - everything_in(queue)
    phantoms = everything_in(queue) - accepted
    trial.lost += len(lost)
    trial.expect(not lost, f"{what}: {sorted(lost)} are lost")
    trial.expect(not phantoms, f"{what}: {sorted(phantoms)} come from nowhere")
    trial.expect(ranked(queue) == expected, f"{what}: a queue that never was")


def expect_refusal(
    trial: Trial, life: Life, data: bytes, offset: int, what: str
) -> None:
    """A journal of ``data`` is to be refused, with the place of the damage."""
    life.journal.write_bytes(data)
    trial.count()
    try:
        recovered(life.directory)
    except StoreDamaged as error:
        trial.expect(error.offset == offset, f"{what}: {error.message}")
    else:
        trial.lost += 1
        trial.expect(False, f"{what}: nobody noticed")


def everything_in(queue: TaskQueue) -> set[str]:
    """Every task that a queue knows."""
    return {*queue.tasks, *queue.succeeded, *queue.dead}


def _histories(dice: random.Random) -> list[Begin]:
    """The scripted one, and one that was never tried before."""
    seed = dice.random()

    def scripted(directory: Path, told: Callable[[], None]) -> StoreHistory:
        return ScriptedHistory(directory, "always", told)

    def thrown(directory: Path, told: Callable[[], None]) -> StoreHistory:
        return RandomHistory(directory, "always", told, random.Random(seed))

    return [scripted, thrown]


@contextmanager
def _folder(trial: Trial) -> Iterator[Path]:
    """In memory if it may be: nothing here depends on a real sync."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else trial.folder
    with tempfile.TemporaryDirectory(prefix="poussetaches-faults-", dir=place) as one:
        yield Path(one)
