"""``queue``: what queues there are, and changing them while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import click

from poussetaches.cli.completion import queue_names
from poussetaches.cli.group import Group
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import Column, show, show_json, with_json
from poussetaches.errors import InvalidInput
from poussetaches.queue_section import HEADER, describe_shown, read_fields
from poussetaches.when import span

COLUMNS = (
    Column("QUEUE", elastic=True),
    Column("WAITING", right=True),
    Column("IN FLIGHT", right=True),
    Column("LATE", right=True),
    Column("SETTINGS", elastic=True),
)


def with_name(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the argument for the queue that it is about."""
    return click.argument("name", shell_complete=queue_names)(command)


@click.group(cls=Group)
def queue() -> None:
    """Look at queues; make, change, pause, purge or drop one."""


@queue.command("ls")
@with_url
@with_json
def listed(url: str, as_json: bool) -> None:
    """Say which there are, what is in them, and their settings."""
    queues = Service(url).get("/queues")["queues"]
    if as_json:
        show_json(queues)
    else:
        show(COLUMNS, map(_row, queues))


@queue.command("set")
@with_url
@with_name
@click.argument("settings", nargs=-1, metavar="SETTING=VALUE...")
@with_json
def set_queue(url: str, name: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Make queue NAME, or change it.

    For instance rate=10/s concurrency=4 timeout=5m

    The settings are those of a section [queue:NAME]; `SETTING=` without a value takes
    back what was set before. Of the headers (header.X-Name=value) those that are given
    replace all others. What is set so outlives a restart, and wins over the
    configuration file.
    """
    queue = Service(url).put(_path(name), _changes(settings))
    if as_json:
        show_json([queue])
    else:
        show(COLUMNS, [_row(queue)])


@queue.command()
@with_url
@with_name
def pause(url: str, name: str) -> None:
    """Deliver nothing of queue NAME; attempts under way go on."""
    Service(url).post(f"{_path(name)}/pause")


@queue.command()
@with_url
@with_name
def resume(url: str, name: str) -> None:
    """Deliver what is in queue NAME again."""
    Service(url).post(f"{_path(name)}/resume")


@queue.command()
@with_url
@with_name
@click.confirmation_option(prompt="Cancel every task that waits in this queue?")
@with_json
def purge(url: str, name: str, as_json: bool) -> None:
    """Cancel every task that waits in queue NAME, but for runs of schedules."""
    told = Service(url).ask("POST", f"{_path(name)}/purge")
    if as_json:
        show_json([told])
    else:
        click.echo(f"{told['cancelled']} tasks cancelled")


@queue.command()
@with_url
@with_name
def drop(url: str, name: str) -> None:
    """Do without queue NAME, in which nothing may be."""
    Service(url).delete(_path(name))


def _path(name: str) -> str:
    return f"/queue/{quote(name, safe='')}"


def _changes(settings: tuple[str, ...]) -> dict[str, Any]:
    given: list[tuple[str, str, str]] = []
    changes: dict[str, Any] = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign:
            raise InvalidInput(f"{setting}: write it as SETTING=VALUE", field=setting)
        if text:
            given.append((name, text, "the command line"))
        elif name.startswith(HEADER):
            changes["headers"] = None
        else:
            changes[name] = None
    return changes | read_fields(given)


def _row(queue: Mapping[str, Any]) -> tuple[str, ...]:
    oldest = queue["oldest_due"]
    said = describe_shown(queue["settings"])
    return (
        queue["name"],
        str(queue["waiting"]),
        str(queue["in_flight"]),
        "" if oldest is None else span(oldest["seconds"]),
        " ".join(f"{name}={value}" for name, value in said.items()),
    )


COMMANDS = (queue,)
