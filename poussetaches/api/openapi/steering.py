"""One task, steered by hand."""

from __future__ import annotations

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    array,
    body,
    moment,
    number,
    one_of,
    operation,
    or_null,
    record,
    schema,
    text,
)
from poussetaches.api.openapi.pushes import DESCRIPTIONS, LIMITS
from poussetaches.api.openapi.tasks import BY_ID, STATES
from poussetaches.api.openapi.typed import schema_of
from poussetaches.schema import PushBody
from poussetaches.schema.edit import OF_A_SCHEDULE


def components() -> dict[str, Json]:
    reason = record(
        {
            "code": text("For machines."),
            "sentence": text("For people."),
            "until": or_null(moment("When it ends; null: nobody knows.")),
        }
    )
    # The numbers that are in the sentence, each under a name.
    reason["additionalProperties"] = True
    return {
        "Why": record(
            {
                "id": ID,
                "state": one_of(STATES),
                "queue": text(),
                "origin": or_null(text("Scheme, host and port of its target.")),
                "sentence": text("The answer, for people."),
                "reasons": array(reason),
                "expected_start": or_null(moment("null: nobody can know.")),
                "expected_in": or_null(number("The same, seconds from now.")),
            }
        ),
        "EditBody": _edit(),
    }


def _edit() -> Json:
    """Some fields of a push."""
    push = schema_of(PushBody, LIMITS, DESCRIPTIONS)
    fields = push["properties"]
    for name in OF_A_SCHEDULE:
        del fields[name]
    said = "What is not said stays as it is; null: the default."
    return {**push, "required": [], "description": said}


def operations() -> Operations:
    shown = answer("The task.", schema("WholeTask"))
    yield (
        "GET",
        "/task/{id}/why",
        operation(
            "whyTask",
            "Why it is not running, and when it will.",
            {200: answer("What keeps it.", schema("Why"))},
            says_no=(404,),
            parameters=(BY_ID,),
        ),
    )
    yield (
        "PUT",
        "/task/{id}",
        operation(
            "editTask",
            "Change some fields of a waiting task.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
            body=body(schema("EditBody")),
        ),
    )
    yield (
        "POST",
        "/task/{id}/run",
        operation(
            "runTask",
            "Begin an attempt now, past every limit but a free worker.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
        ),
    )
    yield (
        "POST",
        "/task/{id}/retry",
        operation(
            "retryTask",
            "A dead letter back into its queue, due at once.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
        ),
    )
