"""What is wrong, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.api.web.troubles import MOST, troubles
from poussetaches.schema import OriginView
from tests.api.web.scripted import child, origin, queue, stats

#: 2026-12-01 14:02 UTC, and four minutes later.
THEN = 1_796_133_720.0
NOW = THEN + 240


def told(*origins: OriginView, **changes: Any) -> list[str]:
    return [one.text for one in troubles(stats(**changes), origins, NOW)]


def test_of_a_service_that_is_well_there_is_nothing_to_say() -> None:
    assert told(origin(state="open", since=None, reason=None)) == []
    quick = queue(waiting=100_000, oldest_due=3.0)
    assert told(queues={"mail": quick}) == []
    # A process that was replaced long ago is of no interest any more.
    assert told(restarts_by_role={"api": 0, "worker": 3}) == []


def test_a_late_queue_is_named_with_how_late_it_is() -> None:
    queues = {"mail": queue(oldest_due=240.0), "web": queue(oldest_due=31.0)}
    assert told(queues=queues) == [
        "Queue mail: the oldest task that is due waits for 4 min.",
        "Queue web: the oldest task that is due waits for 31 s.",
    ]
    first, _ = troubles(stats(queues=queues), (), NOW)
    assert (first.is_bad, first.path, first.query) == (
        True,
        "/ui/tasks",
        {"queue": "mail"},
    )


def test_of_many_late_queues_the_latest_are_named() -> None:
    queues = {f"q{n}": queue(oldest_due=100.0 + n) for n in range(MOST + 2)}
    *named, more = told(queues=queues)
    assert [one.split()[1] for one in named] == ["q6:", "q5:", "q4:", "q3:", "q2:"]
    assert more == "2 more queues are late."
    del queues["q0"]
    assert told(queues=queues)[-1] == "1 more queue is late."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"reason": "connection refused by 10.0.0.1:80"},
            "http://a.example:80 refuses connections since 14:02 UTC: 12 tasks wait,"
            " it is tried again in 3.0 s.",
        ),
        (
            {"reason": "answered 503", "waiting": 1, "next_probe": None},
            "http://a.example:80 answers 503 since 14:02 UTC: 1 task waits.",
        ),
        (
            {"reason": "no connection to 10.0.0.1:80 within 10 s", "since": 1e9},
            "http://a.example:80 is away since 2001-09-09 01:46 UTC (no connection to"
            " 10.0.0.1:80 within 10 s): 12 tasks wait, it is tried again in 3.0 s.",
        ),
        (
            {"reason": None, "state": "given up"},
            "http://a.example:80 is away since 14:02 UTC, and is waited for no more:"
            " its tasks spend their attempts.",
        ),
        (
            {"state": "slowed", "since": None, "reason": None},
            "http://a.example:80 has asked for fewer requests: 12 tasks wait.",
        ),
    ],
)
def test_an_origin_in_trouble_is_named_with_why(
    changes: dict[str, Any], sentence: str
) -> None:
    one = origin(since=THEN, next_probe=NOW + 3)._replace(**changes)
    assert told(one, held_origins=one.state == "held") == [sentence]


def test_of_many_origins_those_are_named_for_which_most_tasks_wait() -> None:
    origins = [origin(f"http://{n}.example:80", waiting=n) for n in range(MOST + 1)]
    found = told(*origins, held_origins=1003)
    assert found[0].startswith("http://5.example:80 answers 503")
    assert found[-1] == "998 more origins are away."


def test_complaints_come_first_and_once() -> None:
    full = "pushes are refused, because the disk has no room for them"
    assert told(complaints=[full], obstacles=[full], paused=True) == [
        "Pushes are refused, because the disk has no room for them.",
        "Paused: 12 tasks wait.",
    ]


def test_a_pause_explains_why_queues_are_late() -> None:
    queues = {"mail": queue(oldest_due=240.0)}
    assert told(queues=queues, paused=True) == ["Paused: 12 tasks wait."]
    paused = {"mail": queue(paused=True, waiting=1, oldest_due=240.0)}
    assert told(queues=paused) == ["Queue mail is paused: 1 task waits."]
    assert told(queues={"mail": queue(paused=True)}) == []


def test_numbers_that_do_not_add_up_are_a_bug() -> None:
    (lost,) = told(accounting_difference=1)
    assert lost.startswith(
        "The numbers do not add up: 1 task is missing. This is a bug"
    )
    (more,) = told(accounting_difference=-2)
    assert "2 tasks are there that were never accepted" in more


def test_a_process_that_was_replaced_lately_is_told_of() -> None:
    children = [child("worker-1"), child("worker-2", uptime=240.0)]
    once = {"restarts_by_role": {"worker": 1}, "children": children}
    assert told(**once) == [
        "A process of role worker was replaced 4 min ago, once since the start. The log"
        " says how each ended."
    ]
    (often,) = told(**once | {"restarts_by_role": {"worker": 1200}})
    assert "1,200 times" in often


def test_processes_that_start_for_long_or_have_no_room_left() -> None:
    starting = child("worker-2", ready=False, uptime=11.0)
    assert told(children=[child("worker-1"), starting]) == [
        "worker-2 has been starting for 11 s."
    ]
    assert told(children=[child("worker-1")], in_flight=128) == [
        "All workers are busy: all of their 128 attempts at once are used."
    ]


def test_dumps_that_fail_are_told_of_when_there_is_no_newer_one() -> None:
    store = stats()["store"] | {"dumps": {"written": 1, "failed": 2}}
    old = store | {"dumped_at": NOW - 7200}
    assert told(store=old) == [
        "No dump was written for 2 h, it failed 2 times: the journal grows. The log"
        " says why."
    ]
    assert told(store=store | {"dumped_at": NOW - 60}) == []
    (never,) = told(store=store | {"dumped_at": None})
    assert never.startswith("No dump was written, it failed 2 times")


def test_what_stands_in_the_way_of_work_comes_before_notes() -> None:
    found = troubles(
        stats(queues={"a": queue(paused=True, waiting=1), "b": queue(oldest_due=99.0)}),
        (),
        NOW,
    )
    assert [one.is_bad for one in found] == [True, False]
