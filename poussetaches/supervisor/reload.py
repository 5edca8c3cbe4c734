"""SIGHUP: the configuration is read again, and what can be taken of it is."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from poussetaches.config import SETTINGS, Config
from poussetaches.errors import PousseTachesError
from poussetaches.log import fields
from poussetaches.supervisor.queue_keeper import QueueKeeper

log = logging.getLogger(__name__)

#: What is taken, beside the queues; a change of any other setting needs a restart.
TAKEN = ("api_keys", "read_keys", "allowed_hosts")


class Reload:
    """``load``: reads file, environment and flags as at the start; ``given``: what that
    gave then."""

    def __init__(
        self, load: Callable[[], Config], given: Config, queues: QueueKeeper
    ) -> None:
        self._load = load
        self._given = given
        self._queues = queues

    def __call__(self, config: Config) -> Config:
        """What applies from now on, where ``config`` did. A configuration that is bad
        changes nothing."""
        try:
            new = self._load()
            taken = {name: getattr(new, name) for name in TAKEN}
            result = dataclasses.replace(config, queues=new.queues, **taken)
            # With the address that is listened at, whatever the file says by now.
            result.check_access()
            changed = self._queues.configure(new.queues)
        except PousseTachesError as error:
            log.error("the configuration was not taken: %s", error.message)
            return config
        for warning in new.warnings:
            log.warning(warning)
        others = [
            name
            for name in SETTINGS
            if name not in TAKEN and getattr(new, name) != getattr(self._given, name)
        ]
        if others:
            log.warning(
                "settings that need a restart have changed",
                extra=fields(settings=", ".join(others)),
            )
        log.info(
            "configuration taken",
            extra=fields(
                queues=len(new.queues),
                changed=changed,
                keys=len(result.api_keys) + len(result.read_keys),
            ),
        )
        return result
