"""``tune``: what this machine and a target can do, and the settings that are enough."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import click

from poussetaches.cli import tune_report
from poussetaches.cli.inbox import Inbox, Interrupted
from poussetaches.cli.tune_display import Display
from poussetaches.cli.tune_plan import Plan
from poussetaches.cli.tune_session import Session
from poussetaches.cli.tune_target import Receiver, reach
from poussetaches.cli.tune_trial import Trials
from poussetaches.errors import InvalidInput, StartupError

#: The exit status of a run that was ended early, as shells have it for Ctrl-C.
INTERRUPTED = 130
#: Worker processes that are worth trying, however many processors there are.
MOST_WORKERS = 8
#: Tasks pushed for one setting at most, for each second that is measured: what a fast
#: one does in that second.
BACKLOG = 20_000
#: The part of the requests granted that one setting may take.
SHARE = 10
#: The longest that the built-in application may take to answer, seconds.
LONGEST_ANSWER = 5.0


def _answer_time(
    context: click.Context, option: click.Parameter, text: str | None
) -> float | None:
    """Seconds, from ``20ms``, ``1.5s`` or ``2``. Raises BadParameter."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(ms|s)?", text)
    if not found:
        raise click.BadParameter(f"{text!r} is not a time, such as 20ms or 1.5s")
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if seconds > LONGEST_ANSWER:
        raise click.BadParameter(f"{text!r} is more than {LONGEST_ANSWER:g} s")
    return seconds


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _most_workers() -> int:
    return min(MOST_WORKERS, 2 * _processors())


@click.command()
@click.argument("url", required=False)
@click.option(
    "--answer-time",
    metavar="TIME",
    callback=_answer_time,
    help="Without a URL: how long the built-in application takes to answer, such as"
    " 20ms. [default: 0]",
)
@click.option(
    "--payload", default="tune", show_default=True, help="What each task carries."
)
@click.option("--yes", is_flag=True, help="With a URL: do not ask.")
@click.option(
    "--requests",
    type=click.IntRange(10, 1_000_000),
    default=20_000,
    show_default=True,
    help="With a URL: the most that are sent to it.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=2.0,
    show_default=True,
    help="How long each setting is measured.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=_most_workers,
    help=f"Try no more. [default: two for each processor, {MOST_WORKERS} at most]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    default=256,
    show_default=True,
    help="Try no more attempts at once per worker.",
)
@click.option(
    "--durability",
    type=click.Choice(["always", "interval", "off"]),
    default="always",
    show_default=True,
    help="As the setting.",
)
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Measure on the disk of this directory; what is in it stays untouched."
    " [default: where temporary files are]",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write everything that was measured to this file.",
)
def tune(
    url: str | None,
    answer_time: float | None,
    payload: str,
    yes: bool,
    requests: int,
    seconds: float,
    workers: int,
    concurrency: int,
    durability: str,
    data_dir: Path | None,
    json_path: Path | None,
) -> None:
    """Measure this machine and an application, and recommend settings.

    Starts a service of its own with one setting after the other, and drains a backlog
    with it: into a built-in application, or into URL with real deliveries, which carry
    POUSSETACHES_AUTH_KEY if that is set. Takes about a minute, leaves nothing behind.
    """
    plan = Plan(workers, concurrency)
    if url is not None:
        if answer_time is not None:
            raise click.UsageError("--answer-time is for the built-in application")
        _ask(url, requests, plan, yes=yes)
    backlog = int(BACKLOG * seconds)
    place = data_dir or Path(gettempdir())
    inbox = Inbox[None]()
    display = Display()
    session = Session(plan, display)
    terms = {
        "url": url,
        "answer_time": None if url else answer_time or 0.0,
        "seconds": seconds,
        "durability": durability,
        "data_dir": str(place),
        "processors": _processors(),
        **asdict(plan),
    }
    with _reported(session, terms, json_path), inbox.taking_signals():
        try:
            with _folder(place) as folder, _target(url, answer_time or 0.0) as target:
                session.measure_disk(folder, seconds, inbox.next)
                session.measure_service(
                    Trials(
                        folder=folder,
                        url=target,
                        payload=payload.encode(),
                        auth_key=os.environ.get("POUSSETACHES_AUTH_KEY", ""),
                        durability=durability,
                        seconds=seconds,
                        allowance=requests if url else sys.maxsize,
                        most_backlog=min(backlog, requests // SHARE)
                        if url
                        else backlog,
                        pause=inbox.next,
                        tell=display.tell,
                    )
                )
        except Interrupted:
            display.say("\nStopped; nothing is left behind.")
            raise click.exceptions.Exit(INTERRUPTED) from None


def _ask(url: str, requests: int, plan: Plan, *, yes: bool) -> None:
    """Have somebody agree to real requests. Raises InvalidInput, Unavailable, Abort."""
    what = f"up to {requests:,} requests to {url}"
    if not yes and not sys.stdin.isatty():
        raise InvalidInput(
            f"this would send {what}, and there is no terminal to ask on:"
            " --yes says that it may"
        )
    reach(url)
    if not yes:
        at_once = plan.most_workers * plan.most_concurrency
        click.confirm(
            f"This sends {what}, {at_once:,} at once at most. Real ones: whatever they"
            " do there, they do. Go on?",
            abort=True,
            err=True,
        )


@contextmanager
def _reported(
    session: Session, terms: Mapping[str, Any], json_path: Path | None
) -> Iterator[None]:
    """Whatever ends what is done within, what was measured until then is told."""
    if json_path is not None:
        # Better now than after a minute.
        _write(json_path, "")
    try:
        yield
    finally:
        try:
            session.conclude()
        finally:
            # Also if nobody reads standard output any more.
            if json_path is not None:
                found = tune_report.as_json(
                    terms,
                    session.syncs,
                    session.pushed,
                    session.points,
                    session.choice,
                    complete=session.complete,
                )
                _write(json_path, json.dumps(found, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _folder(place: Path) -> Iterator[Path]:
    """A directory in ``place`` that goes again. Raises StartupError."""
    try:
        temporary = TemporaryDirectory(
            prefix="poussetaches-tune-", dir=place, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise StartupError(f"{place} cannot be used: {error.strerror}") from error
    with temporary as name:
        yield Path(name)


@contextmanager
def _target(url: str | None, answer_time: float) -> Iterator[str]:
    """Where tasks are to go."""
    if url is not None:
        yield url
    else:
        with Receiver(answer_time) as receiver:
            yield receiver.url


COMMANDS = (tune,)
