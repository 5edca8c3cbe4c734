"""Dead letters as a list of work."""

from __future__ import annotations

from poussetaches.api.dead import USUAL_PAGE
from poussetaches.api.openapi.lists import FILTER, filtering, paging
from poussetaches.api.openapi.parts import (
    Json,
    Operations,
    answer,
    any_of,
    array,
    body,
    count,
    header,
    moment,
    operation,
    or_null,
    query,
    record,
    schema,
    switch,
    text,
    whole,
)
from poussetaches.schema import DEAD_FILTERS
from poussetaches.schema.selection import LONGEST_ID, MOST_CLEARED, MOST_IDS

_LIMIT = whole(
    "So many at most: one goes first, to see whether the trouble is over.",
    minimum=1,
    maximum=MOST_CLEARED,
)
_GO_ON = text("Of an answer that was not the last: go on after that.")


def components() -> dict[str, Json]:
    filters = {name: FILTER[name] for name in DEAD_FILTERS}
    filters["status"] = any_of(
        filters["status"], whole("As text.", minimum=100, maximum=599)
    )
    said = {
        "ids": array(
            text(minLength=1, maxLength=LONGEST_ID), minItems=1, maxItems=MOST_IDS
        ),
        **filters,
        "all": switch("Every dead letter."),
        "limit": _LIMIT,
        "cursor": _GO_ON,
    }
    return {
        "Group": record(
            {
                "cause": text("The id of the cause.", pattern="^[0-9a-f]{16}$"),
                "origin": text("Scheme, host and port."),
                "path": text("Parts that look like ids are *."),
                "status": whole("-1: there was no answer."),
                "error": text("What it says, without what differs from task to task."),
                "count": count("How many died of it."),
                "first": moment("When the first of them died."),
                "last": moment("When the last of them did."),
                "sample": text("The id of the last."),
            }
        ),
        "Selection": record({}, optional={n: or_null(one) for n, one in said.items()}),
    }


def operations() -> Operations:
    groups = record(
        {
            "groups": array(schema("Group")),
            "total": count("Dead letters that fit."),
            "causes": count("Groups that they are in."),
            "cursor": or_null(text("Where the next page begins; null: nowhere.")),
        }
    )
    yield (
        "GET",
        "/dead/groups",
        operation(
            "groupDead",
            "Dead letters by what they died of, the largest group first.",
            {200: answer("A page of groups.", groups)},
            parameters=(*filtering(DEAD_FILTERS), *paging(USUAL_PAGE)),
        ),
    )
    cursor = {"cursor": or_null(text("Where to go on; null: that was all."))}
    retried = {"retried": count(), "skipped": count(), **cursor}
    deleted = {"deleted": count(), **cursor}
    yield (
        "POST",
        "/dead/retry",
        operation(
            "retryDead",
            "Give dead letters all their attempts again, from now on.",
            {
                200: answer("How many came back, and could not.", record(retried)),
                503: _full(retried),
            },
            body=body(schema("Selection")),
            description="Either ids, or filters that all must fit, or all. What dies"
            " again meanwhile is not taken twice. A 503 has these counts, too, if some"
            " were done before there was no room for more.",
        ),
    )
    yield (
        "DELETE",
        "/dead",
        operation(
            "deleteDead",
            "Forget dead letters.",
            {200: answer("How many.", record(deleted)), 503: _full(deleted)},
            body=body(schema("Selection"), required=False),
            parameters=(
                *filtering(DEAD_FILTERS),
                query("all", {"enum": ["true", "1"]}, "Every dead letter."),
                query("limit", whole(minimum=1, maximum=999_999), "So many at most."),
                query("cursor", text(), "Of an answer that was not the last."),
            ),
            description="What is selected stands in the body or in the query.",
        ),
    )


def _full(counts: dict[str, Json]) -> Json:
    """Not now, or no more now."""
    seconds = whole("Seconds after which to try again.", minimum=1)
    return answer(
        "Not now; with counts, if some were done before that.",
        any_of(schema("Error"), record({**counts, "error": {"type": "object"}})),
        headers={"Retry-After": header("When to try again.", seconds)},
    )
