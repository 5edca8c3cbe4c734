"""The surface of the third ancestor: its message, as JSON or as a form."""

from __future__ import annotations

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    body,
    operation,
    record,
    schema,
)
from poussetaches.api.openapi.tasks import BY_ID
from poussetaches.api.openapi.typed import Limits, schema_of
from poussetaches.api.third_ancestor import PATH
from poussetaches.model.backoff import FOR_EVER
from poussetaches.model.queue_fields import NAME_PATTERN
from poussetaches.model.target import MAX_URL_LENGTH
from poussetaches.schema import MOST_RETRIES
from poussetaches.schema.message import MessageBody
from poussetaches.schema.special import HUNDRED_YEARS

LIMITS: Limits = {
    "url": {"string": {"maxLength": MAX_URL_LENGTH, "format": "uri-reference"}},
    "roll_back": {"string": {"maxLength": MAX_URL_LENGTH, "format": "uri-reference"}},
    "queue": {"string": {"pattern": f"^({NAME_PATTERN})?$"}},
    "countdown": {"number": {"minimum": -HUNDRED_YEARS, "maximum": HUNDRED_YEARS}},
    "max_retries": {"integer": {"minimum": FOR_EVER, "maximum": MOST_RETRIES}},
}

DESCRIPTIONS = {
    "url": "full, or relative to the `base_url` of the queue",
    "payload": "text, delivered as it is, as `application/json`; no envelope",
    "queue": "its name",
    "countdown": "seconds: not before",
    "eta": "posix seconds: not before",
    "expires": "posix seconds: not from then on",
    "max_retries": "how many attempts may follow the first one",
    "roll_back": "URL that is told when it dies or expires",
    "metadata": "any JSON value",
}


def components() -> dict[str, Json]:
    message = schema_of(MessageBody, LIMITS, DESCRIPTIONS, is_open=True)
    fields: Json = message["properties"]
    for one in fields.values():
        kinds = {branch.get("type") for branch in one.get("anyOf", ())}
        if kinds & {"number", "integer"}:
            # As its form has it.
            one["anyOf"].append({"type": "string", "format": "number"})
    return {"MessageBody": message}


def operations() -> Operations:
    asked = body(schema("MessageBody"), form=schema("MessageBody"))
    for path, name in ((PATH, "pushMessage"), (f"{PATH}/", "pushMessageSlash")):
        yield (
            "POST",
            path,
            operation(
                name,
                "Push a task in the words of mentat/taskqueue.",
                {201: answer("It is on disk.", record({"id": ID}))},
                body=asked,
            ),
        )
    path = f"{PATH}/{{id}}"
    shown = answer("The task.", schema("WholeTask"))
    yield (
        "GET",
        path,
        operation(
            "showMessage",
            "The task, as `/task/{id}` shows it.",
            {200: shown},
            says_no=(404,),
            parameters=(BY_ID,),
        ),
    )
    yield (
        "PUT",
        path,
        operation(
            "replaceMessage",
            "Make a waiting task another one under its id.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
            body=asked,
        ),
    )
    yield (
        "DELETE",
        path,
        operation(
            "cancelMessage",
            "End a live task before its time.",
            {200: shown},
            says_no=(404, 409),
            parameters=(BY_ID,),
        ),
    )
