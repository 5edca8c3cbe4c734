"""Is the service well, and may pushes come? By what the supervisor said last.

The api answers by itself: a supervisor that waits for its disk would make the question
wait, too, and one that hangs would never answer it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bottle import HTTPResponse, request

from poussetaches.api.access import STRANGER
from poussetaches.api.ancestor import JSON, Route
from poussetaches.channel.messages import Pulse
from poussetaches.schema import encode


class Health:
    """``patience``: seconds of silence after which the supervisor counts as hung.

    Every ``now`` is in monotonic seconds.
    """

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._pulse: Pulse | None = None
        self._heard_at = now

    def hear(self, pulse: Pulse, now: float) -> None:
        """The supervisor has given a sign of life."""
        self._pulse = pulse
        self._heard_at = now

    def health(self, now: float) -> dict[str, Any]:
        """Whether due work moves; with what the supervisor said of itself, and when."""
        pulse = self._pulse
        found = self._silence(now)
        if not found and pulse is not None:
            found = [*pulse.complaints]
        return {
            "healthy": not found,
            "complaints": found,
            "age": round(now - self._heard_at, 3),
            **(pulse.status if pulse is not None else {}),
        }

    def readiness(self, now: float) -> dict[str, Any]:
        """Whether pushes may come: not yet during a start, no longer during a stop."""
        pulse = self._pulse
        if pulse is None:
            found = ["the supervisor has not been heard yet"]
        else:
            found = self._silence(now) or [*pulse.obstacles]
        return {"ready": not found, "complaints": found}

    def _silence(self, now: float) -> list[str]:
        """One sentence, if the supervisor has been silent for too long."""
        age = now - self._heard_at
        if age <= self._patience:
            return []
        return [f"the supervisor has been silent for {age:.0f} s"]


def routes(health: Health) -> Iterator[Route]:
    """Method, path and view of both questions."""

    def answer(found: dict[str, Any], gist: str) -> HTTPResponse:
        is_good = found[gist]
        if STRANGER in request.environ:
            # The rest is for those that have a key.
            found = {gist: is_good}
        return HTTPResponse(encode(found), 200 if is_good else 503, JSON)

    def is_healthy() -> HTTPResponse:
        found = health.health(time.monotonic())
        return answer(found, "healthy")

    def is_ready() -> HTTPResponse:
        found = health.readiness(time.monotonic())
        return answer(found, "ready")

    yield "GET", "/health", is_healthy
    yield "GET", "/ready", is_ready
