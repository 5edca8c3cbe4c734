"""The first ancestor's files: a task each, as it lists them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from poussetaches.archive.fields import Code, Count, Id, Status
from poussetaches.archive.reading import decoded
from poussetaches.channel.messages import seal
from poussetaches.model.task import Spec, State, Task
from poussetaches.schema import NANOSECONDS


class AncestorFile(msgspec.Struct):
    """A file of the first ancestor. Other fields are ignored."""

    id: Id
    url: str
    payload: bytes | None = None
    expected: Code = 0
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


_decode = msgspec.json.Decoder(AncestorFile).decode


def read_ancestor_file(data: bytes, state: State) -> AncestorTask:
    """The task in a file of the first ancestor, from its directory of that ``state``.

    Its spec is as the file has it, not checked. Raises InvalidInput.
    """
    given = decoded(_decode, data)
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
