"""``status``, ``pause``, ``resume``: the service as a whole."""

from __future__ import annotations

import json

import click

from poussetaches.cli.service import Service, with_url
from poussetaches.when import span


@click.command()
@with_url
@click.option("--json", "as_json", is_flag=True, help="The whole picture, as JSON.")
def status(url: str, as_json: bool) -> None:
    """Say how the service is."""
    service = Service(url)
    if as_json:
        click.echo(json.dumps(service.get("/stats"), indent=2))
        return
    told = service.get("/")
    oldest = told.pop("oldest_due")
    told["uptime"] = span(told["uptime"])
    told["oldest_due"] = (
        "none: no task is late"
        if oldest is None
        else f"{oldest['id']}, for {span(oldest['seconds'])}"
    )
    for name, value in told.items():
        click.echo(f"{name.replace('_', ' '):<12} {_show(value)}")


@click.command()
@with_url
def pause(url: str) -> None:
    """Deliver nothing any more; attempts under way go on."""
    Service(url).post("/pause")


@click.command()
@with_url
def resume(url: str) -> None:
    """Deliver again."""
    Service(url).post("/resume")


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


COMMANDS = (status, pause, resume)
