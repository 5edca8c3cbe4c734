"""``push``: one task, with everything that it may ask for."""

from __future__ import annotations

import json
import math
import sys
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import click

from poussetaches.cli.completion import queue_names
from poussetaches.cli.service import Service, with_url
from poussetaches.errors import InvalidInput
from poussetaches.push_text import is_json, read_expected, read_header, read_waits


@click.command()
@with_url
@click.argument("target")
@click.argument("payload", required=False)
@click.option("--json", "json_text", help="Any JSON, instead of PAYLOAD.")
@click.option(
    "--queue",
    shell_complete=queue_names,
    help="The queue it is in. [default: default]",
)
@click.option(
    "--expected",
    default="200",
    show_default=True,
    help="Status of success, a class (2xx), or several with commas between.",
)
@click.option(
    "--schedule", default="", help="Recur: '*/5 * * * *', '@every 1h', '@daily' ..."
)
@click.option("--delay", type=int, default=0, help="Minutes before the first attempt.")
@click.option("--countdown", type=float, help="The same in seconds.")
@click.option("--eta", type=float, help="The same as a moment, in posix seconds.")
@click.option(
    "--expires",
    type=float,
    help="Moment from which it is not wanted any more, in posix seconds.",
)
@click.option(
    "--max-retries",
    type=int,
    help="Attempts that may follow the first one; -1: any number. [default: the"
    " queue's, or 10]",
)
@click.option(
    "--backoff",
    help="Seconds between attempts, with commas between ('1,10,60'), or a rule as JSON"
    ' (\'{"min": 1, "max": 60, "doublings": 4}\'). [default: the queue\'s]',
)
@click.option(
    "--timeout",
    type=float,
    help="Seconds that an attempt may take. [default: the queue's]",
)
@click.option("--roll-back", help="URL that is told when it dies or expires.")
@click.option("--on-success", help="URL that is told when it has succeeded.")
@click.option("--metadata", help="Any JSON, carried along.")
@click.option("--method", help="HTTP method. [default: POST]")
@click.option(
    "--header", "headers", multiple=True, help="'Name: value'; may be repeated."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["envelope", "raw"]),
    help="Raw: the body is the payload as it is. [default: envelope]",
)
@click.option(
    "--keep-result",
    is_flag=True,
    default=None,
    help="Keep the body of the answer that means success.",
)
@click.option("--key", help="The same key again is the same task.")
@click.option("--group", help="Tasks of a group are delivered in order, one at a time.")
@click.option("--name", help="Of a schedule: by which it is changed.")
@click.option("--timezone", help="Of a schedule: the zone of its clock.")
@click.option(
    "--missed",
    type=click.Choice(["one", "none", "all"]),
    help="Of a schedule: which missed runs are made up for. [default: one]",
)
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue"]),
    help="Of a schedule: what to do while a run is under way. [default: skip]",
)
def push(
    url: str,
    target: str,
    payload: str | None,
    json_text: str | None,
    expected: str,
    schedule: str,
    delay: int,
    backoff: str | None,
    metadata: str | None,
    headers: Sequence[str],
    form: str | None,
    **others: Any,
) -> None:
    """Push a task: PAYLOAD to the URL TARGET. Prints the task's id.

    PAYLOAD is taken as it is; - reads it from standard input. TARGET may be a path, if
    the queue has a base_url. docs/tasks.md says more of each option, under the name
    that it has in JSON.
    """
    body: dict[str, Any] = {
        "url": target,
        "expected": read_expected(expected),
        "schedule": schedule,
        "delay": delay,
    }
    if payload is not None:
        data = sys.stdin.buffer.read() if payload == "-" else payload.encode()
        body["payload"] = b64encode(data).decode()
    if json_text is not None:
        body["json"] = _from_json("json", json_text)
    if metadata is not None:
        body["metadata"] = _from_json("metadata", metadata)
    if backoff is not None:
        body["backoff"] = _backoff(backoff)
    if headers:
        body["headers"] = dict(map(read_header, headers))
    body["format"] = form
    for field, value in others.items():
        if isinstance(value, float) and not math.isfinite(value):
            # JSON has no word for it, so the service could not say this.
            raise InvalidInput(f"{field}: must be a finite number", field=field)
    body |= others
    given = {field: value for field, value in body.items() if value is not None}
    click.echo(Service(url).push(given))


def _backoff(text: str) -> Any:
    return _from_json("backoff", text) if is_json(text) else read_waits(text)


def _from_json(field: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{field}: not valid JSON: {error}", field=field) from None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


COMMANDS = (push,)
