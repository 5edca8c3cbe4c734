"""What the api says of the service, by itself: a judgement of what it heard last."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.api.health import Health
from poussetaches.channel.messages import Pulse

PATIENCE = 10.0
WELL = Pulse({"paused": False, "waiting": 3}, [], [])
ILL = Pulse({"paused": True}, ["no worker is ready"], ["the service is stopping"])
SILENT = ["the supervisor has been silent for 12 s"]
UNHEARD = ["the supervisor has not been heard yet"]


@pytest.mark.parametrize(
    ("pulse", "age", "complaints", "obstacles"),
    [
        (WELL, 0.0, [], []),
        (WELL, 10.0, [], []),
        (WELL, 12.4, SILENT, SILENT),
        (ILL, 10.0, ["no worker is ready"], ["the service is stopping"]),
        # What it said before may long be otherwise.
        (ILL, 12.4, SILENT, SILENT),
        # Right after a start nobody complains, and nothing is sent here yet.
        (None, 10.0, [], UNHEARD),
        (None, 12.4, SILENT, UNHEARD),
    ],
)
def test_a_pulse_is_good_for_a_while(
    pulse: Pulse | None, age: float, complaints: list[str], obstacles: list[str]
) -> None:
    health = Health(PATIENCE, 1000.0)
    if pulse is not None:
        health = Health(PATIENCE, 0.0)
        health.hear(pulse, 1000.0)
    told = health.health(1000.0 + age)
    assert told.pop("healthy") is not bool(complaints)
    assert told.pop("complaints") == complaints
    assert told.pop("age") == age
    assert told == (pulse.status if pulse is not None else {})
    assert health.readiness(1000.0 + age) == {
        "ready": not obstacles,
        "complaints": obstacles,
    }


def test_the_last_pulse_counts() -> None:
    health = Health(PATIENCE, 0.0)
    health.hear(ILL, 1.0)
    health.hear(WELL, 2.0)
    told: dict[str, Any] = health.health(3.0)
    assert (told["healthy"], told["age"]) == (True, 1.0)
