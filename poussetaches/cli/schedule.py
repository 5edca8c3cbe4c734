"""``schedule``: what runs when, and what is done to one that recurs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import click

from poussetaches.cli.completion import schedule_names
from poussetaches.cli.group import Group
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import Column, show, show_json, with_json
from poussetaches.plain import plain
from poussetaches.when import moment

COLUMNS = (
    Column("SCHEDULE", elastic=True),
    Column("RULE", elastic=True),
    Column("NEXT"),
    Column("STATE"),
    Column("LAST", elastic=True),
    Column("TARGET", elastic=True, keeps_end=True),
)


def with_name(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the argument for the schedule that it is about."""
    return click.argument("name", shell_complete=schedule_names)(command)


@click.group(cls=Group)
def schedule() -> None:
    """Look at schedules, or steer one. NAME is its name or its id."""


@schedule.command("ls")
@with_url
@with_json
def listed(url: str, as_json: bool) -> None:
    """When each runs next, and what became of its last run."""
    schedules = Service(url).listed("/schedules", "schedules")
    if as_json:
        show_json(schedules)
    else:
        show(COLUMNS, map(_row, schedules), empty="There is no schedule.")


@schedule.command("show")
@with_url
@with_name
@with_json
def show_schedule(url: str, name: str, as_json: bool) -> None:
    """Tell all about it."""
    one = Service(url).get(_path(name))
    if as_json:
        click.echo(json.dumps(one))
        return
    zone = _zone(one)
    told = {**one, "next": _coming(one), "last": _last(one, zone) or "none"}
    for field, value in told.items():
        if value is not None:
            click.echo(f"{field:<9}  {plain(_word(value))}")


@schedule.command("next")
@with_url
@with_name
@click.option(
    "--count", type=click.IntRange(1, 1000), default=20, show_default=True, help="Runs."
)
@with_json
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
@with_name
def run(url: str, name: str) -> None:
    """Run it now, beside its own runs. Prints the task's id."""
    click.echo(Service(url).made(f"{_path(name)}/run"))


@schedule.command()
@with_url
@with_name
def pause(url: str, name: str) -> None:
    """Let no run of it come any more; one under way goes on."""
    Service(url).post(f"{_path(name)}/pause")


@schedule.command()
@with_url
@with_name
def resume(url: str, name: str) -> None:
    """Let its runs come again, from the next one on."""
    Service(url).post(f"{_path(name)}/resume")


@schedule.command()
@with_url
@with_name
def drop(url: str, name: str) -> None:
    """Forget it; a run under way goes on, and is not retried."""
    Service(url).delete(_path(name))


def _path(name: str) -> str:
    return f"/schedule/{quote(name, safe='')}"


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        one["name"] or one["id"],
        f"{one['rule']} {one['timezone'] or ''}".rstrip(),
        "" if one["paused"] else _coming(one),
        "paused" if one["paused"] else "in flight" if one["in_flight"] else "",
        _last(one, _zone(one)),
        one["url"],
    )


def _zone(one: dict[str, Any]) -> tzinfo | None:
    return ZoneInfo(one["timezone"]) if one["timezone"] else None


def _coming(one: dict[str, Any]) -> str:
    return "none" if one["next"] is None else moment(one["next"], _zone(one))


def _last(one: dict[str, Any], zone: tzinfo | None) -> str:
    last = one["last"]
    if last is None:
        return ""
    status = f" ({last['status']})" if last["status"] else ""
    return f"{last['outcome']}{status} {moment(last['at'], zone)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


COMMANDS = (schedule,)
