"""``store``: the data directory of a stopped service, looked at and moved about."""

from __future__ import annotations

import functools
import os
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from poussetaches.cli import store_report as report
from poussetaches.cli.completion import DIR, FILE
from poussetaches.cli.exits import as_sentence
from poussetaches.cli.group import Group
from poussetaches.cli.output import with_output, written
from poussetaches.cli.progress import ignore, progress
from poussetaches.config import Config
from poussetaches.errors import InvalidInput, StoreError
from poussetaches.model.queue import TaskQueue
from poussetaches.store import adoption, inspection, interchange
from poussetaches.store.addition import add
from poussetaches.store.salvage import Salvage
from poussetaches.store.stopped import (
    begin,
    is_within,
    kept_from_starting,
    opened,
    read_stopped,
    replace_queue,
    stopped,
)
from poussetaches.supervisor.policy import policy_of


class Directory:
    """The data directory, and what of the settings matters for what is in it."""

    def __init__(self, config: Config) -> None:
        self.path = os.fspath(config.data_dir)
        self.retain_succeeded = config.retain_succeeded
        self.policy = policy_of(config)

    def read(self) -> TaskQueue:
        """What a stopped service left in it."""
        return read_stopped(self.path, retain_succeeded=self.retain_succeeded)

    def empty_queue(self) -> TaskQueue:
        return TaskQueue(retain_succeeded=self.retain_succeeded)


def _with_directory(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options that say which directory; errors of files become
    sentences."""

    @click.option(
        "--data-dir", type=DIR, metavar="DIR", help="Directory, as of the service."
    )
    @click.option("--config", "path", type=FILE, metavar="FILE", help="Read this file.")
    @functools.wraps(command)
    def run(path: str | None, data_dir: str | None, **given: Any) -> None:
        config = Config.load(path, os.environ, {"data_dir": data_dir})
        try:
            command(Directory(config), **given)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise as_sentence(error) from error

    return run


@click.group(cls=Group)
def store() -> None:
    """Look into the data directory of a stopped service; repair, move, adopt one.

    Which directory is said as to the service: --data-dir, POUSSETACHES_DATA_DIR, or the
    file of --config. The exit status is 0 if all is well.
    """


@store.command()
@_with_directory
def check(directory: Directory) -> None:
    """Say what is in the directory, and whether it is whole. Changes nothing.

    The service may run meanwhile.
    """
    size = inspection.total_size(directory.path)
    with (
        kept_from_starting(directory.path) as owner,
        progress("checking", size, "bytes") as step,
    ):
        found = inspection.inspect(
            directory.path,
            retain_succeeded=directory.retain_succeeded,
            in_use=owner is not None,
            step=step,
        )
    _say(report.inspection(found, owner))
    if found.faults:
        raise click.exceptions.Exit(1)


@store.command()
@click.argument("new", type=DIR)
@_with_directory
def repair(directory: Directory, new: str) -> None:
    """Save what can be read into NEW, a directory that must be new or empty.

    The old directory stays as it is. What could not be saved is said.
    """
    if is_within(new, directory.path):
        raise InvalidInput(f"{new} is in the directory that is to be repaired")
    retain = directory.retain_succeeded
    size = inspection.total_size(directory.path)
    with stopped(directory.path):
        with progress("reading", size, "bytes") as step:
            salvage = Salvage(directory.path, retain_succeeded=retain, step=step)
            salvage.run(time.time(), directory.policy)
        begin(new, salvage.queue)
    found = inspection.inspect(new, retain_succeeded=retain, in_use=False, step=ignore)
    if found.faults:
        raise StoreError(f"what was saved into {new} is not whole: {found.faults[0]}")
    _say(report.salvage(salvage.queue, salvage.losses))
    old = shlex.quote(directory.path.rstrip("/"))
    click.echo(f"next         mv {old} {old}.damaged && mv {shlex.quote(new)} {old}")


@store.command()
@with_output
@_with_directory
def export(directory: Directory, output: str | None) -> None:
    """Write every schedule and task as a line of JSON.

    `import` makes the same of them again, in this directory or another.
    """
    queue = directory.read()
    total = interchange.line_count(queue)
    with written(output) as file, progress("writing", total, "lines") as step:
        for line in interchange.export(queue, directory.policy):
            file.write(line)
            step(1)


@store.command("import")
@click.argument("file", type=FILE)
@_with_directory
def import_(directory: Directory, file: str) -> None:
    """Add the tasks of an export, all of them or none; - is standard input.

    A task whose id is known in the directory is skipped.
    """
    size = 0 if file == "-" else os.path.getsize(file)
    try:
        with (
            click.open_file(file, "rb") as lines,
            progress("reading", size, "bytes") as step,
        ):
            rules = directory.policy.rules
            addition = interchange.read_export(lines, rules, step)
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.message}") from error
    queue = directory.empty_queue()
    with opened(directory.path, queue) as kept:
        both, tally = add(queue, addition, time.time(), directory.policy)
        replace_queue(kept, both)
    _say(report.tally("imported", tally))


@store.command()
@click.argument("old", type=DIR, metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_with_directory
def adopt(directory: Directory, old: str, dry_run: bool) -> None:
    """Take over the tasks in DIR, a data directory of tsileo/poussetaches.

    Nothing in DIR is changed. What means something else here is said; files of which
    nothing can be made are copied to `quarantine` in our directory, and the exit status
    is 1.
    """
    if is_within(directory.path, old):
        raise InvalidInput(
            f"{directory.path} is in the directory that is to be adopted, which shall "
            "stay as it is: name another with --data-dir"
        )
    now = time.time()
    with progress("reading", adoption.file_count(old), "files") as step:
        survey = adoption.survey(
            old,
            directory.policy.rules,
            retain_succeeded=directory.retain_succeeded,
            now=now,
            step=step,
        )
    queue = directory.empty_queue()
    home = os.path.join(directory.path, adoption.QUARANTINE)
    if dry_run:
        if os.path.exists(directory.path):
            queue = directory.read()
        _, tally = add(queue, survey.addition, now, directory.policy)
    else:
        with opened(directory.path, queue) as kept:
            adoption.quarantine(old, survey.refused, home)
            both, tally = add(queue, survey.addition, now, directory.policy)
            replace_queue(kept, both)
    _say(report.adoption(survey, tally, home, dry_run=dry_run))
    if survey.refused:
        raise click.exceptions.Exit(1)


COMMANDS = (store,)


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)
