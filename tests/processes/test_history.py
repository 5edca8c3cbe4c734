"""What the charts of a real service show: also after a reload of the page, and not what
was before a start."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from poussetaches.model.ring import SERIES, SPANS
from tests.processes.test_clocks import HOUR, MOVED, Clocks
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.sites import with_site

pytestmark = pytest.mark.process

STEP, POINTS = SPANS["5m"]


def series(service: Service, span: str = "5m") -> dict[str, list[Any]]:
    answer = service.get(f"/stats/history?span={span}")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    assert (shown["span"], shown["step"]) == (span, SPANS[span].step)
    last = shown["from"] + (SPANS[span].points - 1) * shown["step"]
    assert -1 < time.time() - last < shown["step"] + 5
    assert tuple(shown["series"]) == SERIES
    assert {len(one) for one in shown["series"].values()} == {SPANS[span].points}
    found: dict[str, list[Any]] = shown["series"]
    return found


def total(values: list[float | None]) -> float:
    """Of something that is counted, how often it was."""
    return sum(value * STEP for value in values if value is not None)


def known(values: list[Any]) -> int:
    """How many points there are, which are the last ones."""
    there = [value is not None for value in values]
    assert there == sorted(there)
    return sum(there)


def test_what_a_service_did_is_shown_until_it_begins_anew(
    tmp_path: Path, receiver: Receiver
) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        for _ in range(5):
            service.post("/", {"url": receiver.url()})
        service.post("/", {"url": receiver.url("/?status=404"), "max_retries": 0})
        service.post("/", {"url": receiver.url("/?delay=60")})
        service.post("/", {"url": receiver.url(), "countdown": 3600})
        receiver.wait_for(7)

        def shown() -> dict[str, list[Any]] | None:
            found = series(service)
            live = found["waiting"][-1], found["in_flight"][-1]
            return found if live == (1, 1) and total(found["attempts"]) == 6 else None

        found = wait_until(shown)
        counted = {name: total(found[name]) for name in SERIES[:5]}
        assert counted == {
            "pushed": 8,
            "attempts": 6,
            "succeeded": 5,
            "failed": 1,
            "dead": 1,
        }
        assert found["oldest_due"][-1] == 0.0
        assert any(value is not None for value in found["p99"])
        assert 0 < known(found["pushed"]) < POINTS

        receiver.release()
        began = time.monotonic()
        service.restart()
        wait_until(lambda: known(series(service)["pushed"]) > 0)
        anew = series(service)
        assert known(anew["pushed"]) <= (time.monotonic() - began) / STEP + 1
        assert total(anew["pushed"]) == 0
        assert anew["waiting"][-1] == 1


def test_a_service_that_slept_has_a_gap_and_the_time_of_the_clock_on_the_wall(
    tmp_path: Path, receiver: Receiver
) -> None:
    clocks = Clocks(tmp_path)
    site = with_site(tmp_path, "supervisor", MOVED.format(path=str(clocks.path)))
    settings = {"workers": 1, "heartbeat_timeout": "2s"}
    with Service(tmp_path, settings=settings, environment=site) as service:

        def show() -> dict[str, Any]:
            shown: dict[str, Any] = service.get("/stats/history").json()
            return shown

        def pushed() -> list[float | None]:
            values: list[float | None] = show()["series"]["pushed"]
            return values

        service.post("/", {"url": receiver.url()})
        wait_until(lambda: total(pushed()) == 1)
        clocks.sleep(60.0)
        # The steps in which nobody was there, and none of those before.
        wait_until(lambda: pushed()[-1] is not None and total(pushed()) == 1)
        values = pushed()
        asleep = values[values.index(1 / STEP) + 1 :].count(None)
        assert 60 / STEP - 3 <= asleep <= 60 / STEP

        before = show()["from"]
        clocks.set_wall(HOUR)
        wait_until(lambda: show()["from"] > before + HOUR - 1)
        assert show()["from"] == pytest.approx(before + HOUR, abs=60.0)
        assert total(pushed()) == 1
