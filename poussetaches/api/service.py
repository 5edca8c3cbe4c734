"""The api's work: the server on the socket that the supervisor opened."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Sequence

import gevent

from poussetaches.api.app import error_json, make_app
from poussetaches.api.gateway import Gateway
from poussetaches.api.request import Limits
from poussetaches.api.server import Server
from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Message, Stop
from poussetaches.config import Config
from poussetaches.errors import ChannelError
from poussetaches.model.rules import Rules

#: How long requests that were begun may take to end at a stop, seconds.
STOP_TIMEOUT = 3.0


def _most_connections() -> int:
    """As many as there are descriptors for, and some to spare for everything else."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(10_000, files - 64))


def begin(
    config: Config, channel: Channel, fds: Sequence[int]
) -> Callable[[Message], None]:
    """Start the server, tell the supervisor, and return who takes its messages."""
    (listener_fd,) = fds
    gateway = Gateway(channel, Rules(config.schedule_timezone))
    server = Server(
        socket.socket(fileno=listener_fd),
        make_app(gateway),
        Limits(max_body=config.max_body, max_connections=_most_connections()),
        render=error_json,
    )
    server.start()

    def leave() -> None:
        server.stop(STOP_TIMEOUT)
        channel.hang_up()

    def handle(message: Message) -> None:
        if not isinstance(message, Stop):
            raise ChannelError(f"{type(message).__name__} is not for an api")
        # The replies to what is under way come through the caller of this function.
        gevent.spawn(leave)

    channel.ready(0, silence=config.heartbeat_timeout)
    return handle
