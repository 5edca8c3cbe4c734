"""Whose word counts: what a task asks for, then its queue, then the service."""

from __future__ import annotations

from typing import Any

import pytest

from poussetaches.model import decisions, endings
from poussetaches.model.backoff import FOR_EVER
from poussetaches.model.events import Died, Failed, QueueSet
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Special, Submission, Terms
from tests.support.queues import FAILURE, NOW, POLICY, apply, leased

#: The rule of App Engine's own example, as the wire has it.
RULE = [10, 300, 3]


def waits_of(
    settings: dict[str, Any],
    *,
    max_retries: int | None = None,
    special: Special | None = None,
    most: int = 12,
) -> list[float]:
    """How long a task waits between its attempts until it is dead, or was tried
    ``most`` times."""
    queue = TaskQueue()
    apply(queue, [QueueSet("q", NOW, settings, {})])
    terms = Terms.of((max_retries, "", "http://a:80", "q", special))
    asked = Submission("a", b"", terms=terms)
    apply(queue, decisions.push(queue, asked, NOW, POLICY))
    now = NOW
    waits: list[float] = []
    for _ in range(most):
        task = leased(queue, now)
        events = endings.conclude(queue, task, FAILURE, now, 0.5, POLICY)
        apply(queue, events)
        (event,) = events
        if isinstance(event, Died):
            return waits
        assert isinstance(event, Failed)
        waits.append(event.eta - now)
        now = event.eta
    return waits


#: Of the service: two retries, see POLICY.
OWN = [10.0, 100.0]


@pytest.mark.parametrize(
    ("settings", "max_retries", "special", "waits"),
    [
        ({}, None, None, OWN),
        ({"retry_limit": 0}, None, None, []),
        ({"retry_limit": 4}, None, None, [10, 100, 100, 100]),
        ({"retry_limit": 4}, 1, None, [10]),
        ({"retry_limit": 0}, 3, None, [10, 100, 100]),
        ({"backoff": RULE}, None, None, [10, 20]),
        ({"backoff": RULE}, 8, None, [10, 20, 40, 80, 160, 240, 300, 300]),
        (
            {"backoff": RULE, "retry_limit": 9},
            None,
            None,
            [10, 20, 40, 80, 160, 240, 300, 300, 300],
        ),
        # An explicit list says how often, too; a limit of its own says it better.
        ({"backoff": RULE}, None, Special(waits=(1.0, 2.0, 5.0)), [1, 2, 5]),
        ({"backoff": RULE}, 4, Special(waits=(1.0, 2.0)), [1, 2, 2, 2]),
        ({"backoff": RULE}, 1, Special(waits=(1.0, 2.0)), [1]),
    ],
)
def test_a_task_waits_as_it_asked_or_its_queue_or_the_service_says(
    settings: dict[str, Any],
    max_retries: int | None,
    special: Special | None,
    waits: list[float],
) -> None:
    found = waits_of(settings, max_retries=max_retries, special=special)
    assert found == pytest.approx(waits, abs=1e-6)


def test_the_rule_of_a_task_wins_over_that_of_its_queue() -> None:
    # As the wire brings it.
    terms = Terms.of((5, "", "", "q", (None, None, None, (), (2, 6, None))))
    assert terms.special is not None
    found = waits_of({"backoff": RULE}, max_retries=5, special=terms.special)
    assert found == pytest.approx([2, 4, 6, 6, 6], abs=1e-6)


def test_for_ever_is_for_ever_under_a_rule() -> None:
    settings = {"backoff": RULE, "retry_limit": FOR_EVER}
    assert len(waits_of(settings, most=200)) == 200


def test_who_asks_for_a_list_is_tried_as_often_as_it_is_long() -> None:
    """Whatever its queue says: who lists two waits has seen two retries before them."""
    settings = {"backoff": RULE, "retry_limit": 9}
    found = waits_of(settings, special=Special(waits=(1.0, 2.0)))
    assert found == pytest.approx([1, 2], abs=1e-6)
