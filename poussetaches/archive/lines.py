"""The lines of an export: one about itself, then one for each schedule and each task.

Every field of a task is in its line, so that an import brings the same task back. Lines
may be taken out or written by hand: without its first line an export is as long as it
is. Fields may be added with a default; for anything else raise FORMAT and read both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import msgspec

from poussetaches.archive.fields import (
    AttemptLine,
    Count,
    ExpectedLine,
    HowLine,
    Id,
    Key,
    LastRunLine,
    Retries,
    Seconds,
    SpecialLine,
    Status,
    attempt_lines,
    expected_line,
    how_line,
    last_line,
    read_attempts,
    read_last,
    read_spec,
    read_terms,
    special_line,
)
from poussetaches.archive.reading import decoded
from poussetaches.channel.messages import seal, unseal
from poussetaches.errors import InvalidInput
from poussetaches.model.attempt import MOST_REMEMBERED
from poussetaches.model.rules import Rules
from poussetaches.model.target import parse_target
from poussetaches.model.task import (
    DEFAULT_QUEUE,
    Schedule,
    Spec,
    State,
    Task,
    Terms,
)
from poussetaches.schema.expected import check_expected
from poussetaches.schema.how import check_how, check_json
from poussetaches.schema.special import check_kind, check_special

FORMAT = 1


class Head(msgspec.Struct, tag_field="kind", tag="export", forbid_unknown_fields=True):
    """The line about the export itself."""

    format: int
    #: Of the poussetaches that wrote it.
    version: str
    #: How many lines follow.
    lines: int
    paused: bool = False


class ScheduleLine(
    msgspec.Struct,
    tag_field="kind",
    tag="schedule",
    forbid_unknown_fields=True,
    kw_only=True,
):
    """A recurring rule; its next run is a task of the same id."""

    id: Id
    schedule: str
    url: str
    #: Base64 in the line, as all bytes.
    payload: bytes | None = None
    expected: ExpectedLine = 200
    how: HowLine | None = None
    max_retries: Retries | None = None
    queue: str = DEFAULT_QUEUE
    special: SpecialLine | None = None
    paused: bool = False
    last: LastRunLine | None = None


class TaskLine(
    msgspec.Struct,
    tag_field="kind",
    tag="task",
    forbid_unknown_fields=True,
    kw_only=True,
):
    """A task, whatever has become of it. The fields are those of ``Task``."""

    id: Id
    state: State = State.WAITING
    url: str
    payload: bytes | None = None
    expected: ExpectedLine = 200
    how: HowLine | None = None
    schedule: str = ""
    slot: Seconds = 0.0
    eta: Seconds = 0.0
    order: Count = 0
    attempts: Count = 0
    last_run_at: Seconds = 0.0
    error_status: Status = 0
    error: bytes | None = None
    max_retries: Retries | None = None
    key: Key = ""
    queue: str = DEFAULT_QUEUE
    special: SpecialLine | None = None
    begun_at: Seconds = 0.0
    pushed_at: Seconds = 0.0
    leased_at: Seconds = 0.0
    worker: Count = 0
    past: Annotated[
        tuple[AttemptLine, ...], msgspec.Meta(max_length=MOST_REMEMBERED)
    ] = ()
    dropped: Count = 0


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(Head | ScheduleLine | TaskLine).decode

LIVE = (State.WAITING, State.LEASED)


def head_line(head: Head) -> bytes:
    """The first line of an export."""
    return _encode(head) + b"\n"


def schedule_line(schedule: Schedule) -> bytes:
    """A schedule, with times of the wall clock, as a line of an export."""
    spec = unseal(schedule.spec)
    line = ScheduleLine(
        id=schedule.id,
        schedule=schedule.text,
        url=spec.url,
        payload=spec.payload,
        expected=expected_line(spec.expected),
        how=how_line(spec.how),
        max_retries=schedule.terms.max_retries,
        queue=schedule.terms.queue,
        special=special_line(schedule.terms.special),
        paused=schedule.paused,
        last=last_line(schedule.last),
    )
    return _encode(line) + b"\n"


def task_line(task: Task) -> bytes:
    """A task, with times of the wall clock, as a line of an export."""
    spec = unseal(task.spec)
    line = TaskLine(
        id=task.id,
        state=task.state,
        url=spec.url,
        payload=spec.payload,
        expected=expected_line(spec.expected),
        how=how_line(spec.how),
        schedule=task.schedule,
        slot=task.slot,
        eta=task.eta,
        order=task.order,
        attempts=task.attempts,
        last_run_at=task.last_run_at,
        error_status=task.error_status,
        error=task.error,
        max_retries=task.terms.max_retries,
        key=task.terms.key,
        queue=task.terms.queue,
        special=special_line(task.terms.special),
        begun_at=task.begun_at,
        pushed_at=task.pushed_at,
        leased_at=task.leased_at,
        worker=task.worker,
        past=attempt_lines(task.past),
        dropped=task.dropped,
    )
    return _encode(line) + b"\n"


def read_line(line: bytes, rules: Rules) -> Head | Schedule | Task:
    """What a line of an export says. Raises InvalidInput with what is wrong with it.

    What is to be delivered must be something that a push could ask for.
    """
    given = decoded(_decode_line, line)
    if isinstance(given, Head):
        if given.format > FORMAT:
            raise InvalidInput(
                f"a newer poussetaches wrote it (format {given.format}, this one reads "
                f"up to {FORMAT})"
            )
        return given
    spec = read_spec(given.url, given.payload, given.expected, given.how)
    if isinstance(given, ScheduleLine):
        return _schedule(given, spec, rules)
    return _task(given, spec, rules)


def _schedule(given: ScheduleLine, spec: Spec, rules: Rules) -> Schedule:
    origin = _origin(given.url)
    terms = read_terms(given.max_retries, "", origin, given.queue, given.special)
    _check_rule(given.schedule, terms, rules)
    _check_kept_json(spec)
    _check_deliverable(spec, terms, given.schedule)
    return Schedule(
        given.id, given.schedule, seal(spec), terms, given.paused, read_last(given.last)
    )


def _task(given: TaskLine, spec: Spec, rules: Rules) -> Task:
    origin = _origin(given.url)
    terms = read_terms(given.max_retries, given.key, origin, given.queue, given.special)
    if given.schedule:
        _check_rule(given.schedule, terms, rules)
    _check_kept_json(spec)
    if given.state in LIVE:
        _check_deliverable(spec, terms, given.schedule)
    if given.state is State.CANCELLED:
        raise InvalidInput("cancelled tasks are kept nowhere")
    if given.state is State.LEASED and not given.attempts:
        raise InvalidInput("a leased task must have an attempt")
    return Task(
        given.id,
        seal(spec),
        given.schedule,
        given.slot,
        given.eta,
        given.order,
        given.state,
        given.attempts,
        given.last_run_at,
        given.error_status,
        given.error,
        terms,
        given.begun_at,
        given.pushed_at,
        given.leased_at,
        given.worker,
        read_attempts(given.past),
        given.dropped,
    )


@lru_cache(maxsize=4096)
def _origin(url: str) -> str:
    try:
        return parse_target(url).origin_text
    except InvalidInput:
        return ""  # of a task that has ended: it may be whatever it is


def _check_rule(text: str, terms: Terms, rules: Rules) -> None:
    rules.check(text, "" if terms.special is None else terms.special.timezone)


def _check_deliverable(spec: Spec, terms: Terms, schedule: str) -> None:
    parse_target(spec.url)
    check_expected(spec.expected)
    if spec.how is not None:
        check_how(spec.how, spec.payload)
    if terms.special is not None:
        check_special(terms.special)
        check_kind(terms.special, schedule)


def _check_kept_json(spec: Spec) -> None:
    """A push made sure of these. Lists have them as they are, whatever has become of
    the task, and so does a report."""
    how = spec.how
    if how is None:
        return
    if how.is_json and spec.payload is not None:
        check_json(spec.payload, "json")
    if how.report is not None:
        _check_kept_json(unseal(how.report.spec))
    if how.metadata:
        if not (how.metadata.isascii() and how.metadata.isprintable()):
            raise InvalidInput("metadata: must be JSON in plain ASCII")
        check_json(how.metadata.encode(), "metadata")
