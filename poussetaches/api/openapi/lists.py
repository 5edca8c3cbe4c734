"""Lists of tasks: by state, filtered, counted."""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.api.ancestor import LISTS
from poussetaches.api.lists import USUAL_PAGE, USUAL_STATES
from poussetaches.api.openapi.parts import (
    Json,
    Operations,
    answer,
    array,
    count,
    header,
    operation,
    or_null,
    query,
    record,
    schema,
    text,
    whole,
)
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.api.web.browser import PAGE
from poussetaches.model.target import MAX_URL_LENGTH
from poussetaches.schema import DEAD_FILTERS, FILTERS
from poussetaches.schema.selection import CAUSE_ID, LONGEST_TEXT, STATES

_STATUS = "([1-5][0-9][0-9]|[1-5]xx|none)"

#: What tasks may have in common, by the name of the filter.
FILTER: Mapping[str, Json] = {
    "queue": text("The name of their queue.", minLength=1, maxLength=LONGEST_TEXT),
    "url": text(
        "How their URL begins, as it is shown.", minLength=1, maxLength=LONGEST_TEXT
    ),
    "origin": text(
        "Any URL of theirs: its scheme, host and port count.",
        maxLength=min(LONGEST_TEXT, MAX_URL_LENGTH),
        format="uri",
    ),
    "status": text(
        "Of the last failed attempt: `503`, `5xx`, `none` (there was no answer), or"
        " several with commas.",
        pattern=f"^{_STATUS}(,{_STATUS}){{0,49}}$",
    ),
    "text": text(
        "What stands in their URL, key, group, metadata or last error. Large letters"
        " of ASCII are the same as small ones.",
        minLength=1,
        maxLength=LONGEST_TEXT,
    ),
    "cause": text(
        "Of dead letters: as `/dead/groups` gives it.",
        pattern=f"^[0-9a-f]{{{CAUSE_ID}}}$",
    ),
}

#: The lists of the first ancestor, and what each has.
_WHAT = {
    "/waiting": "Every live task, in flight or not.",
    "/success": "The last tasks that have succeeded.",
    "/dead": "The dead letters.",
    "/cron": "The next runs of schedules.",
    "/expired": "The last tasks that nobody wanted any more.",
}


def paging(usual: int, most: int = LONGEST_PAGE) -> tuple[Json, Json]:
    """What says where a page begins, and how long it is."""
    limit = whole(minimum=1, maximum=most, default=usual)
    return (
        query("limit", limit, "How many at most."),
        query("cursor", text(), "Of the page before."),
    )


def filtering(names: tuple[str, ...]) -> tuple[Json, ...]:
    """Parameters of the query that are filters."""
    told = {name: {**FILTER[name]} for name in names}
    return tuple(query(n, one, one.pop("description")) for n, one in told.items())


def components() -> dict[str, Json]:
    return {
        "Tasks": record(
            {
                "tasks": array(schema("Task")),
                "total": or_null(
                    count("How many there are; null: that would have to be counted.")
                ),
                "cursor": or_null(
                    text(
                        "Where the next page begins, also after a page that is empty"
                        " because the search went on for long; null: nowhere."
                    )
                ),
            }
        )
    }


def operations() -> Operations:
    page = answer(
        "A page of them.",
        schema("Tasks"),
        lines=True,
        headers={
            "Poussetaches-Cursor": header(
                "With lines: where the next page begins.", text(), always=False
            )
        },
    )
    for path in LISTS:
        filters = DEAD_FILTERS if path == "/dead" else FILTERS
        yield (
            "GET",
            path,
            operation(
                f"list{path[1:].capitalize()}",
                _WHAT[path],
                {200: page},
                parameters=(*paging(LONGEST_PAGE), *filtering(filters)),
            ),
        )
    listed = answer(
        "A page of them; to a browser that comes without a query, a page for people.",
        schema("Tasks"),
        lines=True,
        headers=page["headers"],
    )
    listed["content"][PAGE] = {"schema": text("HTML. Its twin for programs: `/stats`.")}
    state = "|".join(STATES)
    states = query(
        "state",
        text(pattern=f"^({state})(,({state})){{0,9}}$", default=USUAL_STATES),
        "States with commas between them.",
    )
    yield (
        "GET",
        "/tasks",
        operation(
            "listTasks",
            "Tasks by state, and by what they have in common.",
            {200: listed},
            parameters=(states, *paging(USUAL_PAGE), *filtering(FILTERS)),
        ),
    )
    total = answer("How many.", record({"total": count()}))
    yield (
        "GET",
        "/tasks/count",
        operation(
            "countTasks",
            "The same, counted.",
            {200: total},
            parameters=(states, *filtering(FILTERS)),
        ),
    )
