"""The points of the charts over HTTP."""

from __future__ import annotations

import json
import math
import time
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from poussetaches.api.app import make_app
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.model.rules import Rules
from tests.api.test_queues import Channel


def ask(channel: Any, query: str) -> tuple[int, Any]:
    """The status of the answer and its JSON."""
    gateway = Gateway(channel, Rules("UTC"), max_payload=1000)
    environ: dict[str, Any] = {"PATH_INFO": "/stats/history", "QUERY_STRING": query}
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(status: str, headers: Any, exc: Any = None) -> Any:
        started.append(status)

    app = make_app(gateway, Health(10.0, time.monotonic()))
    content = b"".join(app(environ, start_response))
    return int(started[0][:3]), json.loads(content)


def test_what_nobody_knows_is_null_and_tasks_are_whole() -> None:
    told = {
        "span": "1h",
        "step": 20.0,
        "from": 1_700_000_000.5,
        "series": {
            "pushed": [math.nan, 1 / 3, 0.0],
            "waiting": [math.nan, 2.0, 0.0],
            "p50": [math.nan, 0.0025, math.nan],
        },
    }
    channel = Channel(told)
    status, shown = ask(channel, "span=1h")
    assert channel.asked == [("history", {"span": "1h"})]
    assert (status, shown) == (
        200,
        {
            **told,
            "series": {
                "pushed": [None, 0.333333, 0.0],
                "waiting": [None, 2, 0],
                "p50": [None, 0.0025, None],
            },
        },
    )
    assert isinstance(shown["series"]["waiting"][1], int)


def test_unless_asked_otherwise_it_is_the_shortest_span() -> None:
    channel = Channel({"series": {}})
    assert ask(channel, "")[0] == 200
    assert channel.asked == [("history", {"span": "5m"})]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("span=2h", "span"),
        ("span=", "span"),
        ("span=5m&span=1h", "span"),
        ("span=%FF", "span"),
        ("spam=1h", "spam"),
    ],
)
def test_no_other_span_is_asked_for(query: str, field: str) -> None:
    status, told = ask(Channel(), query)
    assert (status, told["error"]["field"]) == (400, field)
