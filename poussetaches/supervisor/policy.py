"""The policy of a configuration: the rules by which the queue decides."""

from __future__ import annotations

from poussetaches.channel.messages import seal
from poussetaches.config import Config
from poussetaches.model.backoff import DEFAULT
from poussetaches.model.decisions import Policy
from poussetaches.model.rules import Rules


def policy_of(config: Config) -> Policy:
    """The rules that ``config`` asks for."""
    return Policy(
        DEFAULT,
        Rules(config.schedule_timezone),
        seal,
        config.hold_limit,
        config.auto_create_queues,
    )
