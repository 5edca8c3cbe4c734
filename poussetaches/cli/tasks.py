"""``push``, and the lists: ``waiting``, ``success``, ``dead``, ``cron``."""

from __future__ import annotations

import json
import math
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from poussetaches.cli.service import Service, with_url
from poussetaches.errors import InvalidInput

#: Tasks that a list shows unless asked for more.
SHOWN = 50


@click.command()
@with_url
@click.argument("target")
@click.argument("payload", required=False)
@click.option(
    "--expected", type=int, default=200, show_default=True, help="Status of success."
)
@click.option(
    "--schedule", default="", help="Recur: '*/5 * * * *', '@every 1h', '@daily' ..."
)
@click.option("--delay", type=int, default=0, help="Minutes before the first attempt.")
@click.option("--countdown", type=float, help="The same in seconds.")
@click.option(
    "--max-retries",
    type=int,
    help="Attempts that may follow the first one; -1: any number. [default: 10]",
)
@click.option("--key", help="The same key again is the same task.")
def push(
    url: str,
    target: str,
    payload: str | None,
    expected: int,
    schedule: str,
    delay: int,
    countdown: float | None,
    max_retries: int | None,
    key: str | None,
) -> None:
    """Push a task: PAYLOAD to the URL TARGET. Prints the task's id.

    PAYLOAD is taken as it is; - reads it from standard input.
    """
    if countdown is not None and not math.isfinite(countdown):
        # JSON has no word for it, so the service could not say this.
        raise InvalidInput("countdown: must be a finite number", field="countdown")
    body: dict[str, Any] = {
        "url": target,
        "expected": expected,
        "schedule": schedule,
        "delay": delay,
        "countdown": countdown,
        "max_retries": max_retries,
        "key": key,
    }
    if payload is not None:
        data = sys.stdin.buffer.read() if payload == "-" else payload.encode()
        body["payload"] = b64encode(data).decode()
    click.echo(Service(url).push(body))


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
    when = datetime.fromtimestamp(task["next_run"] / 1e9).strftime("%Y-%m-%d %H:%M:%S")
    row = f"{task['id']}  {when}  tries {task['tries']:>2}  {task['url']}"
    if task["schedule"]:
        row += f"  [{task['schedule']}]"
    if task["last_error_status_code"]:
        row += f"  {task['last_error_status_code']}"
        body = b64decode(task["last_error_body"] or "").decode("utf-8", "replace")
        row += f" {' '.join(body.split())[:80]}" if body else ""
    return row


COMMANDS = (
    push,
    _list_command("waiting", "Tasks that wait or are in flight, next one first."),
    _list_command("success", "The last tasks that succeeded."),
    _list_command("dead", "Dead letters: tasks that are out of attempts."),
    _list_command("cron", "The next runs of the schedules."),
)
