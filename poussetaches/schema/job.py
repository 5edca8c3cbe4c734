"""The job of the second ancestor (jordic/taskpusher): a push in its words, and a task.

It is delivered as there: a GET, once, which only a 200 answers well; and the answer is
kept. Fields that are not known are ignored, as its own ``type`` and ``extra``.
"""

from __future__ import annotations

from typing import Any

from poussetaches.errors import InvalidInput
from poussetaches.model.task import DEFAULT_QUEUE, How, Spec, Terms
from poussetaches.schema.attempt import SUCCEEDED
from poussetaches.schema.form import read_fields
from poussetaches.schema.json import readable
from poussetaches.schema.mask import shown_url
from poussetaches.schema.push import NO_QUEUES, PushRequest, Queues, full_url, new_id
from poussetaches.schema.special import origin_of
from poussetaches.schema.task import TaskView

HOW = How(method="GET", keep_result=True)
#: The only type that it has.
TYPE = "WebTask"
#: Its numbers for what has become of a job.
STATUSES = {
    "waiting": 0,
    "leased": 1,
    "succeeded": 2,
    "dead": 3,
    "expired": 3,
    "cancelled": 3,
}


def parse_job(body: bytes, media_type: str, queues: Queues = NO_QUEUES) -> PushRequest:
    """What a request to ``/add`` asks for; its ``media_type`` is in lower case. Raises
    InvalidInput naming the field and the reason."""
    given = read_fields(body, media_type)
    field = "url" if given.get("url") or not given.get("cmd") else "cmd"
    url = given.get(field)
    if not url:
        raise InvalidInput("url: is missing", field="url")
    if not isinstance(url, str):
        raise InvalidInput(f"{field}: must be text", field=field)
    url = full_url(url, field, DEFAULT_QUEUE, queues)
    terms = Terms.of((0, "", origin_of(url, field), DEFAULT_QUEUE))
    return PushRequest(new_id(), Spec(url, how=HOW), 0.0, "", terms)


def job_json(
    task: TaskView, result: bytes | None, most: int | None = None
) -> dict[str, Any]:
    """A task in the words of that project, then in ours: none of these is one of its
    own in lower case, as its language reads JSON whatever the case.

    ``result``: what its success brought; ``most``: bytes of that, or of the last
    failure, that are shown.
    """
    response = result if task.state == SUCCEEDED else task.error
    return {
        "ID": task.id,
        "Type": TYPE,
        "Status": STATUSES[task.state],
        "Response": readable((response or b"")[:most]),
        "url": shown_url(task.spec.url),
        "queue": task.terms.queue,
        "state": task.state,
        "tries": task.attempts,
    }
