"""Queues, and what may be said of one."""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.api.openapi.parts import (
    ID,
    Json,
    Operations,
    answer,
    any_of,
    array,
    body,
    count,
    in_path,
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
from poussetaches.model.backoff import FOR_EVER
from poussetaches.model.headers import MOST_HEADERS
from poussetaches.model.queue_fields import (
    LONGEST,
    MOST,
    MOST_CONCURRENCY,
    MOST_DOUBLINGS,
    NAME_PATTERN,
    NO_LIMIT,
    RATE_PATTERN,
    SHORTEST_TIMEOUT,
    UNLIMITED,
)
from poussetaches.model.target import MAX_URL_LENGTH

_UNLIMITED = one_of([UNLIMITED])
#: A fraction of nothing is taken for a whole number here.
SETTINGS: Mapping[str, Json] = {
    "concurrency": any_of(whole(minimum=1, maximum=MOST_CONCURRENCY), _UNLIMITED),
    "rate": any_of(
        text("Attempts that may begin, such as 21.5/m.", pattern=f"^{RATE_PATTERN}$"),
        _UNLIMITED,
    ),
    "burst": whole(minimum=1, maximum=MOST),
    "retry_limit": whole("-1: any number.", minimum=FOR_EVER, maximum=MOST),
    "min_backoff_seconds": number(minimum=0, maximum=LONGEST),
    "max_backoff_seconds": any_of(
        number(minimum=0, maximum=LONGEST), {"const": NO_LIMIT}
    ),
    "max_doublings": whole("-1: any number.", minimum=NO_LIMIT, maximum=MOST_DOUBLINGS),
    "timeout": number("Seconds.", minimum=SHORTEST_TIMEOUT, maximum=LONGEST),
    "base_url": text(maxLength=MAX_URL_LENGTH, format="uri"),
    "paused": switch(),
    "headers": {
        "type": "object",
        "maxProperties": MOST_HEADERS,
        "additionalProperties": {"type": "string"},
    },
}

BY_NAME = in_path("name", text(pattern=f"^{NAME_PATTERN}$"), "The name of the queue.")


def components() -> dict[str, Json]:
    # A URL is shown as it was given, and what is no URL by the book may well be one.
    settings = record({}, optional={**SETTINGS, "base_url": text()})
    return {
        "QueueSettings": settings,
        "QueueChanges": {
            **record(
                {}, optional={name: or_null(one) for name, one in SETTINGS.items()}
            ),
            "description": "null: what the configuration says from now on.",
        },
        "Queue": record(
            {
                "name": text(),
                "settings": schema("QueueSettings"),
                "configured": or_null(schema("QueueSettings")),
                "changed": schema("QueueSettings"),
                "waiting": count(),
                "in_flight": count(),
                "oldest_due": or_null(schema("OldestDue")),
            }
        ),
        "OldestDue": record({"id": ID, "seconds": number("How late it is.")}),
    }


def operations() -> Operations:
    queue = answer("The queue.", schema("Queue"))
    listed = record({"queues": array(schema("Queue"))})
    yield (
        "GET",
        "/queues",
        operation("listQueues", "The queues, by name.", {200: answer("All.", listed)}),
    )
    yield (
        "GET",
        "/queue/{name}",
        operation(
            "showQueue",
            "One queue.",
            {200: queue},
            says_no=(404,),
            parameters=(BY_NAME,),
        ),
    )
    yield (
        "PUT",
        "/queue/{name}",
        operation(
            "setQueue",
            "Make or change a queue.",
            {200: queue, 201: answer("It is new.", schema("Queue"))},
            says_no=(409,),
            parameters=(BY_NAME,),
            body=body(schema("QueueChanges"), required=False),
        ),
    )
    yield (
        "DELETE",
        "/queue/{name}",
        operation(
            "dropQueue",
            "Do without a queue in which nothing is.",
            {200: answer("It is gone.")},
            says_no=(404, 409),
            parameters=(BY_NAME,),
        ),
    )
    for verb, what in (
        ("pause", "Lease nothing of it from now on."),
        ("resume", "Lease again."),
    ):
        yield (
            "POST",
            f"/queue/{{name}}/{verb}",
            operation(
                f"{verb}Queue",
                what,
                {200: queue},
                says_no=(404,),
                parameters=(BY_NAME,),
            ),
        )
    yield (
        "POST",
        "/queue/{name}/purge",
        operation(
            "purgeQueue",
            "Cancel what waits in it, but for runs of schedules.",
            {200: answer("How many.", record({"cancelled": count()}))},
            says_no=(404,),
            parameters=(BY_NAME,),
        ),
    )
