"""``task``: some of the tasks, and what is done with one."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from poussetaches.cli.exits import each
from poussetaches.cli.group import Group
from poussetaches.cli.selection import with_filters
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.story import story
from poussetaches.cli.table import (
    Column,
    is_coloured,
    show,
    show_json,
    terminal_width,
    with_json,
)
from poussetaches.errors import InvalidInput
from poussetaches.model.task import DEFAULT_QUEUE
from poussetaches.plain import plain
from poussetaches.when import relative

#: Tasks that a list shows unless asked for more.
SHOWN = 50

STATES = ("waiting", "leased", "succeeded", "dead", "expired")

COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("WHEN"),
    Column("TRIES", right=True),
    Column("QUEUE"),
    Column("GROUP", elastic=True),
    Column("SCHEDULE", elastic=True),
    Column("TARGET", elastic=True, keeps_end=True),
    Column("ERROR", elastic=True),
)


def _complete_states(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    *before, last = incomplete.split(",")
    known = [state for state in STATES if state.startswith(last)]
    return [CompletionItem(",".join([*before, state])) for state in known]


def with_ids(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the argument for the tasks that it is about."""
    return click.argument("ids", metavar="ID...", nargs=-1, required=True)(command)


@click.group(cls=Group)
def task() -> None:
    """Look at tasks, and steer them. ID is what the push printed."""


@task.command("ls")
@with_url
@click.option(
    "--state",
    default="waiting,leased",
    show_default=True,
    shell_complete=_complete_states,
    help=f"Several with commas: {', '.join(STATES)}.",
)
@with_filters
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=f"At most so many. [default: {SHOWN}; all with --json]",
)
@with_json
def listed(
    url: str, state: str, filters: dict[str, str], limit: int | None, as_json: bool
) -> None:
    """The tasks in a state: those that wait or are in flight, next one first."""
    query = {"state": state, **filters}
    list_tasks(Service(url), "/tasks", query, limit, as_json)


def list_tasks(
    service: Service,
    path: str,
    query: Mapping[str, str],
    limit: int | None,
    as_json: bool,
) -> None:
    """Print the tasks at ``path`` that ``query`` picks, as a table or as JSON."""
    if as_json:
        show_json(service.listed(path, "tasks", limit, **query))
        return
    shown = SHOWN if limit is None else limit
    # One more tells whether these are all.
    tasks = [*service.listed(path, "tasks", shown + 1, **query)]
    now = time.time()
    rows = [row(task, now) for task in tasks[:shown]]
    show(COLUMNS, rows, empty="There is no such task.")
    if len(tasks) > shown:
        click.echo("There are more: --limit shows them.", err=True)


def row(task: Mapping[str, Any], now: float) -> tuple[str, ...]:
    """A task among others. ``now``: posix."""
    waits = task["state"] == "waiting"
    at = task["next_run" if waits else "last_run"] / 1e9
    rule = f"{task['schedule']} {task.get('timezone', '')}".strip()
    return (
        task["id"],
        "in flight" if task["state"] == "leased" else task["state"],
        relative(at, now) if at > 0 else "",
        str(task["tries"] or ""),
        task["queue"] if task["queue"] != DEFAULT_QUEUE else "",
        task.get("group", ""),
        rule,
        task["url"],
        last_error(task),
    )


def last_error(task: Mapping[str, Any]) -> str:
    """Status and body of the last answer that was none of success, or empty."""
    body = b64decode(task["last_error_body"] or "").decode("utf-8", "replace")
    status = task["last_error_status_code"]
    return f"{status if status > 0 else ''} {body}".strip()


@task.command("show")
@with_url
@with_ids
@with_json
def show_task(url: str, ids: tuple[str, ...], as_json: bool) -> None:
    """Tell all about it: what was asked for, and every attempt."""
    service = Service(url)
    told: list[str] = []

    def tell(id: str) -> None:
        task = service.task(id)
        if as_json:
            click.echo(json.dumps(task))
            return
        if told:
            click.echo()
        told.append(id)
        for line in story(task, time.time(), terminal_width(), coloured=is_coloured()):
            click.echo(line)

    each(ids, tell)


@task.command()
@with_url
@with_ids
@with_json
def why(url: str, ids: tuple[str, ...], as_json: bool) -> None:
    """Say why it does not run, and when it is expected to."""
    service = Service(url)

    def tell(id: str) -> None:
        told = service.get(f"{_path(id)}/why")
        if as_json:
            click.echo(json.dumps(told))
            return
        said = [plain(reason["sentence"]) for reason in told["reasons"]]
        if told["expected_in"] is not None:
            when = relative(max(0.0, told["expected_in"]), 0.0)
            said.append(f"expected to begin {when}")
        for line in said:
            click.echo(f"{id}: {line}" if len(ids) > 1 else line)

    each(ids, tell)


@task.command()
@with_url
@with_ids
def run(url: str, ids: tuple[str, ...]) -> None:
    """Begin an attempt now, whatever it waits for."""
    service = Service(url)
    each(ids, lambda id: service.post(f"{_path(id)}/run"))


@task.command()
@with_url
@with_ids
def retry(url: str, ids: tuple[str, ...]) -> None:
    """Give a dead letter all its attempts again, from now on."""
    service = Service(url)

    def again(id: str) -> None:
        now_known_as = service.ask("POST", f"{_path(id)}/retry")["id"]
        if now_known_as != id:
            # A run of a schedule comes back as a task of its own.
            click.echo(now_known_as)

    each(ids, again)


@task.command()
@with_url
@with_ids
def cancel(url: str, ids: tuple[str, ...]) -> None:
    """End it before its time; forget it if it is a dead letter."""
    service = Service(url)
    each(ids, lambda id: service.delete(_path(id)))


@task.command()
@with_url
@click.argument("id")
@click.argument("fields", nargs=-1, required=True, metavar="FIELD=VALUE...")
def edit(url: str, id: str, fields: tuple[str, ...]) -> None:
    """Change the task ID while it waits.

    For instance queue=mail countdown=0 'headers={"X-From": "me"}'

    The fields are those of a push (docs/tasks.md); others stay as they are. A VALUE is
    JSON, or text where it makes no sense as that; `FIELD=` without one is the default
    again.
    """
    Service(url).put(_path(id), dict(map(_field, fields)))


def _field(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(f"{text}: write it as FIELD=VALUE", field=text)
    if not value:
        return name, None
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _path(id: str) -> str:
    return f"/task/{quote(id, safe='')}"


COMMANDS = (task,)
