"""Pushes: ``POST /`` and ``POST /batch``, and what a push may say.

The shape of a push is made from the types that read it; what those do not say, because
it is checked after reading, is added here from the constants that it is checked by.
"""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    array,
    body,
    header,
    operation,
    record,
    schema,
    text,
)
from poussetaches.api.openapi.typed import Limits, schema_of
from poussetaches.model.headers import MOST_HEADERS
from poussetaches.model.queue_fields import NAME_PATTERN
from poussetaches.model.request_head import METHODS
from poussetaches.model.target import MAX_URL_LENGTH
from poussetaches.schema import LONGEST_DELAY, MOST_PUSHES, PushBody
from poussetaches.schema.expected import (
    CLASSES,
    FIRST_STATUS,
    LAST_STATUS,
    MOST_EXPECTED,
)
from poussetaches.schema.how import FORMATS
from poussetaches.schema.special import (
    CONTROLS,
    HUNDRED_YEARS,
    LEAST_TIMEOUT,
    LONGEST_NAME,
    MISSED,
    MOST_DOUBLINGS,
    MOST_WAITS,
    OVERLAP,
    THIRTY_DAYS,
    GrowthBody,
)

_STATUS: Json = {"minimum": FIRST_STATUS, "maximum": LAST_STATUS}
_ONE_EXPECTED: Json = {
    "anyOf": [{"type": "integer", **_STATUS}, {"type": "string", "enum": [*CLASSES]}]
}
_WAIT: Json = {"minimum": 0, "maximum": THIRTY_DAYS}
_URL: Mapping[str, Json] = {
    "string": {"maxLength": MAX_URL_LENGTH, "format": "uri-reference"}
}
_NAME: Mapping[str, Json] = {"string": {"minLength": 1, "maxLength": LONGEST_NAME}}

#: What is checked of a push after it was read.
LIMITS: Limits = {
    "url": _URL,
    "payload": {"string": {"contentEncoding": "base64"}},
    "expected": {
        # 0 is the first ancestor's way to say 200.
        "integer": {"anyOf": [{"const": 0}, _STATUS]},
        "string": {"enum": [*CLASSES]},
        "array": {"items": _ONE_EXPECTED, "minItems": 1, "maxItems": MOST_EXPECTED},
    },
    "delay": {"integer": {"minimum": -LONGEST_DELAY, "maximum": LONGEST_DELAY}},
    "countdown": {"number": {"minimum": -HUNDRED_YEARS, "maximum": HUNDRED_YEARS}},
    "queue": {"string": {"pattern": f"^{NAME_PATTERN}$"}},
    "backoff": {
        "array": {
            "items": {"type": "number", **_WAIT},
            "minItems": 1,
            "maxItems": MOST_WAITS,
        }
    },
    "timeout": {"number": {"minimum": LEAST_TIMEOUT, "maximum": THIRTY_DAYS}},
    "roll_back": _URL,
    "on_success": _URL,
    "method": {"string": {"enum": sorted(METHODS)}},
    "headers": {"object": {"maxProperties": MOST_HEADERS}},
    "format": {"string": {"enum": [*FORMATS]}},
    "group": _NAME,
    "name": {"string": {**_NAME["string"], "pattern": f"^[^{CONTROLS}]+$"}},
    "missed": {"string": {"enum": [*MISSED]}},
    "overlap": {"string": {"enum": [*OVERLAP]}},
}

#: The same of ``backoff`` as a rule.
GROWTH_LIMITS: Limits = {
    "min": {"number": _WAIT},
    "max": {"number": _WAIT},
    "doublings": {"integer": {"minimum": 0, "maximum": MOST_DOUBLINGS}},
}

#: For people; each begins the sentence that docs/tasks.md has.
DESCRIPTIONS: Mapping[str, str] = {
    "url": "where it is pushed to, by `http` or `https`",
    "payload": "bytes, carried as they are",
    "json": "instead of `payload`: carried as its text without blanks, numbers as they"
    " were written",
    "expected": "which statuses mean success",
    "queue": "the queue it is in; one that nobody has made is refused, unless"
    " `auto_create_queues` is on",
    "delay": "not before; negative puts it ahead of the queue",
    "countdown": "the same in seconds; only one of the three",
    "eta": "the same as a moment; it follows the wall clock, should that be set",
    "expires": "from then on it is not delivered any more; an attempt under way may"
    " end",
    "max_retries": "how many attempts may follow the first one; -1: any number",
    "backoff": "waits after the first, the second ... failed attempt; or a rule:"
    " `min`, doubled so often, then longer by the same each time, to `max`; without"
    " these two it doubles on, without limit",
    "timeout": "how long one attempt may take",
    "roll_back": "is told when the task dies or expires",
    "on_success": "is told when the task has succeeded",
    "metadata": "carried along, in the envelope or a header",
    "method": "of the request; `GET`, `HEAD` and `OPTIONS` carry no payload",
    "headers": "sent along, and win over those of the queue. Not those that frame the"
    " request (`Content-Length` ...), nor ours (`Poussetaches-...`, `webhook-...`)",
    "format": "raw: the body is the payload as it is, and attempt and metadata are in"
    " headers",
    "keep_result": "the body of the answer that means success is kept, to"
    " `max_response`",
    "key": "the same key again is the same task",
    "group": "tasks of a group are delivered in order and one at a time; one that is"
    " retried holds up its group, and nobody else",
    "schedule": "makes it recur; then neither `eta` nor `expires`",
    "name": "of a schedule: by which it is changed in place when it is pushed again",
    "timezone": "of a schedule: the zone of its clock",
    "missed": "of a schedule: which runs are made up for that could not begin in their"
    " time",
    "overlap": "of a schedule: what becomes of runs whose time comes while another one"
    " is under way",
}

GROWTH_DESCRIPTIONS: Mapping[str, str] = {
    "min": "seconds, the first wait",
    "max": "seconds, the longest wait",
    "doublings": "how often it is doubled before it grows by the same each time",
}

_TASK_ID = {"Poussetaches-Task-Id": header("The id of the task.", ID)}
_TAKEN = "$response.header.Poussetaches-Task-Id"


def components() -> dict[str, Json]:
    """What a push may say, by the name of the type."""
    return {
        "PushBody": schema_of(PushBody, LIMITS, DESCRIPTIONS),
        "GrowthBody": schema_of(GrowthBody, GROWTH_LIMITS, GROWTH_DESCRIPTIONS),
        "Ids": record({"ids": array(ID, minItems=1)}),
    }


def operations() -> Operations:
    push = schema("PushBody")
    yield (
        "POST",
        "/",
        operation(
            "pushTask",
            "Push a task.",
            {
                201: answer(
                    "It is on disk.",
                    headers=_TASK_ID,
                    links={
                        name: {"operationId": name, "parameters": {"id": _TAKEN}}
                        for name in ("showTask", "cancelTask")
                    },
                ),
                200: answer("Its `key` is known: nothing was done.", headers=_TASK_ID),
            },
            body=body(push),
            description="A push may have these fields in upper case, too.",
        ),
    )
    yield (
        "POST",
        "/batch",
        operation(
            "pushBatch",
            "Push many tasks, all or none.",
            {
                201: answer("They are on disk; ids in their order.", schema("Ids")),
                200: answer("Every `key` is known: nothing was done.", schema("Ids")),
            },
            body=body(
                array(push, minItems=1, maxItems=MOST_PUSHES),
                lines=text("A push on each line."),
            ),
        ),
    )
