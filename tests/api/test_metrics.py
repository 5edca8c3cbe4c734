"""The numbers as Prometheus reads them: many of them, and nobody is held up."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from prometheus_client.parser import text_string_to_metric_families

from poussetaches.api.families import TURN
from poussetaches.api.metrics import OTHERS, render
from poussetaches.model.histogram import Histogram
from poussetaches.schema import stats_json

BOUNDS = tuple(n / 10 for n in range(16))
TOLD: dict[str, Any] = {
    "version": "1.0",
    "started_at": 1_700_000_000.0,
    "complaints": [],
    "obstacles": ["the service is stopping"],
    "paused": False,
    "accounting_difference": 0,
    "workers": 1,
    "schedules": 0,
    "keys": 0,
    "memory": 0,
    "held_origins": 0,
    "oldest_due": {"id": "a" * 32, "seconds": 4.5},
    "kept": {"succeeded": 1},
    "refused": {"queue_full": 0},
    "attempts": {"late": 0},
    "origins": {"http://here:80": {"succeeded": 3, "failed": 1, "held": True}},
    "other_origins": {"succeeded": 0, "failed": 0},
    "other_queues": None,
    "store": {
        "journal_bytes": 100,
        "syncs": Histogram(BOUNDS).raw,
        "dumps": {"written": 0, "failed": 0},
        "last_dump_seconds": None,
        "dump_bytes": None,
        "dumped_at": None,
    },
    "supervisor": {"memory": 1, "cpu": 0.5, "ticks": Histogram(BOUNDS).raw},
    "restarts_by_role": {"api": 0, "worker": 0},
    # Who has not said yet how busy it is.
    "children": [
        {
            **{"name": "api-1", "role": "api", "memory": 1, "cpu": 0.5, "slots": 0},
            **{"in_flight": 0, "gauges": {}, "unsent": 0},
        }
    ],
}


def queue(name: str, accepted: int = 0) -> tuple[Any, ...]:
    """What the supervisor tells of one."""
    times = Histogram(BOUNDS)
    times.add(0.25)
    outcomes = {"succeeded": 1, "failed": 0, "deferred": 0, "lost": 0, "cancelled": 0}
    statuses = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100]
    return (
        *(name, 1, 2, False, None),
        *(accepted, 0, 0, 0, 0),
        *(outcomes, statuses, {}),
        *(times.raw, times.raw, times.raw),
    )


def numbers(stats: dict[str, Any]) -> dict[tuple[str, ...], float]:
    _, body = render(stats, "")
    return {
        (
            sample.name.removeprefix("poussetaches_"),
            *sample.labels.values(),
        ): sample.value
        for metric in text_string_to_metric_families(body.decode())
        for sample in metric.samples
    }


def test_numbers_become_metrics() -> None:
    told = {**TOLD, "other_queues": queue("", 7)}
    found = numbers(stats_json(told, [queue("mail", 5)]))
    assert found["tasks_accepted_total", "mail"] == 5
    assert found["tasks_accepted_total", OTHERS] == 7
    assert found["tasks", "mail", "in_flight"] == 2
    assert found["attempts_total", "mail", "5xx"] == 5
    # Of no class that people know.
    assert found["attempts_total", "mail", "other"] == 0 + 1 + 6 + 7 + 8 + 9
    assert found["attempts_total", "mail", "none"] == 100
    assert found["end_to_end_seconds_bucket", "0.2", "mail"] == 0
    assert found["end_to_end_seconds_bucket", "0.3", "mail"] == 1
    assert found["end_to_end_seconds_bucket", "+Inf", "mail"] == 1
    assert found["end_to_end_seconds_sum", "mail"] == 0.25
    assert found["origin_attempts_total", "http://here:80", "succeeded"] == 3
    assert found["origin_held", "http://here:80"] == 1
    assert found["oldest_due_seconds",] == 4.5
    assert (found["healthy",], found["ready",]) == (1, 0)
    # Which of many is paused, or late, is nobody's guess.
    assert ("queue_paused", "mail") in found
    assert ("queue_paused", OTHERS) not in found
    # What is not known yet is not 0.
    for name in ("last_dump_bytes", "last_dump_timestamp_seconds", "api_connections"):
        assert not [key for key in found if key[0] == name]


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=x.y",
        "application/openmetrics-text; version=1..0",
        "application/openmetrics-text; version=\xb2.0",
        "text/plain; version=" + "9" * 5000,
        "text/plain;=;version==",
        "\xff",
        ",;",
    ],
)
def test_who_accepts_nothing_that_makes_sense_gets_plain_text(accept: str) -> None:
    content_type, body = render(stats_json(TOLD, []), accept)
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"poussetaches_healthy 1.0" in body


def test_others_have_their_turn_while_there_is_much_to_write() -> None:
    stats = stats_json(TOLD, [queue(f"queue-{n}") for n in range(100)])
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0)
            turns += 1

    counting = gevent.spawn(count)
    _, body = render(stats, "")
    counting.kill()
    lines = body.count(b"\n")
    assert lines > 5000
    assert turns >= lines / TURN
