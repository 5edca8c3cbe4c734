"""The worker's pool: greenlets that make one attempt after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent
from gevent.queue import SimpleQueue

from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Ended, Lease, Message, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError
from poussetaches.worker.delivery import Delivery
from poussetaches.worker.guard import Guard
from poussetaches.worker.transport import Transport


class Pool:
    """As many greenlets as attempts were ever under way at once; they stay for the
    next ones. ``tell`` hears what each attempt has brought."""

    def __init__(self, delivery: Delivery, tell: Callable[[Ended], None]) -> None:
        self._delivery = delivery
        self._tell = tell
        self._leases: SimpleQueue[Lease] = SimpleQueue()
        self._under_way = 0
        self._greenlets = 0

    def begin(self, lease: Lease) -> None:
        """Make the attempt, beside all others."""
        self._under_way += 1
        if self._under_way > self._greenlets:
            self._greenlets += 1
            gevent.spawn(self._work)
        self._leases.put(lease)

    def _work(self) -> None:
        while True:
            ended = self._delivery.attempt(self._leases.get())
            self._under_way -= 1
            self._tell(ended)


def begin(
    config: Config, channel: Channel, fds: Sequence[int]
) -> Callable[[Message], None]:
    """Start the pool, tell the supervisor, and return who takes its messages."""
    guard = Guard(config.allowed_targets, config.bind)
    transport = Transport(max_response=config.max_response, resolve=guard)
    delivery = Delivery(transport, auth_key=config.auth_key, timeout=config.timeout)
    pool = Pool(delivery, channel.send)

    def handle(message: Message) -> None:
        if isinstance(message, Lease):
            pool.begin(message)
        elif isinstance(message, Stop):
            channel.hang_up()
        else:
            raise ChannelError(f"{type(message).__name__} is not for a worker")

    channel.ready(config.slots, silence=config.heartbeat_timeout)
    return handle
