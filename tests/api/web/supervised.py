"""A real supervisor behind the pages, without its process: what is done on a page, and
what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from poussetaches.api.gateway import Gateway
from poussetaches.channel.client import ERRORS, Channel
from poussetaches.channel.messages import (
    Call,
    Ended,
    Lease,
    Push,
    Ready,
    Reply,
    encode,
)
from poussetaches.errors import Unavailable
from poussetaches.model.queue import TaskQueue
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.model.task import Submission
from poussetaches.schema import parse_push
from poussetaches.supervisor.children import Child
from tests.api.web.site import Page, Site, check
from tests.supervisor.test_handlers import House


class Supervised:
    """The channel of an api that asks ``House``, and a worker that waits to be told."""

    def __init__(self, directory: Path) -> None:
        self.house = House(directory)
        self._api = self.house.add("api")
        assert self.house.say(self._api, encode([Ready(0)]))
        self._worker: Child | None = None
        self._number = 0
        self.gateway = Gateway(cast(Channel, self), Rules("UTC"), max_payload=1_000_000)

    @property
    def queue(self) -> TaskQueue:
        return self.house.keeper.queue

    def site(self, *, read_only: bool = False, prefix: str = "") -> Site:
        """The pages, for a browser."""
        return Site(self.gateway, read_only=read_only, prefix=prefix)

    def page(self, address: str, **options: Any) -> Page:
        """A page that must be there, and be as all are."""
        site = self.site(**options)
        answer = site.get(address)
        assert answer.status == 200, answer.page.one("main").text
        check(answer.page, site.prefix)
        return answer.page

    def pushed(self, **fields: Any) -> str:
        """Push that, as an application does; its id."""
        gateway = self.gateway
        asked = parse_push(
            json.dumps(fields).encode(), gateway.rules, None, gateway.queues
        )
        (id,) = gateway.push([asked])
        return id

    def begin(self) -> list[Lease]:
        """Have the worker begin what is due."""
        if self._worker is None:
            self._worker = self.house.add("worker")
            assert self.house.say(self._worker, encode([Ready(4)]))
        told = self.house.answers(self._worker)
        return [one for one in told if isinstance(one, Lease)]

    def work(self, *, ok: bool, status: int = 200) -> list[str]:
        """Have it also end that; the ids."""
        leases = self.begin()
        worker = self._worker
        if leases and worker is not None:
            kind = "" if ok else "status"
            ended = [Ended(one.lease, ok, status, b"", kind=kind) for one in leases]
            assert self.house.say(worker, encode(ended))
            self.house.answers(worker)
        return [one.id for one in leases]

    def configure(self, **queues: QueueSettings) -> None:
        """Queues as the configuration file may have them."""
        self.house.supervisor._queues.configure(queues)
        self.gateway.queues = dict(queues)

    # --- what a gateway asks of its channel -------------------------------------------

    def call(self, verb: str, **arguments: Any) -> Any:
        return self._ask(lambda number: Call(number, verb, arguments))

    def push(self, submissions: Sequence[Submission]) -> list[str]:
        ids: list[str] = self._ask(lambda number: Push(number, [*submissions]))
        return ids

    def _ask(self, question: Any) -> Any:
        self._number += 1
        message = question(self._number)
        assert self.house.say(self._api, encode([message])), message
        replies = [
            one
            for one in self.house.answers(self._api)
            if isinstance(one, Reply) and one.number == self._number
        ]
        (reply,) = replies
        if reply.error is None:
            return reply.value
        code, sentence, field, retry_after = reply.error
        kind = ERRORS[code]
        if issubclass(kind, Unavailable):
            raise kind(sentence, retry_after=retry_after)
        raise kind(sentence, field=field)


@contextmanager
def supervised(directory: Path) -> Iterator[Supervised]:
    there = Supervised(directory)
    try:
        yield there
    finally:
        there.house.close()
