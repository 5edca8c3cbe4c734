"""``queues`` and ``queue``: what they are, and changing them while the service runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from poussetaches.cli.service import Service, with_url
from poussetaches.errors import InvalidInput
from poussetaches.queue_section import HEADER, describe_shown, read_fields


@click.command()
@with_url
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def queues(url: str, as_json: bool) -> None:
    """Say which queues there are, what is in them, and their settings."""
    for queue in Service(url).get("/queues")["queues"]:
        click.echo(json.dumps(queue) if as_json else _row(queue))


@click.group()
def queue() -> None:
    """Make, change, pause, purge or drop a queue."""


@queue.command("set")
@with_url
@click.argument("name")
@click.argument("settings", nargs=-1, metavar="SETTING=VALUE...")
def set_queue(url: str, name: str, settings: tuple[str, ...]) -> None:
    """Make queue NAME, or change it: rate=10/s concurrency=4 timeout=5m ...

    The settings are those of a section [queue:NAME]; `SETTING=` without a value takes
    back what was set before. Of the headers (header.X-Name=value) those that are given
    replace all others. What is set so outlives a restart, and wins over the
    configuration file.
    """
    queue = Service(url).put(_path(name), _changes(settings))
    click.echo(_row(queue))


@queue.command()
@with_url
@click.argument("name")
def pause(url: str, name: str) -> None:
    """Deliver nothing of queue NAME; attempts under way go on."""
    Service(url).post(f"{_path(name)}/pause")


@queue.command()
@with_url
@click.argument("name")
def resume(url: str, name: str) -> None:
    """Deliver what is in queue NAME again."""
    Service(url).post(f"{_path(name)}/resume")


@queue.command()
@with_url
@click.argument("name")
@click.confirmation_option(prompt="Cancel every task that waits in this queue?")
def purge(url: str, name: str) -> None:
    """Cancel every task that waits in queue NAME, but for runs of schedules."""
    cancelled = Service(url).ask("POST", f"{_path(name)}/purge")["cancelled"]
    click.echo(f"{cancelled} tasks cancelled")


@queue.command()
@with_url
@click.argument("name")
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


def _row(queue: Mapping[str, Any]) -> str:
    row = f"{queue['name']:<20} waiting {queue['waiting']:>6}"
    row += f"  in flight {queue['in_flight']:>4}"
    if queue["oldest_due"] is not None:
        row += f"  late {queue['oldest_due']['seconds']:.1f} s"
    said = describe_shown(queue["settings"])
    return row + "".join(f"  {name}={value}" for name, value in said.items())


COMMANDS: tuple[click.Command, ...] = (queues, queue)
