"""The worker's pool: greenlets that make one attempt after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent
from gevent.queue import SimpleQueue

from poussetaches.bind import Address
from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Ended, Lease, Message, Queues, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules
from poussetaches.worker.delivery import Delivery
from poussetaches.worker.follow_ups import FollowUps
from poussetaches.worker.guard import Guard
from poussetaches.worker.request import RequestMaker
from poussetaches.worker.signing import Signer
from poussetaches.worker.transport import Transport

#: Bytes of an answer that has follow-up tasks: each attempt may hold so many.
LONGEST_FOLLOW_UPS = 1024 * 1024


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
    delivery = _delivery(config)
    pool = Pool(delivery, channel.send)

    def handle(message: Message) -> None:
        if isinstance(message, Lease):
            pool.begin(message)
        elif isinstance(message, Queues):
            named = message.queues.items()
            delivery.learn({k: QueueSettings.from_wire(wire) for k, wire in named})
        elif isinstance(message, Stop):
            channel.hang_up()
        else:
            raise ChannelError(f"{type(message).__name__} is not for a worker")

    channel.ready(config.slots, silence=config.heartbeat_timeout)
    return handle


def _delivery(config: Config) -> Delivery:
    transport = Transport(
        max_response=config.max_response,
        max_tasks=min(config.max_body, LONGEST_FOLLOW_UPS),
        resolve=Guard(
            config.allowed_targets,
            config.bind if isinstance(config.bind, Address) else None,
        ),
    )
    rules = Rules(config.schedule_timezone)
    secrets = config.signing_secrets
    return Delivery(
        transport,
        RequestMaker(config.auth_key),
        FollowUps(rules, max_payload=config.max_payload),
        Signer(secrets) if secrets else None,
        max_response=config.max_response,
    )
