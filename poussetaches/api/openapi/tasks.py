"""One task, by its id."""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    any_of,
    array,
    count,
    in_path,
    moment,
    number,
    one_of,
    operation,
    or_null,
    record,
    schema,
    switch,
    text,
    whole,
)
from poussetaches.api.openapi.pushes import DESCRIPTIONS
from poussetaches.model.attempt import KINDS, OUTCOMES
from poussetaches.model.task import State
from poussetaches.schema.attempt import IN_FLIGHT

STATES = [state.value for state in State]

BY_ID = in_path("id", text(minLength=1), "The id of the task.")

_NANOSECONDS = "Nanoseconds since 1970; 0: never."

#: In the first ancestor's words and order, then ours.
TASK: Mapping[str, Json] = {
    "id": ID,
    "url": text(),
    "payload": or_null(text("Base64.")),
    "expected": any_of(whole(), text(), array(any_of(whole(), text()))),
    "schedule": text("The rule it recurs by; empty: it does not."),
    "next_scheduled_run": whole(_NANOSECONDS),
    "next_run": whole(_NANOSECONDS),
    "tries": count("Attempts that have begun."),
    "last_run": whole(_NANOSECONDS),
    "last_error_body": or_null(text("Base64 of text; null: no attempt has failed.")),
    "last_error_status_code": whole("-1: there was no answer; 0: none has failed."),
    "queue": text(),
    "state": one_of(STATES),
}

#: What was asked for, in the words of the push, and is not the default.
ASKED: Mapping[str, Json] = {
    "max_retries": whole(),
    "key": text(),
    "json": {},
    "method": text(),
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "format": text(),
    "metadata": {},
    "keep_result": switch(),
    "eta": number(),
    "expires": number(),
    "timeout": number(),
    "backoff": any_of(
        array(number()),
        record({"min": number()}, optional={"max": number(), "doublings": whole()}),
    ),
    "group": text(),
    "roll_back": text(),
    "on_success": text(),
    "name": text(),
    "timezone": text(),
    "missed": text(),
    "overlap": text(),
}

#: What has become of one task.
ATTEMPT: Mapping[str, Json] = {
    "number": whole("One that did not count has that of the next one.", minimum=1),
    "due": moment("When it was to begin."),
    "started": or_null(moment("When it began.")),
    "duration": or_null(number("Seconds; null: it is under way.")),
    "outcome": one_of([*OUTCOMES, IN_FLIGHT]),
    "status": or_null(whole("null: there was no answer.")),
    "error": or_null(one_of(sorted(KINDS), "The kind of failure.")),
    "response": or_null(text("The beginning of the answer, or what is said of it.")),
    "worker": or_null(text("Which worker made it.")),
    "request": or_null(text("The id that its request had.")),
}
HISTORY: Mapping[str, Json] = {
    "pushed": or_null(moment("When it came.")),
    "attempts": array(schema("Attempt")),
    "attempts_dropped": count("Those after the first that are remembered no more."),
    "result": or_null(text("The answer that ended it, in base64; see `keep_result`.")),
}


def components() -> dict[str, Json]:
    asked = {
        name: {**one, "description": DESCRIPTIONS[name]} for name, one in ASKED.items()
    }
    return {
        "Task": record(TASK, optional=asked),
        "Attempt": record(ATTEMPT),
        "WholeTask": record({**TASK, **HISTORY}, optional=asked),
    }


def operations() -> Operations:
    shown = answer("The task.", schema("WholeTask"))
    yield (
        "GET",
        "/task/{id}",
        operation(
            "showTask",
            "A task, whatever has become of it.",
            {200: shown},
            says_no=(404,),
            parameters=(BY_ID,),
        ),
    )
    yield (
        "DELETE",
        "/task/{id}",
        operation(
            "cancelTask",
            "End a live task before its time.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
        ),
    )
