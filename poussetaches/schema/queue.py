"""A queue in the public JSON: what may be said of one, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poussetaches.model.queue_fields import check_field, check_known, shown
from poussetaches.schema.json import read_object


def parse_queue(body: bytes) -> dict[str, Any]:
    """The fields to change, by name; None: what the configuration says from now on.

    Raises InvalidInput naming the field and the reason.
    """
    if not body:
        return {}
    given = read_object(body)
    for name, value in given.items():
        if value is None:
            check_known(name)
        else:
            check_field(name, value)
    return given


def queue_json(view: Mapping[str, Any]) -> dict[str, Any]:
    """A queue as the supervisor tells of it (``QueueKeeper.view``). Secrets are
    masked."""
    configured = view["configured"]
    return {
        "name": view["name"],
        "settings": shown(view["settings"]),
        "configured": None if configured is None else shown(configured),
        "changed": shown(view["changed"]),
        "waiting": view["waiting"],
        "in_flight": view["in_flight"],
        "oldest_due": view["oldest_due"],
    }
