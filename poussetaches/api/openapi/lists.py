"""The lists of tasks: those of the first ancestor, and ours."""

from __future__ import annotations

from poussetaches.api.openapi.parts import (
    LINES,
    Json,
    Operations,
    answer,
    array,
    count,
    operation,
    or_null,
    query,
    record,
    schema,
    text,
    whole,
)
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.schema import STATES

CURSOR = query("cursor", text(), "Of the page before.")
#: What a list may be narrowed to.
FILTERS = (
    query("queue", text(minLength=1), "Of that queue."),
    query("url", text(minLength=1), "Whose URL begins so."),
    query(
        "origin",
        text(minLength=1),
        "For that scheme, host and port.",
    ),
    query(
        "status",
        text(pattern=r"^(none|[1-5](xx|\d\d))( *, *(none|[1-5](xx|\d\d)))*$"),
        "Whose last failed attempt was answered so: statuses, classes such as 5xx, or"
        " none for no answer, with commas between them.",
    ),
)
CAUSE = query(
    "cause",
    text(pattern="^[0-9a-f]{16}$"),
    "That died of this cause, as `GET /dead/groups` names it.",
)
STATE = query(
    "state",
    text(pattern=rf"^({'|'.join(STATES)})(,({'|'.join(STATES)}))*$"),
    "In these states, with commas between them; waiting,leased unless given.",
)

#: The lists of the first ancestor, and what each has.
LISTS = {
    "waiting": "Every live task, in flight or not.",
    "success": "The last tasks that have succeeded.",
    "dead": "The dead letters.",
    "cron": "The next runs of schedules.",
    "expired": "The last tasks that nobody wanted any more.",
}


def limit(usual: int) -> Json:
    shape = whole(minimum=1, maximum=LONGEST_PAGE, default=usual)
    return query("limit", shape, "How many at most.")


def components() -> dict[str, Json]:
    return {
        "Tasks": record(
            {
                "tasks": array(schema("Task")),
                "total": or_null(
                    count("How many there are in all; null: that takes a search.")
                ),
                "cursor": or_null(text("Where the next page begins; null: nowhere.")),
            }
        ),
    }


def operations() -> Operations:
    page = answer("A page of them.", schema("Tasks"))
    page["content"][LINES] = {"schema": text("A task a line.")}
    page["headers"] = {
        "Poussetaches-Cursor": {
            "description": "Of a page of lines: where the next one begins.",
            "schema": text(),
        }
    }
    for which, what in LISTS.items():
        own = (CAUSE,) if which == "dead" else ()
        yield (
            "GET",
            f"/{which}",
            operation(
                f"list{which.capitalize()}",
                what,
                {200: page},
                parameters=(limit(LONGEST_PAGE), CURSOR, *FILTERS, *own),
            ),
        )
    yield (
        "GET",
        "/tasks",
        operation(
            "listTasks",
            "The tasks of some states, by when they are due.",
            {200: page},
            parameters=(STATE, *FILTERS, limit(100), CURSOR),
            description="A page may be short, even empty, and have a cursor: then so"
            " far has been searched in the time that a page may take.",
        ),
    )
    number = record({"total": count("Tasks that fit.")})
    yield (
        "GET",
        "/tasks/count",
        operation(
            "countTasks",
            "How many they are.",
            {200: answer("Their number.", number)},
            parameters=(STATE, *FILTERS),
        ),
    )
