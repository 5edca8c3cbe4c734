"""When and how often a pushed task is tried: ``countdown`` and ``max_retries``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from poussetaches import schema
from poussetaches.errors import InvalidInput
from poussetaches.model.rules import Rules
from poussetaches.schema import PushRequest


def parse(body: dict[str, Any] | bytes) -> PushRequest:
    if isinstance(body, dict):
        body = json.dumps({"url": "http://a/", **body}).encode()
    return schema.parse_push(body, Rules("UTC"))


@pytest.mark.parametrize(
    ("body", "delay"),
    [
        ({"countdown": 3}, 3.0),
        ({"countdown": 0.25}, 0.25),
        ({"countdown": -60}, -60.0),
        ({"countdown": 0}, 0.0),
        ({"countdown": None}, 0.0),
        ({"countdown": None, "delay": 2}, 120.0),
        # The ancestor's clients always send a delay.
        ({"countdown": 3, "delay": 0}, 3.0),
        ({"countdown": 3, "delay": None}, 3.0),
        ({"Countdown": 3}, 3.0),
    ],
)
def test_countdown_is_the_delay_in_seconds(body: dict[str, Any], delay: float) -> None:
    assert parse(body).delay == delay


@pytest.mark.parametrize("given", [-1, 0, 1, 10, 1_000_000, None])
def test_max_retries_is_taken_as_it_is(given: int | None) -> None:
    assert parse({"max_retries": given}).terms.max_retries == given


def test_without_max_retries_the_policy_decides() -> None:
    assert parse({}).terms.max_retries is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"countdown": 3, "delay": 1}, "countdown"),
        ({"countdown": 0, "delay": 1}, "countdown"),
        ({"countdown": "3"}, "countdown"),
        ({"countdown": True}, "countdown"),
        ({"countdown": [3]}, "countdown"),
        ({"countdown": 1e12}, "countdown"),
        ({"countdown": -1e12}, "countdown"),
        ({"countdown": 2**70}, "countdown"),
        (b'{"url": "http://a/", "countdown": NaN}', None),
        (b'{"url": "http://a/", "countdown": 1e999}', "countdown"),
        ({"max_retries": -2}, "max_retries"),
        ({"max_retries": 1_000_001}, "max_retries"),
        ({"max_retries": 2**70}, "max_retries"),
        ({"max_retries": "1"}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_field_at_fault(
    body: dict[str, Any] | bytes, field: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert caught.value.field == field
    assert field is None or field in caught.value.message
