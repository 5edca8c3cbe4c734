"""The second ancestor's lists, page by page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from poussetaches.channel.messages import seal
from poussetaches.errors import NotFound
from poussetaches.model.events import Died, Leased, Recurred, Scheduled
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Spec
from poussetaches.supervisor.job_verbs import JobVerbs
from tests.support.dead_letters import die
from tests.support.queues import NOW, apply


def errors(queue: TaskQueue, last_id: str | None) -> list[str]:
    keeper: Any = SimpleNamespace(queue=queue)
    jobs = JobVerbs(keeper, lambda task: (task.id,)).table()["jobs"]
    found = jobs(lists=["dead", "expired"], limit=2, last_id=last_id)
    return [id for (id,), _ in found]


def test_a_page_goes_on_after_a_run_whose_schedule_has_gone_on() -> None:
    queue = TaskQueue()
    spec = seal(Spec("http://h/"))
    run = "5" * 40
    apply(
        queue,
        [
            Scheduled(run, NOW, "@hourly", spec),
            Recurred(run, NOW, NOW, NOW),
            Leased(run, NOW, 1),
            Died(run, NOW, 1, 500, b"no"),
            Recurred(run, NOW, NOW + 3600, NOW + 3600),
        ],
    )
    for number in range(3):
        die(queue, f"t{number}", at=NOW + 1 + number)
    assert errors(queue, None) == [run, "t0"]
    assert errors(queue, run) == ["t0", "t1"]
    assert errors(queue, "t1") == ["t2"]
    assert errors(queue, "t2") == []
    with pytest.raises(NotFound, match="last_uid: there is no job nobody"):
        errors(queue, "nobody")
