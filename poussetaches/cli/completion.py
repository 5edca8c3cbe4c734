"""``completion``: what the Tab key does in a shell."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from poussetaches.cli.service import DEFAULT_URL, Service
from poussetaches.errors import PousseTachesError

#: Seconds that whoever pressed Tab waits for the service.
PATIENCE = 1.0

#: Where the script tells the program that it is asked for completions; what click
#: makes of the program's name.
VARIABLE = "_POUSSETACHES_COMPLETE"

#: Paths, for the shell to complete; whether there is such a file is looked at later.
FILE = click.Path()
DIR = click.Path(file_okay=False)

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete commands, options and names.

    \b
    bash   eval "$(poussetaches completion bash)"     in ~/.bashrc
    zsh    eval "$(poussetaches completion zsh)"      in ~/.zshrc
    fish   poussetaches completion fish | source      in ~/.config/fish/config.fish

    Names of queues and schedules are asked of the service; if it is away there are
    none.
    """
    kind = get_completion_class(shell)
    assert kind is not None, f"click knows no {shell}"
    cli = context.find_root().command
    click.echo(kind(cli, {}, "poussetaches", VARIABLE).source())


def queue_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The queues that the service has."""
    return _names(context, incomplete, "/queues", "queues")


def schedule_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The schedules that have a name."""
    return _names(context, incomplete, "/schedules", "schedules")


def _names(
    context: click.Context, incomplete: str, path: str, what: str
) -> list[CompletionItem]:
    url = context.params.get("url") or DEFAULT_URL
    try:
        told: dict[str, Any] = Service(url, PATIENCE).get(path)
    except PousseTachesError:
        # Whoever presses Tab wants no sentence in the middle of their line.
        return []
    names = [one["name"] for one in told[what]]
    return [
        CompletionItem(name) for name in names if (name or "").startswith(incomplete)
    ]


COMMANDS = (completion,)
