"""The demo's stories: what is pushed, how it is to go, and whether it went like that.

Pure: told after the fact from what the application saw and what the service reports.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: The lists of the service in which a task may be.
LISTS = ("waiting", "success", "dead", "cron")

#: What the service calls a task, in any of its lists.
Listed = Mapping[str, Any]


class Step(NamedTuple):
    """A delivery that is to come."""

    #: The status that the application answers with.
    answer: int
    #: The least time since the push or the delivery before, seconds.
    wait: float = 0.0


class Story(NamedTuple):
    """A task of the demo."""

    name: str
    #: For people: what it is to do.
    promise: str
    #: In how many deliveries at least, and which.
    steps: Sequence[Step]
    #: The lists it is in at the end.
    ends_in: frozenset[str]
    #: What is pushed beside target and payload.
    terms: Mapping[str, Any] = {}

    @property
    def recurs(self) -> bool:
        """Whether each delivery is of another run."""
        return "schedule" in self.terms

    @property
    def payload(self) -> str:
        return f"hello, {self.name}"

    @property
    def refusal(self) -> str:
        """What the application says with every answer but 200."""
        return f"{self.name}: not this time"


#: The least that jitter leaves of the waits of 1 and 4 seconds.
SHORT, LONG = 0.7, 2.8

STORIES = (
    Story("succeeds", "to be done at once", [Step(200)], frozenset({"success"})),
    Story(
        "fails-twice",
        "to fail twice, then succeed",
        [Step(500), Step(500, SHORT), Step(200, LONG)],
        frozenset({"success"}),
    ),
    Story(
        "delayed",
        "to be delivered no sooner than in 3 s",
        [Step(200, 3.0)],
        frozenset({"success"}),
        {"countdown": 3},
    ),
    Story(
        "recurs",
        "to come again and again",
        [Step(200, 1.0), Step(200)],
        frozenset({"waiting", "cron", "success"}),
        {"schedule": "@every 2s"},
    ),
    Story(
        "dies",
        "to fail for good",
        [Step(500), Step(500, SHORT)],
        frozenset({"dead"}),
        {"max_retries": 1},
    ),
)


class Delivery(NamedTuple):
    """What the application saw of one attempt."""

    #: When it arrived; monotonic seconds.
    at: float
    task_id: str
    #: The last part of the path.
    name: str
    attempt: int
    payload: Any
    #: The status it was answered with.
    answered: int


class Pushed(NamedTuple):
    """The service has accepted a story's task."""

    task_id: str
    #: Just before it was pushed; monotonic seconds.
    at: float


@dataclass
class History:
    """What happened."""

    #: By the name of the story.
    pushed: dict[str, Pushed] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    #: What each of LISTS held in the end.
    lists: dict[str, list[Listed]] = field(default_factory=dict)
    #: What the service said of itself in the end.
    stats: dict[str, Any] = field(default_factory=dict)

    def of(self, story: Story) -> list[Delivery]:
        """The deliveries of a story."""
        id = self.pushed[story.name].task_id
        return [delivery for delivery in self.deliveries if delivery.task_id == id]

    def is_complete(self) -> bool:
        """Whether every delivery that is to come has come."""
        return all(len(self.of(story)) >= len(story.steps) for story in STORIES)


def answer_to(name: str, attempt: int) -> tuple[int, str]:
    """Status and text that the application answers with; 200 to any other name."""
    for story in STORIES:
        if story.name == name:
            status = story.steps[min(attempt, len(story.steps)) - 1].answer
            return status, "done" if status == 200 else story.refusal
    return 200, "done"


def faults(history: History) -> Iterator[str]:
    """A sentence for everything that went otherwise than told."""
    for story in STORIES:
        for fault in (*_delivery_faults(story, history), *_list_faults(story, history)):
            yield f"{story.name}: {fault}"
    if difference := history.stats["accounting_difference"]:
        yield f"the service has lost count of {difference} tasks"


def _delivery_faults(story: Story, history: History) -> Iterator[str]:
    seen = history.of(story)
    if story.recurs:
        # How often it came beyond that is only a matter of how long one looks.
        seen = seen[: len(story.steps)]
    told = [
        (1 if story.recurs else attempt, step.answer)
        for attempt, step in enumerate(story.steps, start=1)
    ]
    got = [(delivery.attempt, delivery.answered) for delivery in seen]
    if got != told:
        yield f"the application saw {_attempts(got)}, not {_attempts(told)}"
        return
    since = history.pushed[story.name].at
    for step, delivery in zip(story.steps, seen, strict=True):
        if delivery.at - since < step.wait:
            yield (
                f"attempt {delivery.attempt} came after {delivery.at - since:.3f} s,"
                f" not before {step.wait} s were over"
            )
        if delivery.payload != story.payload:
            yield f"it was delivered with the payload {delivery.payload!r}"
        since = delivery.at


def _list_faults(story: Story, history: History) -> Iterator[str]:
    id = history.pushed[story.name].task_id
    found = {
        which: task
        for which, tasks in history.lists.items()
        for task in tasks
        if task["id"] == id
    }
    if found.keys() != story.ends_in:
        lists = " and ".join(sorted(found)) or "no list"
        yield f"it is in {lists}, not in {' and '.join(sorted(story.ends_in))}"
        return
    if story.recurs:
        return
    [(which, task)] = found.items()
    if task["tries"] != len(story.steps):
        yield f"the service counts {task['tries']} attempts, not {len(story.steps)}"
    if which == "dead":
        status, error = task["last_error_status_code"], task["last_error_body"]
        text = b64decode(error or "").decode("utf-8", "replace")
        if (status, text) != (story.steps[-1].answer, story.refusal):
            yield f"the service remembers that it died of {status} {text!r}"


def _attempts(attempts: list[tuple[int, int]]) -> str:
    return (
        ", ".join(f"attempt {number} ({status})" for number, status in attempts)
        or "nothing"
    )
