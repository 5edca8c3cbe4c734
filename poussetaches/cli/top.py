"""``top``: the service as it is, on a screen."""

from __future__ import annotations

import json
import sys
import time

import click

from poussetaches.cli.screen import Screen
from poussetaches.cli.service import Service, with_url
from poussetaches.cli.table import is_coloured
from poussetaches.cli.top_frame import Sample, frame
from poussetaches.errors import Unavailable

#: Seconds between two looks, and that the service may take to answer one: for longer
#: no key would do anything.
INTERVAL = 1.0
PATIENCE = 2.0

#: Keys that leave it: q, Escape alone, and the end of input.
LEAVING = ("q", "Q", "\x1b", "\x04")


@click.command()
@with_url
@click.option("--once", is_flag=True, help="Print it once, and leave.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a second.")
def top(url: str, once: bool, as_json: bool) -> None:
    """Watch queues, workers and origins in trouble; q or Ctrl-C leaves.

    The rates are those of the last minute. Where there is no terminal it is printed
    once.
    """
    service = Service(url, PATIENCE)
    sample = _look(service)
    try:
        if as_json:
            _stream(service, sample, once)
        elif once or not sys.stdout.isatty():
            for line in frame(sample, None):
                click.echo(line)
        else:
            with Screen() as screen:
                _watch(service, screen, sample)
    except KeyboardInterrupt:
        """That is how one leaves it."""


def _watch(service: Service, screen: Screen, sample: Sample) -> None:
    before: Sample | None = None
    trouble = ""
    next_at = time.monotonic() + INTERVAL
    while True:
        width, height = screen.size()
        coloured = is_coloured()
        screen.draw(
            frame(sample, before, width, height, coloured=coloured, trouble=trouble)
        )
        key = screen.key(next_at)
        if key in LEAVING:
            return
        if key is not None:
            continue
        try:
            before, sample, trouble = sample, _look(service), ""
        except Unavailable as error:
            # It may be on its way back, and whoever watches wants to see that.
            trouble = f"{error.message}; asking again"
        next_at = time.monotonic() + INTERVAL


def _stream(service: Service, sample: Sample, once: bool) -> None:
    while True:
        click.echo(json.dumps(sample._asdict()))
        if once:
            return
        time.sleep(INTERVAL)
        sample = _look(service)


def _look(service: Service) -> Sample:
    stats = service.get("/stats")
    return Sample(time.time(), stats, service.get("/origins")["origins"])


COMMANDS = (top,)
