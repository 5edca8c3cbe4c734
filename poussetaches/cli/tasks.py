"""``task``, ``cancel``, and the lists: ``waiting``, ``success``, ``dead``, ``expired``,
``cron``."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from poussetaches.cli.service import Service, with_url
from poussetaches.model.task import DEFAULT_QUEUE

#: Tasks that a list shows unless asked for more.
SHOWN = 50


def _list_command(which: str, help: str) -> click.Command:
    @click.command(which, help=help)
    @with_url
    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
    @click.option(
        "--limit",
        type=int,
        help=f"At most so many. [default: {SHOWN}; all with --json]",
    )
    def command(url: str, as_json: bool, limit: int | None) -> None:
        if limit is None and not as_json:
            limit = SHOWN
        show: Callable[[dict[str, Any]], str] = json.dumps if as_json else _row
        for task in Service(url).tasks(which, limit):
            click.echo(show(task))

    return command


def _row(task: dict[str, Any]) -> str:
    # With the offset, for the rule of a schedule may be of another zone.
    local = datetime.fromtimestamp(task["next_run"] // 1_000_000_000).astimezone()
    when = local.isoformat(" ")
    row = f"{task['id']}  {when}  tries {task['tries']:>2}  {task['url']}"
    if task["state"] == "leased":
        row += "  in flight"
    if task["queue"] != DEFAULT_QUEUE:
        row += f"  queue {task['queue']}"
    if "group" in task:
        row += f"  group {task['group']}"
    if task["schedule"]:
        row += f"  [{task['schedule']} {task.get('timezone', '')}".rstrip() + "]"
    if status := task["last_error_status_code"]:
        row += "  no answer:" if status == -1 else f"  {status}"
        body = b64decode(task["last_error_body"] or "").decode("utf-8", "replace")
        row += f" {' '.join(body.split())[:80]}" if body else ""
    return row


@click.command()
@with_url
@click.argument("id")
def task(url: str, id: str) -> None:
    """Show the task ID, live or remembered, as JSON."""
    click.echo(json.dumps(Service(url).task(id), indent=2))


@click.command()
@with_url
@click.argument("id")
def cancel(url: str, id: str) -> None:
    """End the task ID before its time."""
    Service(url).cancel(id)


COMMANDS = (
    task,
    cancel,
    _list_command("waiting", "Tasks that wait or are in flight, next one first."),
    _list_command("success", "The last tasks that succeeded."),
    _list_command("dead", "Dead letters: tasks that are out of attempts."),
    _list_command("expired", "The last tasks that nobody wanted any more."),
    _list_command("cron", "The next runs of the schedules."),
)
