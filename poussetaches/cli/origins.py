"""``origins``: which targets are in trouble, and letting them go on."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from poussetaches.cli.service import Service, with_url


@click.group(invoke_without_command=True)
@with_url
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_context
def origins(context: click.Context, url: str, as_json: bool) -> None:
    """Say how the targets of live tasks are, those in trouble first."""
    if context.invoked_subcommand is not None:
        source = context.get_parameter_source("url")
        if as_json or source is ParameterSource.COMMANDLINE:
            raise click.UsageError("options come after the subcommand")
        return
    told = Service(url).get("/origins")
    now = time.time()
    for origin in told["origins"]:
        click.echo(json.dumps(origin) if as_json else _row(origin, now))
    left = told["total"] - len(told["origins"])
    if left:
        click.echo(f"and {left} more, none of them in trouble or named", err=True)


@origins.command()
@with_url
@click.argument("target", required=False)
def lift(url: str, target: str | None) -> None:
    """Let attempts through again, to the origin of the URL TARGET or to all."""
    lifted = Service(url).ask("POST", "/origins/lift", json={"origin": target})
    click.echo(f"{lifted['lifted']} let go on")


def _row(origin: Mapping[str, Any], now: float) -> str:
    row = f"{origin['origin']:<40} {origin['state']:<8}"
    row += f"  waiting {origin['waiting']:>6}  in flight {origin['in_flight']:>4}"
    if origin["since"] is not None:
        row += f"  for {now - origin['since']:.0f} s"
    if origin["next_probe"] is not None:
        row += f"  next in {max(0.0, origin['next_probe'] - now):.1f} s"
    if origin["limit"] is not None:
        row += f"  {origin['limit']} at once"
    if origin["cap"] is not None:
        row += f"  at most {origin['cap']}"
    return row


COMMANDS: tuple[click.Command, ...] = (origins,)
