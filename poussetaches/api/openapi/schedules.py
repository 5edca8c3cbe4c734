"""Schedules as things."""

from __future__ import annotations

from poussetaches.api.openapi.lists import paging
from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    array,
    count,
    header,
    in_path,
    moment,
    one_of,
    operation,
    or_null,
    query,
    record,
    schema,
    switch,
    text,
    whole,
)
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.api.schedules import MOST_REHEARSED, REHEARSED
from poussetaches.schema.special import MISSED, OVERLAP

BY_NAME = in_path(
    "name",
    text(minLength=1),
    "The id of the schedule, or its name; a slash in it may be %2F.",
)


def components() -> dict[str, Json]:
    return {
        "Schedule": record(
            {
                "id": ID,
                "name": or_null(text()),
                "rule": text(),
                "timezone": or_null(text()),
                "url": text(),
                "queue": text(),
                "missed": one_of(MISSED),
                "overlap": one_of(OVERLAP),
                "paused": switch(),
                "next": or_null(moment("null: no run comes.")),
                "last": or_null(schema("LastRun")),
                "in_flight": switch(),
            }
        ),
        "LastRun": record(
            {
                "slot": moment("The time it was for."),
                "at": moment("When it ended."),
                "outcome": text(),
                "attempts": count(),
                "status": whole("Of its last attempt; 0: it had none."),
            }
        ),
        "Rehearsal": record(
            {
                "schedule": schema("Schedule"),
                "runs": array(
                    record(
                        {
                            "at": moment(),
                            "local": text("The same in its zone.", format="date-time"),
                            "remark": text("What is odd about it, or empty."),
                        }
                    )
                ),
            }
        ),
    }


def operations() -> Operations:
    shown = answer("The schedule.", schema("Schedule"))
    page = record(
        {
            "schedules": array(schema("Schedule")),
            "total": count(),
            "cursor": or_null(text()),
        }
    )
    yield (
        "GET",
        "/schedules",
        operation(
            "listSchedules",
            "Schedules, those with a name first.",
            {200: answer("A page of them.", page)},
            parameters=paging(LONGEST_PAGE),
        ),
    )
    yield (
        "GET",
        "/schedule/{name}/next",
        operation(
            "rehearseSchedule",
            "The coming runs.",
            {200: answer("Some of them.", schema("Rehearsal"))},
            says_no=(404,),
            parameters=(
                BY_NAME,
                query(
                    "count",
                    whole(minimum=1, maximum=MOST_REHEARSED, default=REHEARSED),
                    "How many.",
                ),
            ),
        ),
    )
    yield (
        "POST",
        "/schedule/{name}/run",
        operation(
            "runSchedule",
            "Push what it runs as one more task.",
            {
                201: answer(
                    "It is on disk.",
                    record({"id": ID}),
                    headers={"Poussetaches-Task-Id": header("The same id.", ID)},
                )
            },
            says_no=(404, 409),
            parameters=(BY_NAME,),
        ),
    )
    for verb, what in (
        ("pause", "No run of it comes from now on."),
        ("resume", "Its runs come again."),
    ):
        yield (
            "POST",
            f"/schedule/{{name}}/{verb}",
            operation(
                f"{verb}Schedule",
                what,
                {200: shown},
                says_no=(404,),
                parameters=(BY_NAME,),
            ),
        )
    yield (
        "GET",
        "/schedule/{name}",
        operation(
            "showSchedule",
            "One schedule.",
            {200: shown},
            says_no=(404,),
            parameters=(BY_NAME,),
        ),
    )
    yield (
        "DELETE",
        "/schedule/{name}",
        operation(
            "dropSchedule",
            "Drop it; a run in flight ends.",
            {200: shown},
            says_no=(404,),
            parameters=(BY_NAME,),
        ),
    )
