"""``origin``: which targets are in trouble, and letting them go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from poussetaches.cli.group import Group
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import Column, show, show_json, with_json
from poussetaches.when import relative, span

COLUMNS = (
    Column("ORIGIN", elastic=True, keeps_end=True),
    Column("STATE"),
    Column("WAITING", right=True),
    Column("IN FLIGHT", right=True),
    Column("FOR", right=True),
    Column("NEXT"),
    Column("AT ONCE"),
)


@click.group(cls=Group)
def origin() -> None:
    """Look at the targets of live tasks by origin, and let one go on."""


@origin.command("ls")
@with_url
@with_json
def listed(url: str, as_json: bool) -> None:
    """Say how they are, those in trouble first."""
    told = Service(url).get("/origins")
    if as_json:
        show_json(told["origins"])
    else:
        now = time.time()
        rows = [_row(origin, now) for origin in told["origins"]]
        show(COLUMNS, rows, empty="There is no live task.")
    left = told["total"] - len(told["origins"])
    if left:
        click.echo(f"and {left} more, none of them in trouble or named", err=True)


@origin.command()
@with_url
@click.argument("target", required=False)
def lift(url: str, target: str | None) -> None:
    """Let attempts through again, to the origin of the URL TARGET or to all."""
    lifted = Service(url).ask("POST", "/origins/lift", json={"origin": target})
    click.echo(f"{lifted['lifted']} let go on")


def _row(origin: Mapping[str, Any], now: float) -> tuple[str, ...]:
    since, probe, cap = origin["since"], origin["next_probe"], origin["cap"]
    limit = origin["limit"]
    at_once = [] if limit is None else [str(limit)]
    at_once += [] if cap is None else [f"at most {cap}"]
    return (
        origin["origin"],
        origin["state"],
        str(origin["waiting"]),
        str(origin["in_flight"]),
        "" if since is None else span(max(0.0, now - since)),
        "" if probe is None else relative(max(probe, now), now),
        ", ".join(at_once),
    )


COMMANDS = (origin,)
