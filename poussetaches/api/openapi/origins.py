"""Origins: what tasks are for, and how it does."""

from __future__ import annotations

from poussetaches.api.openapi.parts import (
    Json,
    Operations,
    answer,
    array,
    body,
    count,
    moment,
    one_of,
    operation,
    or_null,
    record,
    schema,
    text,
)
from poussetaches.model.target import MAX_URL_LENGTH


def components() -> dict[str, Json]:
    return {
        "Origin": record(
            {
                "origin": text("Scheme, host and port."),
                "state": one_of(("open", "held", "slowed", "given up")),
                "since": or_null(moment("When it went away.")),
                "next_probe": or_null(moment("When it is tried next.")),
                "limit": or_null(count("Attempts at once, for now; null: as ever.")),
                "cap": or_null(count("Its `origin_concurrency`.")),
                "in_flight": count(),
                "waiting": count(),
                "reason": or_null(text("What said last that it is away.")),
            }
        ),
        "Lift": record(
            {},
            optional={
                "origin": or_null(
                    text(
                        "Any URL of it; null: all origins.",
                        maxLength=MAX_URL_LENGTH,
                        format="uri",
                    )
                )
            },
        ),
    }


def operations() -> Operations:
    page = record(
        {"origins": array(schema("Origin")), "total": count(), "held": count()}
    )
    yield (
        "GET",
        "/origins",
        operation(
            "listOrigins",
            "Whatever live tasks are for, those in trouble first.",
            {200: answer("At most a thousand.", page)},
        ),
    )
    yield (
        "POST",
        "/origins/lift",
        operation(
            "liftOrigins",
            "Let attempts through again as if there had been no trouble.",
            {200: answer("How many were in trouble.", record({"lifted": count()}))},
            says_no=(404,),
            body=body(schema("Lift"), required=False),
        ),
    )
