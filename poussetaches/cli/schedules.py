"""``schedules``, and what is done to one: ``schedule next|run|pause|resume|drop``."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click

from poussetaches.cli.service import Service, with_url


@click.command()
@with_url
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def schedules(url: str, as_json: bool) -> None:
    """The schedules: when each runs next, and what became of its last run."""
    for one in Service(url).listed("/schedules", "schedules"):
        click.echo(json.dumps(one) if as_json else _row(one))


@click.group()
def schedule() -> None:
    """Look at one schedule, or steer it. NAME is its name or its id."""


@schedule.command("next")
@with_url
@click.argument("name")
@click.option(
    "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Runs."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def coming(url: str, name: str, count: int, as_json: bool) -> None:
    """Print the coming runs in their zone, and what is odd about them."""
    told = Service(url).get(f"{_path(name)}/next", count=count)
    if told["schedule"]["paused"] and not as_json:
        click.echo("It is paused. If it were resumed now:")
    for run in told["runs"]:
        if as_json:
            click.echo(json.dumps(run))
            continue
        local = datetime.fromisoformat(run["local"])
        shown = f"{local:%a %Y-%m-%d %H:%M:%S} {run['local'][19:]}"
        click.echo(f"{shown}  {run['remark']}".rstrip())


@schedule.command()
@with_url
@click.argument("name")
def run(url: str, name: str) -> None:
    """Run it now, beside its own runs. Prints the task's id."""
    click.echo(Service(url).made(f"{_path(name)}/run"))


@schedule.command()
@with_url
@click.argument("name")
def pause(url: str, name: str) -> None:
    """Let no run of it come any more; one under way goes on."""
    Service(url).post(f"{_path(name)}/pause")


@schedule.command()
@with_url
@click.argument("name")
def resume(url: str, name: str) -> None:
    """Let its runs come again, from the next one on."""
    Service(url).post(f"{_path(name)}/resume")


@schedule.command()
@with_url
@click.argument("name")
def drop(url: str, name: str) -> None:
    """Forget it; a run under way goes on, and is not retried."""
    Service(url).delete(_path(name))


def _path(name: str) -> str:
    return f"/schedule/{quote(name, safe='')}"


def _row(one: dict[str, Any]) -> str:
    zone = ZoneInfo(one["timezone"]) if one["timezone"] else None
    coming = "paused" if one["paused"] else _moment(one["next"], zone)
    rule = f"{one['rule']} {one['timezone'] or ''}".rstrip()
    row = f"{one['name'] or one['id']}  [{rule}]  next {coming}"
    if one["in_flight"]:
        row += "  in flight"
    if last := one["last"]:
        row += f"  last {last['outcome']} {_moment(last['at'], zone)}"
        row += f" (status {last['status']})" if last["status"] else ""
    return f"{row}  {one['url']}"


def _moment(seconds: float | None, zone: tzinfo | None) -> str:
    """On the clock of ``zone``, or of this machine."""
    if seconds is None:
        return "none"
    local = datetime.fromtimestamp(seconds, zone).astimezone(zone)
    return local.isoformat(" ", "seconds")


COMMANDS = (schedules, schedule)
