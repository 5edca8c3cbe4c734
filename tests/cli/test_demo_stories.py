"""The demo notices when anything went otherwise than told."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from poussetaches.cli.demo_stories import (
    LISTS,
    STORIES,
    Delivery,
    History,
    Pushed,
    Story,
    answer_to,
    faults,
)

BY_NAME = {story.name: story for story in STORIES}


def listed(story: Story) -> dict[str, Any]:
    """A task as the service lists it in the end."""
    dead = "dead" in story.ends_in
    error = b64encode(story.refusal.encode()).decode() if dead else None
    return {
        "id": f"id of {story.name}",
        "tries": len(story.steps),
        "last_error_status_code": 500 if dead else 0,
        "last_error_body": error,
    }


def as_told() -> History:
    """Everything happened as it was to happen, each story after the other."""
    history = History(
        lists={which: [] for which in LISTS}, stats={"accounting_difference": 0}
    )
    for story in STORIES:
        at = 1000.0
        history.pushed[story.name] = Pushed(f"id of {story.name}", at)
        for number, step in enumerate(story.steps, start=1):
            at += step.wait + 0.01
            history.deliveries.append(
                Delivery(
                    at,
                    f"id of {story.name}",
                    story.name,
                    1 if story.recurs else number,
                    story.payload,
                    step.answer,
                )
            )
        for which in story.ends_in:
            history.lists[which].append(listed(story))
    return history


def change(history: History, name: str, number: int, **values: Any) -> None:
    """Change the delivery of that number (from 0) of a story."""
    delivery = history.of(BY_NAME[name])[number]
    index = history.deliveries.index(delivery)
    history.deliveries[index] = delivery._replace(**values)


def test_what_went_as_told_has_no_faults() -> None:
    history = as_told()
    assert history.is_complete()
    assert list(faults(history)) == []


def test_more_runs_of_what_recurs_are_as_told() -> None:
    history = as_told()
    history.deliveries.append(history.of(BY_NAME["recurs"])[-1])
    assert list(faults(history)) == []


@pytest.mark.parametrize("name", BY_NAME)
def test_a_missing_delivery_is_a_fault(name: str) -> None:
    history = as_told()
    history.deliveries.remove(history.of(BY_NAME[name])[-1])
    assert not history.is_complete()
    [fault] = faults(history)
    assert fault.startswith(f"{name}: the application saw ")


def test_what_was_never_delivered_is_said_in_words() -> None:
    history = as_told()
    history.deliveries.remove(history.of(BY_NAME["succeeds"])[0])
    assert list(faults(history)) == [
        "succeeds: the application saw nothing, not attempt 1 (200)"
    ]


@pytest.mark.parametrize("name", ["succeeds", "fails-twice", "delayed", "dies"])
def test_a_delivery_too_many_is_a_fault(name: str) -> None:
    history = as_told()
    history.deliveries.append(history.of(BY_NAME[name])[-1])
    [fault] = faults(history)
    assert fault.startswith(f"{name}: the application saw ")


@pytest.mark.parametrize(
    ("name", "number", "values", "words"),
    [
        ("fails-twice", 1, {"attempt": 3}, "saw attempt 1 (500), attempt 3 (500)"),
        ("succeeds", 0, {"answered": 403}, "saw attempt 1 (403), not attempt 1 (200)"),
        ("recurs", 1, {"attempt": 2}, "saw attempt 1 (200), attempt 2 (200), not"),
        ("delayed", 0, {"at": 1002.9}, "after 2.900 s, not before 3.0 s were over"),
        ("fails-twice", 2, {"at": 1000.82}, "after 0.100 s, not before 2.8 s"),
        ("dies", 1, {"at": 1000.01}, "after 0.000 s, not before 0.7 s"),
        ("succeeds", 0, {"payload": "hello?"}, "with the payload 'hello?'"),
    ],
)
def test_a_wrong_delivery_is_a_fault(
    name: str, number: int, values: dict[str, Any], words: str
) -> None:
    history = as_told()
    change(history, name, number, **values)
    [fault] = faults(history)
    assert fault.startswith(f"{name}: ")
    assert words in fault


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
@pytest.mark.parametrize("which", LISTS)
def test_a_task_in_a_wrong_list_is_a_fault(story: Story, which: str) -> None:
    history = as_told()
    if which in story.ends_in:
        history.lists[which].remove(listed(story))
    else:
        history.lists[which].append(listed(story))
    [fault] = faults(history)
    assert fault.startswith(f"{story.name}: it is in ")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tries": 3}, "the service counts 3 attempts, not 2"),
        ({"last_error_status_code": -1}, "died of -1 'dies: not this time'"),
        ({"last_error_body": None}, "died of 500 ''"),
    ],
)
def test_a_dead_letter_that_says_something_else_is_a_fault(
    values: dict[str, Any], words: str
) -> None:
    history = as_told()
    history.lists["dead"] = [{**listed(BY_NAME["dies"]), **values}]
    [fault] = faults(history)
    assert words in fault


def test_a_lost_count_is_a_fault() -> None:
    history = as_told()
    history.stats["accounting_difference"] = -1
    assert list(faults(history)) == ["the service has lost count of -1 tasks"]


def test_tasks_of_others_are_nobodys_fault() -> None:
    history = as_told()
    history.deliveries.append(Delivery(1001.0, "other", "yours", 1, None, 200))
    history.lists["success"].append({"id": "other"})
    assert list(faults(history)) == []


def test_the_application_answers_each_attempt_as_told() -> None:
    answers = [answer_to("fails-twice", attempt)[0] for attempt in (1, 2, 3, 4)]
    assert answers == [500, 500, 200, 200]
    assert answer_to("dies", 2) == (500, "dies: not this time")
    assert answer_to("yours", 1) == (200, "done")
