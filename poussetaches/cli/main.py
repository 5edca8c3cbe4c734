"""The command ``poussetaches`` and what all its subcommands share."""

from __future__ import annotations

import sys

import click

import poussetaches
from poussetaches.cli import serve
from poussetaches.errors import PousseTachesError


class Commands(click.Group):
    """All subcommands, those but ``serve`` imported when one of them is asked for: the
    supervisor has no use for the HTTP client that they are made of."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._import_others()
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self._import_others()
        return self.commands.get(cmd_name)

    def _import_others(self) -> None:
        from poussetaches.cli import (
            demo,
            origins,
            push,
            queues,
            schedules,
            steer,
            store,
            tasks,
            tune,
        )

        groups = (push, tasks, queues, schedules, origins, steer, store, demo, tune)
        for group in groups:
            for command in group.COMMANDS:
                self.add_command(command)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(poussetaches.__version__)
def cli() -> None:
    """Push tasks: a task execution service without a broker.

    An application POSTs a task to the service, which pushes it back by HTTP until the
    application answers with the expected status.
    """


for command in serve.COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line; what goes wrong is one line, and a non-zero exit status."""
    try:
        cli(prog_name="poussetaches")
    except PousseTachesError as error:
        click.echo(f"poussetaches: {error.message}", err=True)
        sys.exit(1)
