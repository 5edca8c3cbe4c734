"""The delivery: one attempt at one task, from the lease to what it brought.

Runs in the worker. The request is the first ancestor's (``{"payload": base64 or null,
"tries": n, "req_id": hex}`` and ``Poussetaches-Auth-Key``) and tells a little more.
"""

from __future__ import annotations

import binascii
import logging
import os
import time
from functools import lru_cache

import poussetaches
from poussetaches.channel.messages import Ended, Lease, unseal
from poussetaches.errors import InvalidInput, PousseTachesError
from poussetaches.log import fields
from poussetaches.model.target import parse_target
from poussetaches.model.task import NO_ANSWER
from poussetaches.worker.guard import TargetRefused
from poussetaches.worker.retry_after import retry_after
from poussetaches.worker.transport import Transport

log = logging.getLogger(__name__)

#: The words of an error that is not an answer are cut here, bytes.
LONGEST_REASON = 400

_target = lru_cache(maxsize=4096)(parse_target)


class Delivery:
    """``auth_key``: sent with every request; ``timeout``: seconds for one attempt."""

    def __init__(self, transport: Transport, *, auth_key: str, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._headers = (
            ("User-Agent", f"poussetaches/{poussetaches.__version__}"),
            ("Content-Type", "application/json"),
            ("Poussetaches-Auth-Key", auth_key),
        )

    def attempt(self, lease: Lease) -> Ended:
        """Make the attempt. Whatever goes wrong with it is in what is returned."""
        began = time.monotonic()
        try:
            ended = self._exchange(lease)
        except (InvalidInput, TargetRefused) as failure:
            # The URL and the settings will be the same at the next attempt.
            ended = _no_answer(lease, failure.message)
            ended.final = True
        except PousseTachesError as failure:
            ended = _no_answer(lease, failure.message)
        except Exception as failure:
            # A fault of ours with one task must not cost the others their worker.
            log.exception("attempt failed by a bug", extra=fields(task=lease.id))
            ended = _no_answer(lease, f"internal error: {failure!r}")
        ended.duration = time.monotonic() - began
        return ended

    def _exchange(self, lease: Lease) -> Ended:
        spec = unseal(lease.spec)
        headers = (
            *self._headers,
            ("Poussetaches-Task-Id", lease.id),
            ("Poussetaches-Attempt", str(lease.attempt)),
        )
        body = envelope(spec.payload, lease.attempt, os.urandom(6).hex())
        answer = self._transport.request(
            _target(spec.url), "POST", headers, body, timeout=self._timeout
        )
        if answer.status == spec.expected:
            return Ended(lease.lease, True, answer.status, b"")
        pause = retry_after(answer.headers, time.time())
        return Ended(lease.lease, False, answer.status, answer.body, retry_after=pause)


def envelope(payload: bytes | None, attempt: int, request_id: str) -> bytes:
    """The body of a delivery, field by field in the first ancestor's order."""
    if payload is None:
        encoded = b"null"
    else:
        encoded = b'"%b"' % binascii.b2a_base64(payload, newline=False)
    return b'{"payload":%b,"tries":%d,"req_id":"%b"}' % (
        encoded,
        attempt,
        request_id.encode(),
    )


def _no_answer(lease: Lease, sentence: str) -> Ended:
    reason = sentence.encode("utf-8", "replace")[:LONGEST_REASON]
    return Ended(lease.lease, False, NO_ANSWER, reason)
