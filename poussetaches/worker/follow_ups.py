"""Follow-up tasks: what an answer of their media type has in its body.

Used by the worker process only. They are read as ``POST /batch`` reads its pushes, and
travel with the outcome of their attempt, so that both are one record or neither is.
"""

from __future__ import annotations

from collections.abc import Mapping

from poussetaches.channel.messages import MOST_FOLLOW_UPS, submission
from poussetaches.errors import InvalidInput
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import Submission
from poussetaches.schema import parse_follow_ups
from poussetaches.worker.reply import Answer


class FollowUps:
    """Reads them. ``max_payload``: bytes that the payload of one of them may have."""

    def __init__(self, rules: Rules, *, max_payload: int) -> None:
        self._rules = rules
        self._max_payload = max_payload
        self._queues: Mapping[str, QueueSettings] = {}

    def learn(self, queues: Mapping[str, QueueSettings]) -> None:
        """Take these for the queues there are, from now on."""
        self._queues = queues

    def read(self, answer: Answer) -> list[Submission]:
        """The tasks in ``answer``, in order; perhaps none. Raises InvalidInput with a
        sentence about "the answer's tasks"."""
        try:
            if answer.truncated:
                raise InvalidInput(f"They are longer than {len(answer.body)} bytes.")
            asked = parse_follow_ups(
                answer.body,
                self._rules,
                self._max_payload,
                self._queues,
                most=MOST_FOLLOW_UPS,
            )
            return [submission(*one) for one in asked]
        except InvalidInput as error:
            raise InvalidInput(f"the answer's tasks: {error.message}") from None
