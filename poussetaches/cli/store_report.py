"""What the ``store`` commands say, line by line."""

from __future__ import annotations

from collections.abc import Iterator

from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import State
from poussetaches.store.addition import Tally
from poussetaches.store.adoption import Survey
from poussetaches.store.inspection import Inspection, StoreFile
from poussetaches.store.salvage import Losses
from poussetaches.store.scan import Gap

#: Ids that stand in one line.
SHOWN = 5
#: In how many lines of their own gaps are shown.
GAPS = 20


def inspection(found: Inspection, owner: str | None) -> Iterator[str]:
    """``owner``: the process id of the service that runs on it."""
    yield f"directory    {found.directory}"
    if owner is not None:
        yield f"in use       by a service (process {owner}); this is what was on disk"
    for file in found.files:
        yield f"  {file.name:<24} {_file(file)}"
        yield from (f"    DAMAGED    {_gap(gap)}" for gap in file.damages[:GAPS])
        if len(file.damages) > GAPS:
            yield f"    and at {len(file.damages) - GAPS} more places"
    for name in found.unfinished:
        yield f"  {name:<24} unfinished: it goes at the next start"
    for name in found.kept:
        yield f"  {name:<24} what a start has cut off: may be removed"
    for name in found.others:
        yield f"  {name:<24} not of the store"
    if found.queue is not None:
        yield from _queue(found.queue)
        yield f"replayed     {found.records} records since the last dump"
    if not found.faults:
        verdict = "whole: a service can start on it"
        yield verdict if found.queue is not None else "empty: a service can begin here"
        return
    yield ""
    yield from (f"WRONG        {fault}" for fault in found.faults)
    yield f"what helps   {found.advice}"


def salvage(queue: TaskQueue, losses: Losses) -> Iterator[str]:
    """What was saved, and what was not."""
    saved = f"{queue.waiting} waiting, {len(queue.leased)} in flight"
    ended = f"{len(queue.succeeded)} succeeded, {len(queue.dead)} dead"
    yield f"saved        {saved}, {ended}, {len(queue.schedules)} schedules"
    if losses.torn:
        yield (
            f"torn tail    {losses.torn} bytes at the end, which a crash kept from "
            "being written; with durability = always, nobody had been told 201"
        )
    yield from (f"missing      {path}" for path in losses.missing)
    yield from (f"unreadable   {path}, {_gap(gap)}" for path, gap in losses.gaps)
    if losses.tasks:
        yield (
            f"lost         {_ids(losses.tasks)}: of these, only what happened to them "
            "later can be read"
        )
    if losses.skipped:
        kinds = ", ".join(f"{kind} {n}" for kind, n in losses.skipped.most_common())
        yield (
            f"skipped      {losses.skipped.total()} events ({kinds}): what they change "
            "is not there"
        )
    if losses.mended:
        yield (
            f"made up      what must have come before {losses.mended} events and "
            "could not be read"
        )
    if losses.restarted:
        yield f"restarted    schedules without a next run: {_ids(losses.restarted)}"
    if losses.dropped:
        yield f"dropped      schedules that cannot be read: {_ids(losses.dropped)}"
    if losses.difference:
        yield f"settled      the counts, which were off by {losses.difference}"
    if not losses.gaps and not losses.missing:
        yield "nothing was lost"
    else:
        yield (
            "a task whose end could not be read is delivered again; one whose push "
            "could not be read is gone"
        )


def tally(verb: str, found: Tally) -> Iterator[str]:
    """What was added. ``verb``: how it came."""
    live = found.tasks.get(State.WAITING, 0), found.tasks.get(State.LEASED, 0)
    ended = found.tasks.get(State.SUCCEEDED, 0), found.tasks.get(State.DEAD, 0)
    yield (
        f"{verb:<12} {live[0]} waiting, {live[1]} in flight, {ended[0]} succeeded, "
        f"{ended[1]} dead, {found.schedules} schedules"
    )
    if found.skipped:
        yield f"skipped      {len(found.skipped)} ids that are known here already"
    if found.paused:
        yield "paused       as the other one was; `poussetaches resume` ends it"


def adoption(
    survey: Survey, found: Tally, home: str, *, dry_run: bool
) -> Iterator[str]:
    """``home``: where files are copied that were refused."""
    yield from tally("would adopt" if dry_run else "adopted", found)
    if survey.left_out:
        yield f"left out     {survey.left_out} older ones that succeeded"
    if survey.due:
        yield (
            f"due          {survey.due} tasks, delivered at once after the start, as "
            "many as workers x concurrency at a time (there it was 3 a second); `serve "
            "--start-paused yes` waits for `poussetaches resume`"
        )
    for sentence, ids in survey.notes.items():
        yield f"otherwise    {_ids(ids)}: {sentence}"
    for one in survey.refused:
        yield f"refused      {one.which}/{one.name}: {one.reason}"
    if survey.refused:
        verb = "would be copied" if dry_run else "are copied"
        yield f"quarantine   {len(survey.refused)} files {verb} to {home}"


def _file(file: StoreFile) -> str:
    what = "records" if file.kind == "journal" else "rows"
    version = "format ?" if file.version is None else f"format {file.version}"
    content = f"{file.entries} {what} in {file.blocks} blocks"
    told = [f"{_size(file.size):>9}  {version}  {content}"]
    if file.torn:
        told.append(f"a torn tail of {file.torn} bytes, which the next start cuts off")
    if file.cut:
        told.append(
            f"{file.cut} {what} among them are whole: `store repair` saves them"
        )
    if file.padding:
        told.append(f"{_size(file.padding)} allocated ahead")
    if not file.needed:
        told.append("superfluous: it goes with the next dump")
    return ", ".join(told)


def _queue(queue: TaskQueue) -> Iterator[str]:
    counts = queue.counts
    yield f"waiting      {queue.waiting}"
    yield f"in flight    {len(queue.leased)}"
    yield f"succeeded    {counts.succeeded} ({len(queue.succeeded)} kept)"
    yield f"dead         {counts.dead} ({len(queue.dead)} kept)"
    yield f"cancelled    {counts.cancelled}"
    yield f"accepted     {counts.accepted} (accounting difference {queue.difference()})"
    yield f"schedules    {len(queue.schedules)}"
    yield f"paused       {'yes' if queue.paused else 'no'}"


def _gap(gap: Gap) -> str:
    return (
        f"byte {gap.offset} to {gap.end} ({gap.end - gap.offset} bytes): {gap.reason}"
    )


def _ids(ids: list[str]) -> str:
    shown = ", ".join(ids[:SHOWN])
    return f"{shown} and {len(ids) - SHOWN} more" if len(ids) > SHOWN else shown


def _size(size: int) -> str:
    if size < 10_000:
        return f"{size} B"
    if size < 10_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.0f} MB"
