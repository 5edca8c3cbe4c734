"""The watchdog: it shows what holds the loop up, and is silent otherwise."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from poussetaches.supervisor.watchdog import Watchdog
from tests.support.service import wait_until

#: Seconds.
LIMIT = 0.1


@pytest.fixture
def watchdog(capfd: pytest.CaptureFixture[str]) -> Iterator[Watchdog]:
    """In its first turn. Standard error is what ``capfd`` has."""
    watchdog = Watchdog(LIMIT)
    with watchdog:
        watchdog.woke()
        yield watchdog


def be_slow(seconds: float) -> None:
    ends = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= ends)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    """What was said, and its fields but the seconds."""
    found = []
    for record in caplog.records:
        fields = dict(vars(record)["fields"])
        assert LIMIT < fields.pop("seconds") < 100 * LIMIT
        found.append((record.getMessage(), fields))
    return found


def test_a_turn_that_takes_too_long_shows_its_stacks_and_what_it_was_at(
    watchdog: Watchdog,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    watchdog.rest(0.0)
    watchdog.woke()
    watchdog.at("leases")
    watchdog.at("commit")
    be_slow(3 * LIMIT)
    assert "in be_slow" in capfd.readouterr().err
    watchdog.at("answers")
    watchdog.rest(0.0)
    [(said, fields)] = told(caplog)
    assert said == "the loop was held up: its stacks are above"
    assert fields == {"longest": "commit", "took": pytest.approx(3 * LIMIT, abs=1)}
    # Once: the next turn is another one.
    watchdog.woke()
    watchdog.rest(0.0)
    assert len(told(caplog)) == 1


def test_the_alarm_comes_again_for_the_next_turn_that_takes_too_long(
    watchdog: Watchdog, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        be_slow(2 * LIMIT)
        assert "in be_slow" in capfd.readouterr().err
        watchdog.rest(0.0)
        watchdog.woke()


def test_turns_that_are_quick_enough_and_long_sleeps_show_nothing(
    watchdog: Watchdog,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for sleep in (5 * LIMIT, 0.0, LIMIT / 2, 3 * LIMIT):
        be_slow(LIMIT / 4)
        watchdog.rest(time.monotonic() + sleep)
        be_slow(sleep)
        watchdog.woke()
    assert "in be_slow" not in capfd.readouterr().err
    assert told(caplog) == []


def test_a_process_that_nobody_let_run_is_told_apart(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a frozen container: the loop was doing nothing wrong."""
    watchdog.rest(time.monotonic() + LIMIT)
    be_slow(4 * LIMIT)
    watchdog.woke()
    watchdog.rest(0.0)
    assert told(caplog) == [
        ("the loop was not woken in time: its stacks are above", {})
    ]


def test_without_an_end_of_its_sleep_there_is_no_alarm(watchdog: Watchdog) -> None:
    watchdog.rest(float("inf"))
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    watchdog.woke()
    watchdog.rest(0.0)
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0.0


def test_the_alarm_is_put_off_now_and_then_and_not_at_every_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = []
    set_it = signal.setitimer

    def count(which: int, seconds: float) -> None:
        moments.append(time.monotonic())
        set_it(which, seconds)

    watchdog = Watchdog(10.0)
    with watchdog:
        monkeypatch.setattr(signal, "setitimer", count)
        for turn in range(1000):
            watchdog.woke()
            watchdog.rest(time.monotonic() + (turn % 5) / 10)
        monkeypatch.undo()
    assert len(moments) <= 5


def test_after_the_service_there_is_no_alarm(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Watchdog(LIMIT):
        pass
    be_slow(2 * LIMIT)
    assert capfd.readouterr().err == ""
