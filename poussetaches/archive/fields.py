"""What the lines of an export have in common, and the objects in them.

The fields of an object are those of what it stands for in the model, by their names.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from poussetaches.channel.messages import seal, unseal
from poussetaches.model.attempt import Attempt
from poussetaches.model.backoff import Growth
from poussetaches.model.queue_fields import check_name
from poussetaches.model.task import (
    NO_ANSWER,
    Expected,
    How,
    LastRun,
    Report,
    Spec,
    Special,
    Terms,
)
from poussetaches.schema import LONGEST_KEY, MOST_RETRIES

#: What an id may be: ours are 32 or 40 hex digits, and go into a header.
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_.-]{1,128}\Z")]
#: Three thousand years either way.
Seconds = Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]
#: Of a task that has ended it may be one that nobody could push.
Code = Annotated[int, msgspec.Meta(ge=0, le=999)]
ExpectedLine = Code | str | list[Code | str]
Retries = Annotated[int, msgspec.Meta(ge=-1, le=MOST_RETRIES)]
Key = Annotated[str, msgspec.Meta(max_length=LONGEST_KEY)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Status = Annotated[int, msgspec.Meta(ge=NO_ANSWER, le=999)]


class _Object(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An object in a line; what it does not say is as usual."""


class GrowthLine(_Object):
    """See Growth."""

    least: Seconds
    most: Seconds | None = None
    doublings: Count | None = None


class SpecialLine(_Object, kw_only=True):
    """See Special."""

    eta: Seconds | None = None
    expires: Seconds | None = None
    timeout: Seconds | None = None
    waits: tuple[Seconds, ...] = ()
    growth: GrowthLine | None = None
    group: str = ""
    roll_back: str = ""
    on_success: str = ""
    name: str = ""
    timezone: str = ""
    missed: str = "one"
    overlap: str = "skip"


class SpecLine(_Object):
    """See Spec: that of the task that a report is about."""

    url: str
    #: Base64 in the line, as all bytes.
    payload: bytes | None = None
    expected: ExpectedLine = 200
    how: HowLine | None = None


class ReportLine(_Object):
    """See Report."""

    event: Literal["succeeded", "dead", "expired"]
    id: Id
    spec: SpecLine
    queue: str
    attempts: Count
    status: Status
    error: bytes | None
    at: Seconds


class HowLine(_Object, kw_only=True):
    """See How."""

    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    raw: bool = False
    is_json: bool = False
    metadata: str = ""
    report: ReportLine | None = None
    keep_result: bool = False


class AttemptLine(_Object):
    """See Attempt."""

    number: Count
    due_at: Seconds
    began_at: Seconds
    ended_at: Seconds
    worker: Count
    status: Status
    outcome: Literal["succeeded", "failed", "deferred", "lost", "stopped"]
    kind: Annotated[str, msgspec.Meta(max_length=32)]
    excerpt: bytes
    request: Annotated[str, msgspec.Meta(max_length=64)]


class LastRunLine(_Object):
    """See LastRun."""

    slot: Seconds
    at: Seconds
    outcome: str
    attempts: Count
    status: Status


def expected_line(expected: Expected) -> ExpectedLine:
    return [*expected] if isinstance(expected, tuple) else expected


def how_line(how: How | None) -> HowLine | None:
    if how is None:
        return None
    report = None
    if how.report is not None:
        url, payload, expected, inner = unseal(how.report.spec)
        spec = SpecLine(url, payload, expected_line(expected), how_line(inner))
        fields = how.report._replace(spec=b"")._asdict()
        report = ReportLine(**{**fields, "spec": spec})
    return HowLine(**how._replace(report=None)._asdict() | {"report": report})


def special_line(special: Special | None) -> SpecialLine | None:
    if special is None:
        return None
    growth = None if special.growth is None else GrowthLine(*special.growth)
    return SpecialLine(**special._asdict() | {"growth": growth})


def last_line(last: LastRun | None) -> LastRunLine | None:
    return None if last is None else LastRunLine(*last)


def attempt_lines(past: tuple[Attempt, ...]) -> tuple[AttemptLine, ...]:
    return tuple([AttemptLine(**one._asdict()) for one in past])


def read_attempts(lines: tuple[AttemptLine, ...]) -> tuple[Attempt, ...]:
    return tuple([Attempt(*msgspec.structs.astuple(one)) for one in lines])


def read_spec(
    url: str, payload: bytes | None, expected: ExpectedLine, how: HowLine | None
) -> Spec:
    given = tuple(expected) if isinstance(expected, list) else expected
    return Spec(url, payload, given, _read_how(how))


def read_terms(
    max_retries: int | None,
    key: str,
    origin: str,
    queue: str,
    special: SpecialLine | None,
) -> Terms:
    check_name(queue)
    if special is None:
        return Terms.of((max_retries, key, origin, queue))
    growth = None if special.growth is None else msgspec.structs.astuple(special.growth)
    fields = [*msgspec.structs.astuple(special)]
    fields[Special._fields.index("growth")] = growth and Growth(*growth)
    return Terms.of((max_retries, key, origin, queue, fields))


def read_last(last: LastRunLine | None) -> LastRun | None:
    return None if last is None else LastRun(*msgspec.structs.astuple(last))


def _read_how(line: HowLine | None) -> How | None:
    if line is None:
        return None
    report = None
    if line.report is not None:
        told = line.report.spec
        spec = seal(read_spec(told.url, told.payload, told.expected, told.how))
        fields = msgspec.structs.asdict(line.report)
        report = Report(**{**fields, "spec": spec})
    return How(**{**msgspec.structs.asdict(line), "report": report})
