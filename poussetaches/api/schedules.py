"""Schedules as things: looked at, rehearsed, run at once, paused, dropped.

A path names a schedule by its id or by its name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import gevent
from bottle import HTTPResponse, request

from poussetaches.api.ancestor import JSON, Route
from poussetaches.api.gateway import Gateway
from poussetaches.api.page import LONGEST_PAGE
from poussetaches.api.query import query_number
from poussetaches.model.rehearsal import Coming, rehearse
from poussetaches.schema import (
    ScheduleView,
    encode,
    new_id,
    rehearsal_json,
    schedule_json,
)

#: Runs that are rehearsed, unless asked for more or fewer; and at most.
REHEARSED, MOST_REHEARSED = 20, 1000

#: After how many of them the other requests have a turn.
TURN = 100


def routes(gateway: Gateway) -> Iterator[Route]:
    """Method, path and view of everything this surface has."""

    def listed() -> HTTPResponse:
        limit = query_number("limit", usual=LONGEST_PAGE, most=LONGEST_PAGE)
        cursor = request.query.getunicode("cursor")
        schedules, total, following = gateway.schedules(limit=limit, cursor=cursor)
        page = {
            "schedules": [schedule_json(one) for one in schedules],
            "total": total,
            "cursor": following,
        }
        return HTTPResponse(encode(page), 200, JSON)

    def one(name: str) -> HTTPResponse:
        return _shown(gateway.schedule(name))

    def rehearsed(name: str) -> HTTPResponse:
        count = query_number("count", usual=REHEARSED, most=MOST_REHEARSED)
        schedule = gateway.schedule(name)
        runs: list[Coming] = []
        for coming in islice(coming_runs(gateway, schedule, time.time()), count):
            runs.append(coming)
            if len(runs) % TURN == 0:
                gevent.sleep(0)
        return HTTPResponse(encode(rehearsal_json(schedule, runs)), 200, JSON)

    def run(name: str) -> HTTPResponse:
        id = new_id()
        gateway.run_schedule(name, id)
        headers = {**JSON, "Poussetaches-Task-Id": id}
        return HTTPResponse(encode({"id": id}), 201, headers)

    def pause(name: str) -> HTTPResponse:
        return _shown(gateway.pause_schedule(name))

    def resume(name: str) -> HTTPResponse:
        return _shown(gateway.resume_schedule(name))

    def drop(name: str) -> HTTPResponse:
        return _shown(gateway.drop_schedule(name))

    yield "GET", "/schedules", listed
    # Before the path of one alone, because a name may have slashes in it.
    yield "GET", "/schedule/<name:path>/next", rehearsed
    yield "POST", "/schedule/<name:path>/run", run
    yield "POST", "/schedule/<name:path>/pause", pause
    yield "POST", "/schedule/<name:path>/resume", resume
    yield "GET", "/schedule/<name:path>", one
    yield "DELETE", "/schedule/<name:path>", drop


def _shown(schedule: ScheduleView) -> HTTPResponse:
    return HTTPResponse(encode(schedule_json(schedule)), 200, JSON)


def coming_runs(
    gateway: Gateway, schedule: ScheduleView, now: float
) -> Iterator[Coming]:
    """All of them that come; of a paused one, those that would."""
    special = schedule.terms.special
    zone = "" if special is None else special.timezone
    rule, where = gateway.rules.read(schedule.rule, zone), gateway.rules.zone_of(zone)
    first = rule.next(now) if schedule.slot is None else schedule.slot
    makes_up = special is not None and special.missed == "all"
    return rehearse(rule, where, first, now, all_missed=makes_up)
