"""``demo``: a service and an application, set up to be watched at work."""

from __future__ import annotations

import secrets
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from poussetaches.cli.demo_application import Application
from poussetaches.cli.demo_narrator import Narrator
from poussetaches.cli.demo_service import PORT, DemoService, choose_port
from poussetaches.cli.demo_stories import Delivery
from poussetaches.cli.inbox import Inbox, Interrupted

#: The exit status of a demo that was ended early, as shells have it for Ctrl-C.
INTERRUPTED = 130


@click.command()
@click.option("--once", is_flag=True, help="End when everything has happened.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the service. [default: {PORT}, or any that is free]",
)
def demo(once: bool, port: int | None) -> None:
    """Start a service and an application, push some tasks, and watch what happens.

    Takes about eight seconds, and then goes on until Ctrl-C. The exit status says
    whether everything happened as told. Leaves nothing behind.
    """
    chosen = choose_port(port)
    if port is None and chosen != PORT:
        click.echo(f"Port {PORT} is taken, so this service gets {chosen}.")
    auth_key = secrets.token_urlsafe()
    inbox = Inbox[Delivery]()
    complete = False
    with inbox.taking_signals():
        try:
            with (
                TemporaryDirectory(
                    prefix="poussetaches-demo-", ignore_cleanup_errors=True
                ) as folder,
                Application(auth_key, inbox.put) as application,
                DemoService(Path(folder), chosen, auth_key) as service,
            ):
                narrator = Narrator(inbox, service, application)
                narrator.begin()
                narrator.tell_stories()
                complete = True
                if not once:
                    narrator.go_on()
        except Interrupted:
            click.echo("\nStopped; nothing is left behind.")
            if not complete:
                raise click.exceptions.Exit(INTERRUPTED) from None


COMMANDS = (demo,)
