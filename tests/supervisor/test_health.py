"""The judgement whether due work moves."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.supervisor.health import LATE, Signs, complaints, obstacles

WELL = Signs(
    started=True,
    draining=False,
    paused=False,
    workers=2,
    free=32,
    late=0.0,
    overdue=0,
    full=False,
    crowded=False,
)
NO_WORKER = "no worker is ready"
LEFT_LYING = (
    "a task has been due for 12 s and is not begun, though a worker is free; if the"
    " disk is full, that is why"
)
NOT_ENDED = "not ended by a worker, though past the timeout"
FULL = "pushes are refused, because the disk has no room for them"


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        ({}, []),
        ({"workers": 0, "free": 0}, [NO_WORKER]),
        ({"late": LATE}, []),
        ({"late": 12.3}, [LEFT_LYING]),
        # All are at work: the backlog moves, as fast as it can.
        ({"late": 12.3, "free": 0}, []),
        # Somebody wants it so.
        ({"late": 12.3, "paused": True}, []),
        ({"late": 12.3, "draining": True}, []),
        # It may say that it lives, and yet nothing that it does ends.
        ({"overdue": 1, "free": 0}, [f"1 attempt is {NOT_ENDED}"]),
        ({"overdue": 2, "paused": True}, [f"2 attempts are {NOT_ENDED}"]),
        # What is there already moves.
        ({"crowded": True}, []),
        ({"full": True}, [FULL]),
        ({"full": True, "paused": True}, [FULL]),
        ({"full": True, "late": 12.3}, [LEFT_LYING, FULL]),
        ({"workers": 0, "free": 0, "late": 12.3, "full": True}, [NO_WORKER, FULL]),
    ],
)
def test_due_work_that_does_not_move_is_complained_about(
    signs: dict[str, Any], found: list[str]
) -> None:
    assert complaints(WELL._replace(**signs)) == found


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        ({}, []),
        ({"started": False}, ["not every process of the service has started yet"]),
        ({"draining": True}, ["the service is stopping"]),
        ({"started": False, "draining": True}, ["the service is stopping"]),
        ({"full": True, "draining": True}, ["the service is stopping"]),
        ({"full": True, "crowded": True}, [FULL]),
        ({"crowded": True}, ["pushes are refused, because the queue is full"]),
        # These are ill, and yet take pushes.
        ({"overdue": 1}, []),
        ({"workers": 0, "free": 0}, []),
        ({"paused": True}, []),
    ],
)
def test_pushes_may_come_from_the_start_to_the_stop_while_there_is_room(
    signs: dict[str, Any], found: list[str]
) -> None:
    assert obstacles(WELL._replace(**signs)) == found
