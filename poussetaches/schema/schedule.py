"""What is shown of a schedule, and of its coming runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from poussetaches.model.rehearsal import Coming
from poussetaches.model.task import LastRun, Spec, Terms
from poussetaches.schema.mask import shown_url
from poussetaches.schema.special import NOTHING


class ScheduleView(NamedTuple):
    """A schedule as the supervisor shows it; times in seconds of the wall clock."""

    id: str
    spec: Spec
    rule: str
    terms: Terms
    paused: bool
    #: When its next run comes; None: none does.
    next: float | None
    #: The slot of that one.
    slot: float | None
    #: Whether a worker holds a run of it.
    in_flight: bool
    last: LastRun | None


def schedule_json(schedule: ScheduleView) -> dict[str, Any]:
    """A schedule for the public. Of what was not said, null."""
    special = schedule.terms.special or NOTHING
    return {
        "id": schedule.id,
        "name": special.name or None,
        "rule": schedule.rule,
        "timezone": special.timezone or None,
        "url": shown_url(schedule.spec.url),
        "queue": schedule.terms.queue,
        "missed": special.missed,
        "overlap": special.overlap,
        "paused": schedule.paused,
        "next": schedule.next,
        "last": None if schedule.last is None else schedule.last._asdict(),
        "in_flight": schedule.in_flight,
    }


def rehearsal_json(schedule: ScheduleView, runs: Iterable[Coming]) -> dict[str, Any]:
    """Its coming runs; of a paused one, those that would come."""
    return {
        "schedule": schedule_json(schedule),
        "runs": [
            {
                "at": coming.slot,
                "local": coming.local.isoformat(timespec="seconds"),
                "remark": coming.remark,
            }
            for coming in runs
        ],
    }
