"""Tasks in files, as public JSON: the lines of an export, the first ancestor's files.

With ``schema`` the only one that knows public field names. Times are posix seconds
of the wall clock; the ancestor's are nanoseconds.

**An export** is a line of JSON about itself, then one for each schedule and each task.
Every field of a task is in its line, so that an import brings the same task back. Lines
may be taken out or written by hand: without its first line an export is as long as it
is. Fields may be added with a default; for anything else raise FORMAT and read both.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from poussetaches.channel.messages import seal, unseal
from poussetaches.errors import InvalidInput
from poussetaches.model.rules import Rules
from poussetaches.model.target import parse_target
from poussetaches.model.task import NO_ANSWER, Schedule, Spec, State, Task, Terms
from poussetaches.schema import (
    FIRST_STATUS,
    LAST_STATUS,
    LONGEST_KEY,
    MOST_RETRIES,
    NANOSECONDS,
)

FORMAT = 1

#: What an id may be: ours are 32 or 40 hex digits, and go into a header.
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_.-]{1,128}\Z")]
#: Three thousand years either way.
Seconds = Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]
#: Of a task that has ended it may be one that nobody could push.
Expected = Annotated[int, msgspec.Meta(ge=0, le=999)]
Retries = Annotated[int, msgspec.Meta(ge=-1, le=MOST_RETRIES)]
Key = Annotated[str, msgspec.Meta(max_length=LONGEST_KEY)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Status = Annotated[int, msgspec.Meta(ge=NO_ANSWER, le=999)]


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
    expected: Expected = 200
    max_retries: Retries | None = None


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
    expected: Expected = 200
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


class AncestorFile(msgspec.Struct):
    """A file of the first ancestor: a task as it lists it. Other fields are ignored."""

    id: Id
    url: str
    payload: bytes | None = None
    expected: Expected = 0
    schedule: str = ""
    next_scheduled_run: int = 0
    next_run: int = 0
    tries: Count = 0
    last_run: int = 0
    last_error_body: bytes | None = None
    last_error_status_code: Status = 0


class AncestorTask(NamedTuple):
    """What such a file says."""

    task: Task
    spec: Spec


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(Head | ScheduleLine | TaskLine).decode
_decode_file = msgspec.json.Decoder(AncestorFile).decode

LIVE = (State.WAITING, State.LEASED)


def head_line(head: Head) -> bytes:
    """The first line of an export."""
    return _encode(head) + b"\n"


def schedule_line(schedule: Schedule) -> bytes:
    """A schedule as a line of an export."""
    spec = unseal(schedule.spec)
    line = ScheduleLine(
        id=schedule.id,
        schedule=schedule.text,
        url=spec.url,
        payload=spec.payload,
        expected=spec.expected,
        max_retries=schedule.terms.max_retries,
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
        expected=spec.expected,
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
    )
    return _encode(line) + b"\n"


def read_line(line: bytes, rules: Rules) -> Head | Schedule | Task:
    """What a line of an export says. Raises InvalidInput with what is wrong with it.

    What is to be delivered must be something that a push could ask for.
    """
    given = _decoded(_decode_line, line)
    if isinstance(given, Head):
        if given.format > FORMAT:
            raise InvalidInput(
                f"a newer poussetaches wrote it (format {given.format}, this one reads "
                f"up to {FORMAT})"
            )
        return given
    spec = seal(Spec(given.url, given.payload, given.expected))
    if given.schedule or isinstance(given, ScheduleLine):
        rules.check(given.schedule)
    if isinstance(given, ScheduleLine):
        _check_deliverable(given)
        terms = Terms.of((given.max_retries, "", _origin(given.url)))
        return Schedule(given.id, given.schedule, spec, terms)
    if given.state in LIVE:
        _check_deliverable(given)
    if given.state is State.CANCELLED:
        raise InvalidInput("cancelled tasks are kept nowhere")
    if given.state is State.LEASED and not given.attempts:
        raise InvalidInput("a leased task must have an attempt")
    return Task(
        given.id,
        spec,
        given.schedule,
        given.slot,
        given.eta,
        given.order,
        given.state,
        given.attempts,
        given.last_run_at,
        given.error_status,
        given.error,
        Terms.of((given.max_retries, given.key, _origin(given.url))),
    )


@lru_cache(maxsize=4096)
def _origin(url: str) -> str:
    try:
        return parse_target(url).origin_text
    except InvalidInput:
        return ""  # of a task that has ended: it may be whatever it is


def _check_deliverable(given: ScheduleLine | TaskLine) -> None:
    parse_target(given.url)
    if not FIRST_STATUS <= given.expected <= LAST_STATUS:
        raise InvalidInput(
            f"expected: {given.expected} is no status from {FIRST_STATUS} to "
            f"{LAST_STATUS}"
        )


def read_ancestor_file(data: bytes, state: State) -> AncestorTask:
    """The task in a file of the first ancestor, from its directory of that ``state``.

    Its spec is as the file has it, not checked. Raises InvalidInput.
    """
    given = _decoded(_decode_file, data)
    spec = Spec(given.url, given.payload, given.expected)
    task = Task(
        given.id,
        b"",
        given.schedule,
        given.next_scheduled_run / NANOSECONDS,
        given.next_run / NANOSECONDS,
        0,
        state,
        given.tries,
        given.last_run / NANOSECONDS,
        given.last_error_status_code,
        given.last_error_body,
    )
    return AncestorTask(task, spec)


def sealed(spec: Spec) -> bytes:
    """``spec`` as a task or a schedule has it."""
    return seal(spec)


def _decoded(decode: Any, data: bytes) -> Any:
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not whole JSON: {error}") from None
    except RecursionError:
        raise InvalidInput("nested too deeply") from None
