"""The request of an attempt: its method, its headers and its body. No I/O.

Used by the worker process only. A task that asks for nothing special gets the first
ancestor's request: a POST of ``{"payload": base64 or null, "tries": n, "req_id": hex}``
with the header ``Poussetaches-Auth-Key``.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import poussetaches
from poussetaches.channel.messages import Lease
from poussetaches.model.headers import is_secret
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.request_head import (
    BODILESS,
    OURS,
    Headers,
    encode_headers,
)
from poussetaches.model.target import parse_target
from poussetaches.model.task import How, Spec
from poussetaches.schema import report_json

USER_AGENT = ("User-Agent", f"poussetaches/{poussetaches.__version__}")
JSON = ("Content-Type", "application/json")
OCTETS = ("Content-Type", "application/octet-stream")
#: What is shorter is found in any text; characters.
SHORTEST_SECRET = 6
#: How a task is delivered that says nothing about it.
USUAL = How()


class Request(NamedTuple):
    """What is sent to a target."""

    method: str
    #: Headers that are lines already (see ``encode_headers``).
    fixed: bytes
    #: The others.
    headers: Headers
    body: bytes


class RequestMaker:
    """Makes the requests of one worker. ``auth_key``: sent with every one of them."""

    def __init__(self, auth_key: str) -> None:
        self._auth_key = ("Poussetaches-Auth-Key", auth_key)
        self._queues: Mapping[str, QueueSettings] = {}
        #: Of the tasks of a queue that ask for nothing special.
        self._fixed: dict[str, bytes] = {}

    def learn(self, queues: Mapping[str, QueueSettings]) -> None:
        """Take the headers of these queues, and of no others, from now on."""
        self._queues = queues
        self._fixed.clear()

    def make(self, lease: Lease, spec: Spec, request_id: str) -> Request:
        """The request of the attempt that ``lease`` is about; ``spec``: what it has,
        unsealed; ``request_id``: new for each attempt.

        Raises InvalidInput for headers of a queue that cannot be sent.
        """
        how = spec.how
        if how is None and not lease.slot and lease.id.isascii() and lease.id.isalnum():
            # Nearly all are like this: three headers that need no further look.
            lines = b"%bPoussetaches-Task-Id: %b\r\nPoussetaches-Attempt: %d\r\n" % (
                self._fixed.get(lease.queue) or self._fix(lease.queue),
                lease.id.encode(),
                lease.attempt,
            )
            body = envelope(spec.payload, lease.attempt, request_id)
            return Request("POST", lines, (), body)
        return self._special(lease, how or USUAL, spec.payload, request_id)

    def secrets(self, queue: str, spec: Spec) -> Iterator[bytes]:
        """What a delivery of ``spec`` carries that is for its target alone, in all the
        forms in which a target may say it again; longest first."""
        settings = self._queues.get(queue)
        of_queue = () if settings is None else settings.headers
        given = () if spec.how is None else spec.how.headers
        values = {
            value
            for name, value in (self._auth_key, *of_queue, *given)
            if is_secret(name)
        }
        basic = parse_target(spec.url).authorization
        if basic is not None:
            values.add(basic)
            values.add(b64decode(basic.split(" ")[1]).decode("latin-1"))
        # "Bearer KEY" may come back as the key alone, "user:password" as that.
        values |= {re.split("[ :]", value)[-1] for value in values}
        long = [value for value in values if len(value) >= SHORTEST_SECRET]
        for value in sorted(long, key=len, reverse=True):
            yield value.encode("latin-1")

    def _fix(self, queue: str) -> bytes:
        headers = self._headers(queue, (USER_AGENT, JSON))
        self._fixed[queue] = fixed = encode_headers(headers)
        return fixed

    def _special(
        self, lease: Lease, how: How, payload: bytes | None, request_id: str
    ) -> Request:
        if how.report is not None:
            payload = report_json(how.report)
        enveloped = not how.raw and how.method not in BODILESS
        if enveloped:
            body = envelope(payload, lease.attempt, request_id, how.metadata)
        else:
            body = b"" if how.method in BODILESS else payload or b""
        ours = [USER_AGENT]
        if body:
            is_json = enveloped or how.is_json or how.report is not None
            ours.append(JSON if is_json else OCTETS)
        headers = self._headers(lease.queue, ours, how.headers)
        headers.append(("Poussetaches-Task-Id", lease.id))
        headers.append(("Poussetaches-Attempt", str(lease.attempt)))
        if lease.slot:
            headers.append(("Poussetaches-Scheduled-For", str(int(lease.slot))))
        if not enveloped:
            # There is no envelope that could have them.
            headers.append(("Poussetaches-Request-Id", request_id))
            if how.metadata:
                headers.append(("Poussetaches-Metadata", how.metadata))
        return Request(how.method, b"", headers, body)

    def _headers(
        self, queue: str, ours: Headers, given: Headers = ()
    ) -> list[tuple[str, str]]:
        """``ours``, unless the queue or the task has others of these names; those of
        the queue, unless the task has; and what nobody else may set."""
        settings = self._queues.get(queue)
        of_queue = () if settings is None else settings.headers
        found = {
            name.lower(): (name, value)
            for name, value in (*ours, *of_queue, *given)
            if not name.lower().startswith(OURS)
        }
        return [*found.values(), self._auth_key, ("Poussetaches-Queue", queue)]


def envelope(
    payload: bytes | None, attempt: int, request_id: str, metadata: str = ""
) -> bytes:
    """The body of a delivery, field by field in the first ancestor's order; after them
    ``metadata``, which is JSON, if there is any."""
    if payload is None:
        encoded = b"null"
    else:
        encoded = b'"%b"' % binascii.b2a_base64(payload, newline=False)
    return b'{"payload":%b,"tries":%d,"req_id":"%b"%b}' % (
        encoded,
        attempt,
        request_id.encode(),
        b',"metadata":%b' % metadata.encode() if metadata else b"",
    )
