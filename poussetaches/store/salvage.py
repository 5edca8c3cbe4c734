"""What can be saved of a damaged store: every block that is whole, in order.

What is lost leaves contradictions in what is left. They are settled so that no task is
lost a second time: a task whose end cannot be read is delivered again, and an event
that cannot have happened to the queue as it is known is skipped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from poussetaches.errors import IllegalEvent, StoreDamaged, StoreError, StoreTooNew
from poussetaches.model.decisions import Policy
from poussetaches.model.events import (
    Cancelled,
    Deferred,
    Died,
    Event,
    Expired,
    Failed,
    Forgotten,
    Leased,
    Moved,
    Recurred,
    Replaced,
    Revived,
    ScheduleResumed,
    Succeeded,
)
from poussetaches.model.keys import EndedKey
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import NO_ANSWER, Schedule, State, Task
from poussetaches.store import format
from poussetaches.store.addition import restart_schedules
from poussetaches.store.dump import READERS, read_dump, read_meta
from poussetaches.store.files import dump_path, generations, journal_path
from poussetaches.store.scan import Gap, Scan, Step

#: The error of an attempt of which only a later one tells.
UNREADABLE = b"what this attempt brought could not be read"

#: What befalls live tasks only.
OF_A_LIFE = (
    *(Leased, Succeeded, Failed, Deferred, Died),
    *(Moved, Replaced, Expired, Cancelled),
)


@dataclass
class Losses:
    """What could not be saved, and what was made up for."""

    #: The places that cannot be read, with their files.
    gaps: list[tuple[str, Gap]] = field(default_factory=list)
    #: Bytes at the end of the last journal that a crash kept from being written.
    torn: int = 0
    #: Files that should be there and are not.
    missing: list[str] = field(default_factory=list)
    #: Events that did not fit, by what they are called.
    skipped: Counter[str] = field(default_factory=Counter)
    #: Events that fit once what must have happened before them was made up.
    mended: int = 0
    #: Ids of tasks and schedules that were live at last, and of which the push is lost.
    tasks: list[str] = field(default_factory=list)
    #: Schedules that had lost their next run, and got another one.
    restarted: list[str] = field(default_factory=list)
    #: Schedules that had lost it and cannot be read any more.
    dropped: list[str] = field(default_factory=list)
    #: How far the counts were from adding up.
    difference: int = 0


class Salvage:
    """``run`` it once; then ``queue`` is what was saved. Changes no file."""

    def __init__(self, directory: str, *, retain_succeeded: int, step: Step) -> None:
        self.queue = TaskQueue(retain_succeeded=retain_succeeded)
        self.losses = Losses()
        self._directory = directory
        self._step = step
        #: Whether nothing is lost of what came before the file that is next.
        self._complete = False
        #: For ids that no task has: whether the last that was heard of it was its end.
        self._unknown: dict[str, bool] = {}

    def run(self, now: float, policy: Policy) -> None:
        """``now``: posix seconds.

        Raises StoreError if there is no store or a newer version wrote it, OSError.
        """
        dumps = generations(self._directory, "dump")
        journals = generations(self._directory, "journal")
        found = dumps + journals
        if not found:
            raise StoreError(f"data_dir: there is no store in {self._directory}")
        base = self._load_newest(dumps)
        first = min(found) if base is None else base
        # The first generation continues the empty queue.
        self._complete = base is not None or first == 1
        if not self._complete and first not in dumps:
            self._miss(dump_path(self._directory, first))
        for generation in range(first, max(found) + 1):
            if generation in dumps and generation != base:
                self._overlay(generation)
            if generation in journals:
                self._replay(generation, is_last=generation == max(journals))
            elif generation >= max(dumps, default=first):
                self._miss(journal_path(self._directory, generation))
            else:
                self._complete = False
        self._settle(now, policy)

    def _load_newest(self, dumps: list[int]) -> int | None:
        """Begin with the newest dump that is whole; returns its generation."""
        for generation in reversed(dumps):
            try:
                read_dump(self._directory, generation, self.queue)
            except StoreTooNew:
                raise
            except StoreDamaged:
                continue
            return generation
        return None

    def _miss(self, path: str) -> None:
        self.losses.missing.append(path)
        self._complete = False

    # --- a damaged dump ---------------------------------------------------------------

    def _overlay(self, generation: int) -> None:
        """What can be read of a dump outranks what is known from before it."""
        if self._complete and generation != 1:
            return
        path = dump_path(self._directory, generation)
        rows: dict[str, list[Any]] = {kind: [] for kind in READERS}
        meta: dict[str, Any] = {}
        ended = False
        scan = Scan(path, format.DUMP, generation, self._step)
        for block in scan:
            try:
                kind, content = block.body
                if kind == "queue":
                    meta = read_meta(content)
                elif kind == "end":
                    ended = True
                else:
                    rows[kind].extend(map(READERS[kind], content))
            except format.STRANGE as error:
                raise StoreTooNew(path, block.offset, format.STRANGE_REASON) from error
        gaps = scan.gaps
        if not ended and not gaps:
            gaps = [Gap(scan.size, scan.size, "the dump is cut off")]
        self.losses.gaps += [(path, gap) for gap in gaps]
        self._complete = False
        self._take_over(rows, meta)

    def _take_over(self, rows: dict[str, list[Any]], meta: dict[str, Any]) -> None:
        old = self.queue
        tasks = dict(old.tasks)
        for task in (*rows["succeeded"], *rows["dead"], *rows["expired"]):
            if not task.schedule:
                tasks.pop(task.id, None)
        known: dict[str, Any] = {
            "counts": old.counts,
            "paused": old.paused,
            "skew": old.skew,
            "latest": old.latest,
        }
        live = _merged(tasks.values(), rows["tasks"])
        succeeded = _merged(old.succeeded.values(), rows["succeeded"])
        dead = _merged(old.dead.values(), rows["dead"])
        expired = _merged(old.expired.values(), rows["expired"])
        # Who began without the beginning has counted otherwise: no two may have the
        # same place.
        ended = (*succeeded, *dead, *expired)
        everything = sorted((*live, *ended), key=lambda task: task.order)
        for order, task in enumerate(everything, start=1):
            task.order = order
        self.queue = TaskQueue(retain_succeeded=old.remembered.retain)
        self.queue.load(
            tasks=live,
            schedules=_merged(old.schedules.values(), rows["schedules"]),
            succeeded=succeeded,
            dead=dead,
            expired=expired,
            queues=[
                *(one.row for one in old.turns.queues.values()),
                *rows["queues"],
            ],
            keys=_merged_keys(old.keys.ended(), rows["keys"]),
            **(known | meta),
        )

    # --- a journal --------------------------------------------------------------------

    def _replay(self, generation: int, *, is_last: bool) -> None:
        path = journal_path(self._directory, generation)
        scan = Scan(path, format.JOURNAL, generation, self._step)
        for block in scan:
            try:
                records = list(format.unpack_journal(block.body))
            except format.STRANGE as error:
                raise StoreTooNew(path, block.offset, format.STRANGE_REASON) from error
            for record in records:
                for event in record:
                    self._apply(event)
        gaps = scan.gaps
        if is_last and scan.torn is not None and gaps[-1].offset >= scan.end:
            *gaps, tail = gaps
            self.losses.torn = tail.end - tail.offset
        self.losses.gaps += [(path, gap) for gap in gaps]
        self._complete = self._complete and not gaps

    def _apply(self, event: Event) -> None:
        try:
            self.queue.apply(event)
        except IllegalEvent:
            self._mend(event)
            try:
                self.queue.apply(event)
            except IllegalEvent:
                self._skip(event)
            else:
                self.losses.mended += 1

    def _skip(self, event: Event) -> None:
        self.losses.skipped[type(event).__name__] += 1
        id = getattr(event, "id", None)
        if id is not None and id not in self.queue.tasks:
            self._unknown[id] = isinstance(
                event, Succeeded | Died | Expired | Cancelled
            )

    def _mend(self, event: Event) -> None:
        """Have the task be where ``event`` must have found it, if that can be.

        The journal says what happened; so what must have come before it did happen,
        too, and its record is among those that are lost.
        """
        id = getattr(event, "id", "")
        if isinstance(event, Recurred):
            schedule = self.queue.schedules.get(id)
            if schedule is not None and schedule.paused:
                self.queue.apply(ScheduleResumed(id, event.at))
        task = self.queue.tasks.get(id)
        if task is None:
            task = self.queue.dead.get(id)
            if task is None or task.schedule or not isinstance(event, OF_A_LIFE):
                return
            # Somebody had it tried again.
            self.queue.apply(Revived(id, event.at, event.at))
        if isinstance(event, Recurred):
            if event.slot > task.slot:
                # The run before has ended, one way or the other.
                self.queue.apply(Cancelled(event.id, event.at))
        elif isinstance(event, Leased):
            self._rewind(task, event.attempt - 1, event.at)
        elif isinstance(event, Succeeded | Failed | Deferred | Died):
            self._rewind(task, event.attempt - 1, event.at)
            if task.attempts == event.attempt - 1:
                self.queue.apply(Leased(event.id, event.at, event.attempt))
        elif isinstance(event, Moved | Replaced | Expired):
            if task.state is State.LEASED:
                self._lose(task, event.at)
        elif isinstance(event, Revived | Forgotten) and not task.schedule:
            if task.state is State.WAITING:
                self.queue.apply(Leased(id, event.at, task.attempts + 1))
            died = Died(id, event.at, task.attempts, NO_ANSWER, UNREADABLE)
            self.queue.apply(died)

    def _rewind(self, task: Task, attempts: int, at: float) -> None:
        """Have ``task`` wait after so many attempts; unless it has had more."""
        if task.attempts > attempts:
            return
        if task.state is State.LEASED:
            self._lose(task, at)
        while task.attempts < attempts:
            self.queue.apply(Leased(task.id, at, task.attempts + 1))
            self._lose(task, at)

    def _lose(self, task: Task, at: float) -> None:
        lost = Failed(task.id, at, task.attempts, NO_ANSWER, UNREADABLE, at)
        self.queue.apply(lost)

    # --- the end ----------------------------------------------------------------------

    def _settle(self, now: float, policy: Policy) -> None:
        queue, losses = self.queue, self.losses
        losses.tasks = [
            id
            for id, has_ended in self._unknown.items()
            if not has_ended and id not in queue.tasks
        ]
        losses.difference = queue.difference()
        losses.restarted, losses.dropped = restart_schedules(queue, now, policy)
        counts = queue.counts
        counts.succeeded = max(counts.succeeded, len(queue.succeeded))
        counts.dead = max(counts.dead, len(queue.dead))
        counts.expired = max(counts.expired, len(queue.expired))
        counts.accepted -= queue.difference()


def _merged_keys(
    older: Iterable[EndedKey], newer: list[EndedKey]
) -> Iterable[EndedKey]:
    known = {one.key for one in newer}
    return [*(one for one in older if one.key not in known), *newer]


T = TypeVar("T", Task, Schedule)


def _merged(older: Iterable[T], newer: list[T]) -> list[T]:
    """One of each id; the newer ones come last, as they ended last."""
    known = {one.id for one in newer}
    merged = [one for one in older if one.id not in known]
    merged += newer
    return merged
