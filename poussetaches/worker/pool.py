"""The worker's pool: as many greenlets as it may make attempts at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent
from gevent.queue import SimpleQueue

from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Lease, Message, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError
from poussetaches.worker.delivery import Delivery
from poussetaches.worker.guard import Guard
from poussetaches.worker.transport import Transport


def begin(
    config: Config, channel: Channel, fds: Sequence[int]
) -> Callable[[Message], None]:
    """Start the pool, tell the supervisor, and return who takes its messages."""
    guard = Guard(config.allowed_targets, config.bind)
    transport = Transport(max_response=config.max_response, resolve=guard)
    delivery = Delivery(transport, auth_key=config.auth_key, timeout=config.timeout)
    leases: SimpleQueue[Lease] = SimpleQueue()

    def work() -> None:
        while True:
            channel.send(delivery.attempt(leases.get()))

    for _ in range(config.slots):
        gevent.spawn(work)

    def handle(message: Message) -> None:
        if isinstance(message, Lease):
            leases.put(message)
        elif isinstance(message, Stop):
            channel.hang_up()
        else:
            raise ChannelError(f"{type(message).__name__} is not for a worker")

    channel.ready(config.slots, silence=config.heartbeat_timeout)
    return handle
