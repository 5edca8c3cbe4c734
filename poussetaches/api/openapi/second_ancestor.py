"""The surface of the second ancestor: its jobs."""

from __future__ import annotations

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    array,
    body,
    count,
    header,
    one_of,
    operation,
    query,
    record,
    schema,
    text,
    whole,
)
from poussetaches.api.openapi.tasks import BY_ID, STATES
from poussetaches.api.second_ancestor import LISTS, PAGE
from poussetaches.model.target import MAX_URL_LENGTH
from poussetaches.schema.job import TYPE

_URL = text(
    "Full, or relative to the `base_url` of the queue `default`.",
    maxLength=MAX_URL_LENGTH,
    format="uri-reference",
)
#: What each list has.
_LISTED = {
    "waiting": "Jobs that wait.",
    "running": "Jobs that are under way.",
    "runing": "The same, spelt as there.",
    "completed": "The last jobs that have succeeded.",
    "errors": "Jobs that have failed.",
}


def components() -> dict[str, Json]:
    # Beside a url, cmd is one of the fields that are ignored, whatever it says.
    cmd = {"description": "The same, where there is no `url`."}
    job = record({}, optional={"url": _URL, "cmd": cmd})
    return {
        "JobBody": {
            **job,
            "additionalProperties": True,
            "anyOf": [{"required": ["url"]}, {"required": ["cmd"]}],
        },
        "Job": record(
            {
                "ID": ID,
                "Type": one_of((TYPE,)),
                "Status": whole(
                    "0: stopped; 1: running; 2: successful; 3: erroneous.",
                    minimum=0,
                    maximum=3,
                ),
                "Response": text("Of the success, or of the last failure."),
                "url": text(),
                "queue": text(),
                "state": one_of(STATES),
                "tries": count("Attempts that have begun."),
            }
        ),
    }


def operations() -> Operations:
    added = answer(
        "It is on disk. The body is its uid.",
        text(),
        media="text/plain",
        headers={"Poussetaches-Task-Id": header("Its uid.", ID)},
    )
    added["content"]["application/json"] = {"schema": record({"uid": ID})}
    yield (
        "POST",
        "/add",
        operation(
            "addJob",
            "Push a job in the words of jordic/taskpusher: a GET of its URL.",
            {200: added},
            body=body(schema("JobBody"), form=schema("JobBody")),
        ),
    )
    yield (
        "GET",
        "/job/{id}",
        operation(
            "showJob",
            "A job, whatever has become of it.",
            {200: answer("The job.", schema("Job"))},
            says_no=(404,),
            parameters=(BY_ID,),
        ),
    )
    for name in LISTS:
        yield (
            "GET",
            f"/jobs/{name}",
            operation(
                f"listJobs{name.capitalize()}",
                _LISTED[name],
                {200: answer("A page.", array(schema("Job"), maxItems=PAGE))},
                says_no=(404,),
                parameters=(query("last_uid", text(), "Of the page before."),),
            ),
        )
