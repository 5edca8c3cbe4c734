"""The command ``poussetaches`` and what all its subcommands share."""

from __future__ import annotations

import sys

import click

import poussetaches
from poussetaches.cli import demo, serve, steer, tasks
from poussetaches.errors import PousseTachesError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(poussetaches.__version__)
def cli() -> None:
    """Push tasks: a task execution service without a broker.

    An application POSTs a task to the service, which pushes it back by HTTP until the
    application answers with the expected status.
    """


for group in (serve, tasks, steer, demo):
    for command in group.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line; what goes wrong is one line, and a non-zero exit status."""
    try:
        cli(prog_name="poussetaches")
    except PousseTachesError as error:
        click.echo(f"poussetaches: {error.message}", err=True)
        sys.exit(1)
