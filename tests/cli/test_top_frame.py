"""A frame of ``top``: what it tells, and that it fits."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.cli.table import measure
from poussetaches.cli.top_frame import Sample, frame

RATES = {"accepted": 12.0, "attempts": 130.4, "succeeded": 0.25, "failed": 0.0}


def queue(**given: Any) -> dict[str, Any]:
    return {
        "waiting": 0,
        "in_flight": 0,
        "paused": False,
        "oldest_due": None,
        "ended": {"dead": 0},
        "rates": {"1m": RATES},
        **given,
    }


def child(name: str, pid: int, **given: Any) -> dict[str, Any]:
    return {
        "name": name,
        "pid": pid,
        "ready": True,
        "uptime": 10.0,
        "memory": 40_000_000,
        "cpu": 1.0,
        "slots": 128,
        "in_flight": 3,
        **given,
    }


def origin(name: str, **given: Any) -> dict[str, Any]:
    return {
        "origin": name,
        "state": "open",
        "since": None,
        "next_probe": None,
        "waiting": 4,
        "in_flight": 0,
        **given,
    }


def sample(at: float = 1000.0, **given: Any) -> Sample:
    stats = {
        "version": "1.0.0",
        "uptime": 10.0,
        "paused": False,
        "oldest_due": None,
        **dict.fromkeys(("waiting", "in_flight", "succeeded", "dead", "expired"), 0),
        "rates": {"1m": RATES},
        "queues": {"default": queue()},
        "other_queues": None,
        "supervisor": {"pid": 1, "memory": 30_000_000, "cpu": 1.0, "in_flight": 0},
        "children": [child("worker-1", 2)],
        **given,
    }
    del stats["supervisor"]["in_flight"]
    return Sample(at, stats, [origin("http://a:80"), origin("http://b:80")])


def row(lines: list[str], first: str) -> str:
    """The one row that begins so, with one space between its words."""
    [found] = [line.split() for line in lines if line.split()[:1] == [first]]
    return " ".join(found)


def test_the_queue_that_is_latest_comes_first() -> None:
    queues = {
        "idle": queue(),
        "late": queue(waiting=1, oldest_due=12.0),
        "full": queue(waiting=100),
    }
    lines = frame(sample(queues=queues), None)
    names = [line.split()[0] for line in lines if line]
    shown = [name for name in names if name in queues]
    assert shown == ["late", "full", "idle"]
    assert row(lines, "late") == "late 1 0 12 s 12.0 0.25 0 0"


def test_only_origins_in_trouble_are_shown() -> None:
    found = sample()
    assert not [line for line in frame(found, None) if "http://" in line]
    held = origin("http://c:80", state="held", since=990.0, next_probe=1003.0)
    lines = frame(found._replace(origins=[*found.origins, held]), None)
    assert row(lines, "http://c:80") == "http://c:80 held 4 0 10 s in 3.0 s"


def test_processor_time_is_that_since_the_sample_before() -> None:
    before = sample()
    after = sample(1002.0, children=[child("worker-1", 2, cpu=2.0)])
    assert row(frame(after, None), "worker-1").startswith("worker-1 3/128 20 %")
    assert row(frame(after, before), "worker-1").startswith("worker-1 3/128 50 %")
    # A process with the name of one that died is another one.
    replaced = sample(1002.0, children=[child("worker-1", 9, cpu=1.0)])
    assert row(frame(replaced, before), "worker-1").startswith("worker-1 3/128 10 %")


def test_trouble_is_said_in_place_of_what_the_service_complained_of() -> None:
    ill = sample(complaints=["no worker is ready"])
    assert "no worker is ready" in frame(ill, None)
    lines = frame(ill, None, trouble="it is away")
    assert "it is away" in lines
    assert "no worker is ready" not in lines


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 3, 8, 12, 24, 60])
def test_a_frame_fits(width: int, height: int) -> None:
    queues = {f"queue-{number}": queue(waiting=number) for number in range(40)}
    children = [child(f"worker-{number}", number + 2) for number in range(30)]
    crowded = sample(queues=queues, children=children, other_queues=queue())
    many = [origin(f"http://{n}:80", state="held", since=990.0) for n in range(50)]
    lines = frame(crowded._replace(origins=many), None, width, height)
    assert len(lines) <= max(height, 3)
    if width >= 80:
        assert max(map(measure, lines)) <= width


def test_what_does_not_fit_is_counted() -> None:
    queues = {f"queue-{number:02}": queue(waiting=1) for number in range(40)}
    lines = frame(sample(queues=queues), None, 100, 30)
    shown = [line for line in lines if line.startswith("queue-")]
    assert f"and {40 - len(shown)} more" in lines
    assert len(lines) == 30
