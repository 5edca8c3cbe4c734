"""``dead``: dead letters as a list of work: looked at, tried again, done without."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from itertools import islice
from typing import Any

import click

from poussetaches.cli.exits import REFUSED
from poussetaches.cli.group import Group
from poussetaches.cli.output import with_output, written
from poussetaches.cli.progress import progress
from poussetaches.cli.selection import with_filters
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import Column, show, show_json, with_json
from poussetaches.cli.task import list_tasks
from poussetaches.errors import Unavailable
from poussetaches.when import relative

#: So many at once: an answer that comes soon, and progress to be seen.
SLICE = 1000
#: Seconds that an answer may take: many are grouped first, or done with at once.
PATIENCE = 30.0
#: Groups that are shown unless asked for more.
SHOWN = 50

COLUMNS = (
    Column("CAUSE"),
    Column("COUNT", right=True),
    Column("STATUS", right=True),
    Column("TARGET", elastic=True, keeps_end=True),
    Column("ERROR", elastic=True),
    Column("FIRST"),
    Column("LAST"),
)

_with_limit = click.option("--limit", type=click.IntRange(1), help="At most so many.")


def with_cause(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the filters of dead letters."""

    @click.option("--cause", help="Died of this cause, as `dead groups` names it.")
    @with_filters
    @wraps(command)
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
    @wraps(command)
    def run(
        *args: Any,
        ids: tuple[str, ...],
        filters: dict[str, str],
        everything: bool,
        limit: int | None,
        **given: Any,
    ) -> None:
        kinds = bool(ids) + bool(filters) + everything
        if kinds != 1:
            said = "say which" if not kinds else "only one of these at once"
            raise click.UsageError(
                f"{said}: IDs, or options such as --cause and --queue, or --all"
            )
        chosen: dict[str, Any] = dict(filters)
        if ids:
            chosen["ids"] = list(dict.fromkeys(ids))[:limit]
        elif everything:
            chosen["all"] = True
        command(*args, chosen=chosen, limit=limit, **given)

    return run


@click.group(cls=Group)
def dead() -> None:
    """Look through dead letters; retry, delete or export them."""


@dead.command("ls")
@with_url
@with_cause
@_with_limit
@with_json
def listed(url: str, filters: dict[str, str], limit: int | None, as_json: bool) -> None:
    """List them, with what each died of."""
    list_tasks(Service(url, PATIENCE), "/dead", filters, limit, as_json)


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
    service = Service(url, PATIENCE)
    found = service.listed("/dead/groups", "groups", limit, **filters)
    if as_json:
        show_json(found)
        return
    now = time.time()
    shown = [*islice(found, SHOWN if limit is None else limit)]
    show(COLUMNS, (_row(group, now) for group in shown))
    tasks, causes = _count(service, filters)
    told = [_counted(tasks, "dead letter"), _counted(causes, "cause")]
    click.echo(", ".join(told))


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
    service = Service(url, PATIENCE)
    count = _agreed("Retry", service, chosen, limit, yes)
    act = partial(_ask, service, "POST", "/dead/retry")
    _conclude("retried", _in_slices(act, "retried", chosen, count), count, as_json)


@dead.command()
@with_url
@with_selection
@click.option("--yes", is_flag=True, help="Do it unasked.")
@with_json
def delete(
    url: str, chosen: dict[str, Any], limit: int | None, yes: bool, as_json: bool
) -> None:
    """Forget them. The exit status is 1 if some were none any more."""
    service = Service(url, PATIENCE)
    count = _agreed("Delete", service, chosen, limit, yes)
    act = partial(_ask, service, "DELETE", "/dead")
    _conclude("deleted", _in_slices(act, "deleted", chosen, count), count, as_json)


@dead.command()
@with_url
@with_cause
@_with_limit
@with_output
def export(
    url: str, filters: dict[str, str], limit: int | None, output: str | None
) -> None:
    """Write each as a line of JSON."""
    service = Service(url, PATIENCE)
    count, _ = _count(service, filters)
    count = count if limit is None else min(count, limit)
    with written(output) as file, progress("writing", count, "tasks") as step:
        tasks = service.listed("/dead", "tasks", limit, **filters)
        for task in tasks:
            file.write(json.dumps(task).encode() + b"\n")
            step(1)


def _ask(
    service: Service, method: str, path: str, selection: dict[str, Any]
) -> Mapping[str, Any]:
    told: Mapping[str, Any] = service.ask(method, path, json=selection)
    return told


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
    act: Callable[[dict[str, Any]], Mapping[str, Any]],
    word: str,
    chosen: dict[str, Any],
    count: int,
) -> int:
    """Have something done with ``count`` of what is chosen; with how many it was.
    ``act``: has it done with a selection, and returns the answer, in which ``word``
    has the number."""
    done = 0
    with progress(word, count, "tasks") as step:
        for selection in _selections(chosen):
            cursor = None
            while done < count:
                slice = {**selection, "cursor": cursor}
                if "ids" not in selection:
                    slice["limit"] = min(count - done, SLICE)
                try:
                    told = act(slice)
                except Unavailable:
                    if done:
                        click.echo(f"{done} {word} until then", err=True)
                    raise
                done += told[word]
                step(told[word])
                cursor = told["cursor"]
                if cursor is None:
                    break
    return done


def _selections(chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As many as there have to be: ids are few at once."""
    ids = chosen.get("ids")
    if ids is None:
        yield chosen
        return
    for begin in range(0, len(ids), SLICE):
        yield {"ids": ids[begin : begin + SLICE]}


COMMANDS = (dead,)
