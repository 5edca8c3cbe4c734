"""The service as a whole: how it is, and its pause."""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.api.openapi.parts import (
    Json,
    Operations,
    answer,
    array,
    count,
    header,
    moment,
    number,
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
from poussetaches.model.ring import SERIES, SPANS

#: What ``GET /`` says, and some others say, too.
STATUS: Mapping[str, Json] = {
    "in_flight": count("Attempts under way."),
    "paused": switch(),
    "version": text(),
    "uptime": number("Seconds."),
    "workers": count(),
    "waiting": count(),
    "succeeded": count(),
    "dead": count(),
    "expired": count(),
    "cancelled": count(),
    "accepted": count(),
    "held_origins": count(),
    "oldest_due": or_null(schema("OldestDue")),
}


def components() -> dict[str, Json]:
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    return {
        "Status": record(STATUS),
        "Stats": {
            "type": "object",
            "description": "More than what stands here: see docs/monitoring.",
            "properties": {
                **STATUS,
                "accounting_difference": whole("Other than 0 is a bug."),
                "schedules": count(),
                "keys": count(),
                "memory": count("Bytes of tasks."),
                "kept": numbers,
                "attempts": numbers,
                "refused": numbers,
                "rates": {"type": "object"},
                "queues": {"type": "object"},
                "origins": {"type": "object"},
                "store": {"type": "object"},
                "supervisor": {"type": "object"},
                "children": array({"type": "object"}),
            },
            "required": [*STATUS, "accounting_difference", "attempts", "children"],
        },
        "History": record(
            {
                "span": one_of(list(SPANS)),
                "step": number("Seconds from a point to the next."),
                "from": moment("Of the first point."),
                "series": record({name: _series(name) for name in SERIES}),
            }
        ),
        "Health": record(
            {
                "healthy": switch(),
                "complaints": array(text("A sentence.")),
                "age": number("Seconds since the supervisor was heard."),
            },
            # None of them before the supervisor is heard first, or without a key.
            optional=STATUS,
        ),
        "Readiness": record(
            {"ready": switch(), "complaints": array(text("A sentence."))}
        ),
    }


def _series(name: str) -> Json:
    """null: the service was not up; of how long attempts took also: there was none."""
    value = count() if name in ("waiting", "in_flight") else number(minimum=0)
    lengths = [span.points for span in SPANS.values()]
    return array(or_null(value), minItems=min(lengths), maxItems=max(lengths))


def _metrics() -> Json:
    found = answer("The numbers.", text(), media="text/plain")
    found["content"]["application/openmetrics-text"] = {"schema": text()}
    return found


def operations() -> Operations:
    yield (
        "GET",
        "/",
        operation(
            "showStatus",
            "How the service is, in short.",
            {200: answer("The numbers.", schema("Status"))},
        ),
    )
    yield (
        "GET",
        "/stats",
        operation(
            "showStats",
            "How the service is, at length.",
            {200: answer("The numbers.", schema("Stats"))},
        ),
    )
    yield (
        "GET",
        "/stats/history",
        operation(
            "showHistory",
            "What the service did of late, in points of the same distance.",
            {200: answer("The points.", schema("History"))},
            parameters=[
                query(
                    "span", one_of(list(SPANS)), "How far back; 5m if it is not said."
                )
            ],
        ),
    )
    yield (
        "GET",
        "/metrics",
        operation(
            "showMetrics",
            "The same for Prometheus, or OpenMetrics, as Accept says.",
            {200: _metrics()},
        ),
    )
    for verb, what in (
        ("pause", "No attempt begins any more; survives a restart."),
        ("resume", "Attempts begin again."),
    ):
        yield (
            "POST",
            f"/{verb}",
            operation(f"{verb}Service", what, {200: answer("Done.")}),
        )
    yield (
        "DELETE",
        "/cron",
        operation(
            "dropSchedules",
            "Drop every schedule; runs in flight end.",
            {200: answer("Done.")},
        ),
    )
    yield (
        "GET",
        "/health",
        operation(
            "isHealthy",
            "Whether work that is due moves.",
            {
                200: answer("It does.", schema("Health")),
                503: answer("It does not.", schema("Health")),
            },
            is_open=True,
        ),
    )
    yield (
        "GET",
        "/ready",
        operation(
            "isReady",
            "Whether pushes may come.",
            {
                200: answer("They may.", schema("Readiness")),
                503: answer("They had better not.", schema("Readiness")),
            },
            is_open=True,
        ),
    )
    yield (
        "GET",
        "/openapi.json",
        operation(
            "describe",
            "This document.",
            {
                200: answer(
                    "It.",
                    {"type": "object"},
                    headers={"ETag": header("Of its content.", text())},
                ),
                304: answer("It has not changed."),
            },
        ),
    )
