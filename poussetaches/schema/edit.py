"""The edit: some fields of a push, in the place of those that a task has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from poussetaches.model.rules import Rules
from poussetaches.model.task import How, Spec
from poussetaches.schema.body import is_given, read_fields
from poussetaches.schema.how import how_json
from poussetaches.schema.mask import meant_headers, meant_url
from poussetaches.schema.payload import base64
from poussetaches.schema.push import NO_QUEUES, PushRequest, Queues, read_push
from poussetaches.schema.special import special_json
from poussetaches.schema.task import TaskView
from poussetaches.schema.words import invalid

T = TypeVar("T")

#: What says when; any of them takes the place of all.
TIMES = frozenset({"delay", "countdown", "eta"})
#: What carries something; either takes the place of the other.
LOADS = ("payload", "json")
CALLBACKS = ("roll_back", "on_success")
#: What only a schedule has.
OF_A_SCHEDULE = ("schedule", "name", "timezone", "missed", "overlap")


class Edit(NamedTuple):
    """An edit that was found valid."""

    #: All that the task is from now on.
    request: PushRequest
    #: Whether it says when; else the task keeps its time.
    is_timed: bool


def parse_edit(
    body: bytes,
    task: TaskView,
    rules: Rules,
    max_payload: int | None = None,
    queues: Queues = NO_QUEUES,
) -> Edit:
    """What ``PUT /task/<id>`` makes of ``task``: ``body`` has some fields of a push,
    the others stay as they are. null takes one back to its default.

    Raises InvalidInput as ``parse_push`` does, and for what only a schedule has.
    """
    given = read_fields(body)
    for field in OF_A_SCHEDULE:
        if field in given:
            raise invalid(field, "only a schedule has it, and a task becomes none")
    is_timed = not TIMES.isdisjoint(given)
    fields = _fields(task)
    if is_timed:
        fields.pop("eta", None)
    for load in LOADS:
        if load in given and is_given(given[load]):
            for other in LOADS:
                fields.pop(other, None)
    whole = msgspec.json.encode({**fields, **given, **_meant(given, fields)})
    asked = read_push(whole, "The body", task.id, rules, max_payload, queues)
    return Edit(asked._replace(spec=_reporting(asked.spec, task, given)), is_timed)


def _meant(
    given: Mapping[str, msgspec.Raw], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """What is meant by fields that show a mask instead of a secret: the secret. Raises
    InvalidInput."""
    meant: dict[str, Any] = {}
    for name in ("url", *CALLBACKS):
        if (url := _read(given, name, str)) is not None:
            meant[name] = meant_url(url, fields.get(name) or "", name)
    if (headers := _read(given, "headers", dict[str, str])) is not None:
        before = tuple(fields.get("headers", {}).items())
        meant["headers"] = dict(meant_headers(tuple(headers.items()), before))
    return meant


def _read(given: Mapping[str, msgspec.Raw], field: str, kind: type[T]) -> T | None:
    """The value of a field; None if it has none of that kind, which whoever reads the
    whole push will object to."""
    try:
        return msgspec.json.decode(given.get(field, msgspec.Raw(b"null")), type=kind)
    except (ValueError, RecursionError):
        return None


def _fields(task: TaskView) -> dict[str, Any]:
    """What a push must say to become ``task``, but for when."""
    spec, terms = task.spec, task.terms
    fields = {
        "url": spec.url,
        "payload": base64(spec.payload),
        "expected": spec.expected,
        "max_retries": terms.max_retries,
        "key": terms.key or None,
        "queue": terms.queue,
        **how_json(spec),
        **special_json(terms.special),
    }
    if "json" in fields:
        del fields["payload"]
    if spec.how is not None:
        fields["headers"] = dict(spec.how.headers)
    if terms.special is not None:
        # What anybody may see of these is not what they are.
        fields |= {name: getattr(terms.special, name) or None for name in CALLBACKS}
    for field in OF_A_SCHEDULE:
        fields.pop(field, None)  # of one that a schedule was told to run
    return fields


def _reporting(spec: Spec, task: TaskView, given: Mapping[str, msgspec.Raw]) -> Spec:
    """A callback still tells what it told, unless something else is to be told."""
    report = None if task.spec.how is None else task.spec.how.report
    if report is None or not given.keys().isdisjoint(LOADS):
        return spec
    return spec._replace(how=(spec.how or How())._replace(report=report))
