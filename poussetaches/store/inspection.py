"""What is in a data directory, and whether a service would start on it.

Changes nothing. The verdict is recovery's own; the rest is there to say more.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from poussetaches.errors import StoreBroken, StoreDamaged, StoreError, StoreTooNew
from poussetaches.model.queue import TaskQueue
from poussetaches.store import format
from poussetaches.store.blocks import Block
from poussetaches.store.files import NAME, UNFINISHED, generations
from poussetaches.store.recovery import Content, read
from poussetaches.store.scan import Gap, Scan, Step
from poussetaches.store.torn import NAME as TORN

#: A directory in use changes while it is read: how often that is tried again, and how
#: long after, seconds. What is damaged stays damaged.
TRIES = 5
PAUSE = 0.2


@dataclass
class StoreFile:
    """One dump or journal."""

    name: str
    #: "dump" or "journal".
    kind: str
    generation: int
    #: Whether recovery reads it; what it does not goes with the next dump.
    needed: bool
    #: Of its format; None if that cannot be read.
    version: int | None = None
    size: int = 0
    #: Whole blocks, and what is in them: records of a journal, rows of a dump.
    blocks: int = 0
    entries: int = 0
    #: Bytes that the next start cuts off, as a crash kept some of them from being
    #: written; entries that are whole among them.
    torn: int = 0
    cut: int = 0
    #: Bytes allocated ahead.
    padding: int = 0
    damages: list[Gap] = field(default_factory=list)


@dataclass
class Inspection:
    """What was found."""

    directory: str
    files: list[StoreFile]
    #: Names of files that were never finished: they go at the next start.
    unfinished: list[str]
    #: Names of files that have what starts have cut off.
    kept: list[str]
    #: Names of what is not the store's.
    others: list[str]
    #: What recovery makes of it; None if it refuses, or if there is nothing yet.
    queue: TaskQueue | None
    #: How many records it replays for that.
    records: int
    #: Sentences; none of them: the store is whole.
    faults: list[str]
    #: What helps against them.
    advice: str


def inspect(
    directory: str, *, retain_succeeded: int, in_use: bool, step: Step
) -> Inspection:
    """Look at every file. ``in_use``: a service may be writing meanwhile.

    Raises OSError if the directory or a file in it cannot be read.
    """
    tries = TRIES if in_use else 1
    while True:
        tries -= 1
        try:
            found = _inspect(directory, retain_succeeded, step)
        except FileNotFoundError:
            # A dump has just made it superfluous.
            if not tries:
                raise
        else:
            if not found.faults or not tries:
                return found
        time.sleep(PAUSE)


def total_size(directory: str) -> int:
    """Bytes that ``inspect`` has to go through."""
    with os.scandir(directory) as entries:
        return sum(one.stat().st_size for one in entries if NAME.fullmatch(one.name))


def _inspect(directory: str, retain_succeeded: int, step: Step) -> Inspection:
    dumps = generations(directory, "dump")
    first = dumps[-1] if dumps else 1
    files: list[StoreFile] = []
    unfinished: list[str] = []
    kept: list[str] = []
    others: list[str] = []
    for name in sorted(os.listdir(directory)):
        if match := NAME.fullmatch(name):
            generation = int(match[2])
            file = StoreFile(name, match[1], generation, generation >= first)
            files.append(file)
        elif name.endswith(UNFINISHED):
            unfinished.append(name)
        elif TORN.fullmatch(name):
            kept.append(name)
        elif name != "lock":
            others.append(name)
    files.sort(key=lambda file: (file.generation, file.kind))
    faults: list[str] = []
    newest = max((file.generation for file in files), default=0)
    for file in files:
        faults += _look(directory, file, step, is_last=file.generation == newest)
    queue = TaskQueue(retain_succeeded=retain_succeeded)
    content: Content | None = None
    advice = StoreBroken.advice
    try:
        content = read(directory, queue)
    except StoreBroken as error:
        advice = error.advice
        # Recovery may give another reason for the same place.
        place = error.problem
        if isinstance(error, StoreDamaged):
            place = _place(error.path, error.offset)
        if not any(fault.startswith(place) for fault in faults):
            faults.append(error.problem)
    except StoreError as error:
        advice = StoreTooNew.advice
        faults += [] if error.message in faults else [error.message]
    else:
        faults += _contradictions(queue)
    return Inspection(
        directory,
        files,
        unfinished,
        kept,
        others,
        queue if content else None,
        content.records if content else 0,
        faults,
        advice,
    )


def _look(directory: str, file: StoreFile, step: Step, *, is_last: bool) -> list[str]:
    """Fill in what is in a file; returns what is wrong with it, if it is needed.

    Only the last may be torn: the next one was begun when all of it was on disk.
    """
    path = os.path.join(directory, file.name)
    magic = format.DUMP if file.kind == "dump" else format.JOURNAL
    try:
        scan = Scan(path, magic, file.generation, step)
    except StoreError as error:
        return [error.message] if file.needed else []
    file.size = scan.size
    file.version = scan.version
    entries = [(block.offset, _entries(file.kind, block)) for block in scan]
    file.blocks = len(entries)
    file.entries = sum(count for _, count in entries)
    file.damages = scan.damages if is_last else scan.gaps
    end = max([scan.end, *(gap.end for gap in scan.gaps)])
    file.padding = scan.size - end
    if is_last and scan.torn is not None:
        file.torn = end - scan.torn.offset
        file.cut = sum(count for at, count in entries if at > scan.torn.offset)
    if not file.needed:
        return []
    return [f"{_place(path, gap.offset)}{gap.reason}" for gap in file.damages]


def _place(path: str, offset: int) -> str:
    return f"{path}: damaged at byte {offset}: "


def _entries(kind: str, block: Block) -> int:
    """How many records, or rows, a block has."""
    if kind == "journal":
        return len(block.body)
    rows = block.body[1]
    return len(rows) if isinstance(rows, list) else 0


def _contradictions(queue: TaskQueue) -> list[str]:
    found = []
    if difference := queue.difference():
        found.append(f"the counts do not add up: the difference is {difference}")
    found += [
        f"schedule {id} ({schedule.text}) has no next run"
        for id, schedule in queue.schedules.items()
        if id not in queue.tasks and not schedule.paused
    ]
    return found
