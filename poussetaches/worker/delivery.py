"""The delivery: one attempt at one task, from the lease to what it brought.

Runs in the worker. What is sent stands in ``request.py``; what a target may ask for
with its answer in ``steering.py``, ``retry_after.py`` and ``follow_ups.py``.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import lru_cache

from poussetaches.channel.messages import Ended, Lease, unseal
from poussetaches.errors import InvalidInput, PousseTachesError
from poussetaches.log import fields
from poussetaches.model import attempt as kinds
from poussetaches.model.expected import is_expected
from poussetaches.model.headers import MASK
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.target import parse_target
from poussetaches.model.task import NO_ANSWER, Spec
from poussetaches.worker.connections import TransportError
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.guard import TargetRefused
from poussetaches.worker.request import RequestMaker
from poussetaches.worker.retry_after import retry_after
from poussetaches.worker.signing import Signer
from poussetaches.worker.steering import NOTHING, Steering, steering
from poussetaches.worker.transport import Answer, Transport

log = logging.getLogger(__name__)

#: The words of an error that is not an answer are cut here, bytes.
LONGEST_REASON = 400
#: Of a header that makes no sense, characters in the log.
LONGEST_SHOWN = 100

_target = lru_cache(maxsize=4096)(parse_target)


class Delivery:
    """``signer``: None, nothing is signed; ``max_response``: bytes of an answer that
    are kept of a failure, and of a success whose task keeps its result."""

    def __init__(
        self,
        transport: Transport,
        requests: RequestMaker,
        follow_ups: FollowUps,
        signer: Signer | None,
        *,
        max_response: int,
    ) -> None:
        self._transport = transport
        self._requests = requests
        self._follow_ups = follow_ups
        self._signer = signer
        self._max_response = max_response

    def learn(self, queues: Mapping[str, QueueSettings]) -> None:
        """Take these for the queues there are, from the next attempt on."""
        self._requests.learn(queues)
        self._follow_ups.learn(queues)

    def attempt(self, lease: Lease) -> Ended:
        """Make the attempt. Whatever goes wrong with it is in what is returned."""
        began = time.monotonic()
        request_id = os.urandom(6).hex()
        try:
            ended = self._exchange(lease, request_id)
        except (InvalidInput, TargetRefused) as failure:
            # The URL and the settings will be the same at the next attempt.
            ended = _no_answer(lease, failure.message, kinds.REFUSED)
            ended.final = True
        except TransportError as failure:
            ended = _no_answer(lease, failure.message, failure.kind)
            # A name that is not found says nothing about who would answer to it.
            ended.unreached = failure.kind == kinds.CONNECT
            ended.unread = failure.kind == kinds.UNREAD
        except PousseTachesError as failure:
            ended = _no_answer(lease, failure.message, kinds.INTERNAL)
        except Exception as failure:
            # A fault of ours with one task must not cost the others their worker.
            log.exception("attempt failed by a bug", extra=fields(task=lease.id))
            reason = f"internal error: {failure!r}"
            ended = _no_answer(lease, reason, kinds.INTERNAL)
        ended.request = request_id
        ended.duration = time.monotonic() - began
        return ended

    def _exchange(self, lease: Lease, request_id: str) -> Ended:
        spec = unseal(lease.spec)
        request = self._requests.make(lease, spec, request_id)
        method, fixed, headers, body = request
        if self._signer is not None:
            headers = (*headers, *self._signer.headers(lease, body, time.time()))
        answer = self._transport.request(
            _target(spec.url), method, headers, body, timeout=lease.timeout, fixed=fixed
        )
        asked = steering(answer.headers)
        if asked is not NOTHING and (
            ended := self._steered(lease, spec, answer, asked)
        ):
            return ended
        if not is_expected(answer.status, spec.expected):
            ended = self._failed(lease, spec, answer, kinds.STATUS)
            ended.retry_after = retry_after(answer.headers, time.time())
            return ended
        ended = Ended(lease.lease, True, answer.status, b"")
        if spec.how is not None and spec.how.keep_result:
            ended.result = answer.body[: self._max_response]
        if asked.tasks and method != "HEAD":
            try:
                ended.follow_ups = self._follow_ups.read(answer)
            except InvalidInput as error:
                # The task is not done before its follow-ups are pushed.
                reason = _words(error.message)
                kind = kinds.FOLLOW_UPS
                return Ended(lease.lease, False, answer.status, reason, kind=kind)
        return ended

    def _steered(
        self, lease: Lease, spec: Spec, answer: Answer, asked: Steering
    ) -> Ended | None:
        """The end that the target asks for, whatever the status; None: none."""
        if asked.unclear:
            log.warning(
                "the target asked for an outcome that there is not",
                extra=fields(task=lease.id, outcome=asked.unclear[:LONGEST_SHOWN]),
            )
        if asked.dead:
            ended = self._failed(lease, spec, answer, kinds.DEAD)
            ended.error = ended.error or b"the target asked for no further attempt"
            ended.final = True
            return ended
        if asked.snooze is not None:
            ended = self._failed(lease, spec, answer, kinds.SNOOZE)
            ended.snooze = asked.snooze
            return ended
        return None

    def _failed(self, lease: Lease, spec: Spec, answer: Answer, kind: str) -> Ended:
        error = answer.body
        # Targets that show what they were asked, to help who looks for the fault, do so
        # to everybody who sees the dead letter.
        for secret in self._requests.secrets(lease.queue, spec):
            error = error.replace(secret, MASK.encode())
        error = error[: self._max_response]
        return Ended(lease.lease, False, answer.status, error, kind=kind)


def _no_answer(lease: Lease, sentence: str, kind: str) -> Ended:
    return Ended(lease.lease, False, NO_ANSWER, _words(sentence), kind=kind)


def _words(sentence: str) -> bytes:
    return sentence.encode("utf-8", "replace")[:LONGEST_REASON]
