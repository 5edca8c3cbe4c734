"""Which tasks are meant: the options of every command about some of many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from poussetaches.cli.completion import queue_names


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options that pick tasks, as the one argument ``filters``:
    the query of a list, with the service's words."""

    @click.option("--queue", shell_complete=queue_names, help="In the queue NAME.")
    @click.option(
        "--target", metavar="PREFIX", help="For a URL that begins with PREFIX."
    )
    @click.option("--origin", metavar="URL", help="For scheme, host and port of URL.")
    @click.option(
        "--status",
        metavar="STATUS",
        help="Last answered with: 503, 5xx, none (no answer), several with commas.",
    )
    @click.option(
        "--text", help="Has TEXT in its URL, key, group, metadata or last error."
    )
    @functools.wraps(command)
    def run(
        *args: Any,
        queue: str | None,
        target: str | None,
        origin: str | None,
        status: str | None,
        text: str | None,
        **given: Any,
    ) -> None:
        asked = {"queue": queue, "url": target, "origin": origin, "status": status}
        asked["text"] = text
        filters = {name: value for name, value in asked.items() if value is not None}
        command(*args, filters=filters, **given)

    return run
