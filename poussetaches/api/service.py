"""The api's work: the server on the socket that the supervisor opened."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable, Sequence

import gevent

from poussetaches.api.access import Access
from poussetaches.api.app import make_app
from poussetaches.api.direct import error_json
from poussetaches.api.gateway import Gateway
from poussetaches.api.health import Health
from poussetaches.api.request import Limits
from poussetaches.api.request_id import current_request_id
from poussetaches.api.server import Server
from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Configure, Message, Pulse, Queues, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError
from poussetaches.model.queue_settings import QueueSettings
from poussetaches.model.rules import Rules

#: How long requests that were begun may take to end at a stop, seconds.
STOP_TIMEOUT = 3.0


#: Descriptors left for everything but connections.
SPARE = 16
#: Large bodies that there is room for at the same time, and room for small ones.
LARGE_BODIES = 8
LEAST_ROOM = 64 * 1024 * 1024


def _limits(config: Config) -> Limits:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len(os.listdir("/proc/self/fd"))
    return Limits(
        max_body=config.max_body,
        max_connections=max(1, min(10_000, most - open_now - SPARE)),
        max_held=max(LEAST_ROOM, LARGE_BODIES * config.max_body),
    )


def begin(
    config: Config, channel: Channel, fds: Sequence[int]
) -> Callable[[Message], None]:
    """Start the server, tell the supervisor, and return who takes its messages."""
    (listener_fd,) = fds
    channel.request_id = current_request_id
    rules = Rules(config.schedule_timezone)
    gateway = Gateway(channel, rules, max_payload=config.max_payload)
    health = Health(config.heartbeat_timeout, time.monotonic())
    access = Access(config)
    server = Server(
        socket.socket(fileno=listener_fd),
        make_app(gateway, health),
        _limits(config),
        render=error_json,
        admit=access.admit,
    )
    server.start()

    def leave() -> None:
        server.stop(STOP_TIMEOUT)
        channel.hang_up()

    def handle(message: Message) -> None:
        if isinstance(message, Pulse):
            health.hear(message, time.monotonic())
        elif isinstance(message, Queues):
            told = message.queues.items()
            gateway.queues = {name: QueueSettings.from_wire(one) for name, one in told}
        elif isinstance(message, Configure):
            access.configure(Config.from_wire(message.settings))
        elif isinstance(message, Stop):
            # The replies to what is under way come through the caller of this function.
            gevent.spawn(leave)
        else:
            raise ChannelError(f"{type(message).__name__} is not for an api")

    channel.ready(0, silence=config.heartbeat_timeout, gauges=server.gauges)
    return handle
