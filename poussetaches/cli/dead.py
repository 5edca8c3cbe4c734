"""``dead``: dead letters as a list of work: looked at, tried again, done without."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import click

from poussetaches.cli.exits import REFUSED
from poussetaches.cli.output import written
from poussetaches.cli.progress import progress
from poussetaches.cli.selection import with_filters
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import Column, show, show_json, with_json
from poussetaches.cli.task import list_tasks
from poussetaches.cli.when import relative

#: With how many something was done, and the cursor for the others.
Acted = tuple[int, str | None]
#: So many at once: an answer that comes soon, and progress to be seen.
SLICE = 1000
#: Groups that are shown unless asked for more.
SHOWN = 50

COLUMNS = (
    Column("CAUSE"),
    Column("COUNT", right=True),
    Column("STATUS", right=True),
    Column("TARGET", elastic=True),
    Column("ERROR", elastic=True),
    Column("FIRST"),
    Column("LAST"),
)

_with_limit = click.option("--limit", type=click.IntRange(1), help="At most so many.")


def with_cause(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the filters of dead letters."""

    @click.option("--cause", help="Died of this cause, as `dead groups` names it.")
    @with_filters
    @functools.wraps(command)
    def run(
        *args: Any, cause: str | None, filters: dict[str, str], **given: Any
    ) -> None:
        by_cause = {} if cause is None else {"cause": cause}
        command(*args, filters=by_cause | filters, **given)

    return run


def with_selection(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` what says which dead letters it is to do something with, as the
    argument ``chosen``: the body of a request, of one kind of selection only."""

    @click.argument("ids", metavar="[ID]...", nargs=-1)
    @with_cause
    @click.option("--all", "everything", is_flag=True, help="All there are.")
    @_with_limit
    @functools.wraps(command)
    def run(
        *args: Any,
        ids: tuple[str, ...],
        filters: dict[str, str],
        everything: bool,
        limit: int | None,
        **given: Any,
    ) -> None:
        if bool(ids) + bool(filters) + everything != 1:
            raise click.UsageError(
                "say which: IDs, or options such as --cause and --queue, or --all"
            )
        chosen: dict[str, Any] = dict(filters)
        if ids:
            chosen["ids"] = list(dict.fromkeys(ids))[:limit]
        elif everything:
            chosen["all"] = True
        command(*args, chosen=chosen, limit=limit, **given)

    return run


@click.group()
def dead() -> None:
    """Look through dead letters; retry, delete or export them."""


@dead.command("ls")
@with_url
@with_cause
@_with_limit
@with_json
def listed(url: str, filters: dict[str, str], limit: int | None, as_json: bool) -> None:
    """List them, with what each died of."""
    list_tasks(Service(url), "/dead", filters, limit, as_json)


@dead.command()
@with_url
@with_cause
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=f"At most so many. [default: {SHOWN}; all with --json]",
)
@with_json
def groups(url: str, filters: dict[str, str], limit: int | None, as_json: bool) -> None:
    """Count them by cause: target, status and error. The largest group comes first."""
    service = Service(url)
    found = service.listed("/dead/groups", "groups", limit, **filters)
    if as_json:
        show_json(found)
        return
    now = time.time()
    shown = [*islice(found, SHOWN if limit is None else limit)]
    show(COLUMNS, (_row(group, now) for group in shown))
    tasks, causes = _count(service, filters)
    told = [_counted(tasks, "dead letter"), _counted(causes, "cause")]
    click.echo(", ".join(told), err=True)


@dead.command()
@with_url
@with_selection
@click.option("--yes", is_flag=True, help="Do it unasked.")
@with_json
def retry(
    url: str, chosen: dict[str, Any], limit: int | None, yes: bool, as_json: bool
) -> None:
    """Give them all their attempts again, from now on.

    With `--limit 1` one of them goes first, to see whether the trouble is over. The
    exit status is 1 if not all could be.
    """
    service = Service(url)
    count = _agreed("Retry", service, chosen, limit, yes)

    def act(selection: dict[str, Any]) -> Acted:
        told = service.ask("POST", "/dead/retry", json=selection)
        return told["retried"], told["cursor"]

    retried = _in_slices("retrying", act, chosen, count)
    _conclude("retried", retried, count, as_json)


@dead.command()
@with_url
@with_selection
@click.option("--yes", is_flag=True, help="Do it unasked.")
@with_json
def delete(
    url: str, chosen: dict[str, Any], limit: int | None, yes: bool, as_json: bool
) -> None:
    """Forget them. The exit status is 1 if some were none any more."""
    service = Service(url)
    count = _agreed("Delete", service, chosen, limit, yes)

    def act(selection: dict[str, Any]) -> Acted:
        told = service.ask("DELETE", "/dead", json=selection)
        return told["deleted"], told["cursor"]

    deleted = _in_slices("deleting", act, chosen, count)
    _conclude("deleted", deleted, count, as_json)


@dead.command()
@with_url
@with_cause
@_with_limit
@click.option("-o", "--output", metavar="FILE", help="Write there, not to stdout.")
def export(
    url: str, filters: dict[str, str], limit: int | None, output: str | None
) -> None:
    """Write each as a line of JSON."""
    service = Service(url)
    count, _ = _count(service, filters)
    count = count if limit is None else min(count, limit)
    with written(output) as file, progress("writing", count, "tasks") as step:
        tasks = service.listed("/dead", "tasks", limit, **filters)
        for task in tasks:
            file.write(json.dumps(task).encode() + b"\n")
            step(1)


def _row(group: Mapping[str, Any], now: float) -> tuple[object, ...]:
    status = group["status"]
    return (
        group["cause"],
        group["count"],
        status if status > 0 else "none",
        group["origin"] + group["path"],
        group["error"],
        relative(group["first"], now),
        relative(group["last"], now),
    )


def _count(service: Service, filters: Mapping[str, str]) -> tuple[int, int]:
    """How many dead letters there are, and of how many causes."""
    told = service.get("/dead/groups", limit=1, **filters)
    return told["total"], told["causes"]


def _conclude(done: str, number: int, count: int, as_json: bool) -> None:
    """Say that so many of ``count`` are ``done``, and leave with a status to match."""
    left = count - number
    if as_json:
        show_json([{done: number, "skipped": left}])
    else:
        click.echo(f"{number} {done}" + (f", {left} could not be" if left else ""))
    if left:
        raise click.exceptions.Exit(REFUSED)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _agreed(
    verb: str, service: Service, chosen: dict[str, Any], limit: int | None, yes: bool
) -> int:
    """How many it is about; whoever did not name each one is asked first."""
    if "ids" in chosen:
        return len(chosen["ids"])
    filters = {name: text for name, text in chosen.items() if name != "all"}
    count, causes = _count(service, filters)
    of = f" of {count}" if limit is not None and limit < count else ""
    count = count if limit is None else min(count, limit)
    if count and not yes:
        told = f"{_counted(count, 'dead letter')}{of} ({_counted(causes, 'cause')})"
        click.confirm(f"{verb} {told}?", abort=True)
    return count


def _in_slices(
    label: str,
    act: Callable[[dict[str, Any]], Acted],
    chosen: dict[str, Any],
    count: int,
) -> int:
    """Have something done with ``count`` of what is chosen, and say with how many it
    was. ``act``: has it done with the selection it is given."""
    done = 0
    cursor: str | None = None
    with progress(label, count, "tasks") as step:
        for ids in _cut(chosen.get("ids", [])):
            done += act({"ids": ids})[0]
            step(len(ids))
        while "ids" not in chosen and done < count:
            # With its cursor the next request is about the same ones, and not about
            # those that have died again.
            asked = {**chosen, "limit": min(count - done, SLICE), "cursor": cursor}
            now, cursor = act(asked)
            done += now
            step(now)
            if cursor is None:
                break
    return done


def _cut(ids: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(ids), SLICE):
        yield ids[begin : begin + SLICE]


COMMANDS = (dead,)
