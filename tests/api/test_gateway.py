"""What the gateway leaves the supervisor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from poussetaches.api import gateway as module
from poussetaches.api.gateway import BREATH, LONGEST_BREATH, Gateway
from poussetaches.model.filter import Filter
from poussetaches.model.rules import Rules


class Channel:
    """Has a slice for each of ``seconds``, which takes so long."""

    def __init__(self, seconds: list[float]) -> None:
        self.now = 0.0
        self._seconds = seconds

    def call(self, verb: str, **asked: Any) -> dict[str, Any]:
        self.now += self._seconds.pop(0)
        return {"number": 10, "cursor": "0.0,1" if self._seconds else None}


def test_a_long_count_leaves_as_much_time_as_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel: Any = Channel([BREATH / 2, 0.0625, 30.0, 1.0])
    rests: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: channel.now)
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "gevent", SimpleNamespace(sleep=rests.append))
    gateway = Gateway(channel, Rules("UTC"), max_payload=1000)
    assert gateway.count(["waiting"], Filter(url=b"http://h/")) == 40
    assert rests == [BREATH, 0.0625, LONGEST_BREATH]


def test_a_page_by_cause_comes_after_the_grouping() -> None:
    """Somebody may have the cause from before a restart: nothing is grouped then."""
    slices = iter([{"is_over": False}, {"is_over": True}])
    asked: list[str] = []

    def call(verb: str, **fields: Any) -> dict[str, Any]:
        asked.append(verb)
        if verb == "dead_index":
            return next(slices)
        return {"tasks": [], "total": 0, "cursor": None}

    channel: Any = SimpleNamespace(call=call)
    gateway = Gateway(channel, Rules("UTC"), max_payload=1000)
    cause = Filter(cause="0123456789abcdef")
    gateway.page(["dead"], cause, limit=9, cursor=None)
    assert asked == ["dead_index", "dead_index", "page"]
    gateway.page(["dead"], Filter(), limit=9, cursor=None)
    assert asked[3:] == ["page"]
