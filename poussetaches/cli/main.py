"""The command ``poussetaches`` and what all its subcommands share."""

from __future__ import annotations

import sys

import click

import poussetaches
from poussetaches.cli import serve
from poussetaches.cli.exits import (
    INTERRUPTED,
    REFUSED,
    as_sentence,
    complain,
    exit_status,
    is_interrupted,
)
from poussetaches.cli.group import Group
from poussetaches.errors import PousseTachesError


class Commands(Group):
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
            completion,
            dead,
            demo,
            origin,
            push,
            queue,
            schedule,
            steer,
            store,
            task,
            top,
            tune,
        )

        groups = (push, task, dead, queue, schedule, origin, steer, top)
        for group in (*groups, tune, demo, completion, store):
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
    """Run the command line; what goes wrong is one line, and an exit status that says
    of which kind it is (``exits``)."""
    try:
        # In click's own mode Ctrl-C would look like any failure.
        status = cli(prog_name="poussetaches", standalone_mode=False)
    except PousseTachesError as error:
        complain(error)
        sys.exit(exit_status(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as abort:
        click.echo("Aborted!", err=True)
        sys.exit(INTERRUPTED if is_interrupted(abort) else REFUSED)
    except OSError as error:
        # A file or a disk; the pipe that nobody reads any more is click's.
        complain(as_sentence(error))
        sys.exit(REFUSED)
    sys.exit(status)
