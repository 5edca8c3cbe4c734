"""What every child does first, whatever its work: the common part of ``__main__``.

A child is started as ``python -m poussetaches.<role> INDEX CHANNEL_FD [FD ...]``.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
from collections.abc import Callable, Sequence

from poussetaches import log
from poussetaches.channel.client import Channel
from poussetaches.channel.messages import Message
from poussetaches.config import Config
from poussetaches.errors import ChannelError, PousseTachesError
from poussetaches.lifeline import die_with_parent
from poussetaches.title import set_title

logger = logging.getLogger(__name__)

#: Begins the work of a child: given its settings, its channel and further descriptors,
#: returns who takes the messages of the supervisor.
Begin = Callable[[Config, Channel, Sequence[int]], Callable[[Message], None]]


def run(role: str, begin: Begin, arguments: Sequence[str]) -> int:
    """Live as a child of ``role`` until the supervisor says stop or is gone.

    Returns the exit status.
    """
    index, channel_fd, *fds = arguments
    # A child that has fallen silent gets SIGABRT, and this dumps its stacks.
    faulthandler.enable()
    # Also if it hangs then, it holds neither port nor tasks. Should the supervisor have
    # ended before this, the channel says so.
    die_with_parent()
    try:
        channel = Channel(int(channel_fd))
        config = Config.from_wire(channel.configuration())
    except ChannelError:
        return 0  # the supervisor left before we were up
    name = f"{role}-{index}"
    log.setup(name, config.log_level, config.log_format)
    set_title(name)
    try:
        handle = begin(config, channel, [int(fd) for fd in fds])
    except (PousseTachesError, OSError) as error:
        channel.cannot_start(str(error))
        return 1
    channel.serve(handle)
    return 0


def main(role: str, begin: Begin) -> None:
    """``run`` with the arguments of this process, and leave."""
    sys.exit(run(role, begin, sys.argv[1:]))
