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
    number,
    one_of,
    operation,
    or_null,
    record,
    schema,
    text,
    whole,
)
from poussetaches.api.openapi.pushes import DESCRIPTIONS
from poussetaches.model.task import State

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


def components() -> dict[str, Json]:
    asked = {
        name: {**one, "description": DESCRIPTIONS[name]} for name, one in ASKED.items()
    }
    return {
        "Task": record(TASK, optional=asked),
    }


def operations() -> Operations:
    shown = answer("The task.", schema("Task"))
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
