"""``serve`` and ``check-config``: running the service."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from poussetaches import log
from poussetaches.config import SETTINGS, Config
from poussetaches.errors import StoreError
from poussetaches.model.queue_fields import FIELDS
from poussetaches.title import set_title

logger = logging.getLogger(__name__)


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` a flag for every setting, and ``--config``."""
    for setting in reversed(list(SETTINGS.values())):
        help = setting.help
        if setting.default and not setting.secret:
            help += f" [default: {setting.default}]"
        command = click.option(setting.flag, setting.name, metavar="TEXT", help=help)(
            command
        )
    return click.option("--config", "path", metavar="FILE", help="Read this file.")(
        command
    )


@click.command()
@_with_settings
def serve(path: str | None, **flags: str | None) -> None:
    """Run the service until SIGTERM or Ctrl-C; SIGHUP has the queues read again.

    Each setting can stand in the file of --config, in the environment (workers as
    POUSSETACHES_WORKERS), or be given as a flag; the latter win.
    """
    # Imported here: no other command needs the supervisor's world.
    from poussetaches.supervisor.serve import serve as run

    load = partial(Config.load, path, os.environ, flags)
    config = load()
    log.setup("supervisor", config.log_level, config.log_format)
    set_title("supervisor")
    for warning in config.warnings:
        logger.warning(warning)
    try:
        run(config, load)
    except OSError as error:
        raise StoreError(f"the service had to stop: {error}") from error


@click.command("check-config")
@_with_settings
def check_config(path: str | None, **flags: Any) -> None:
    """Say what every setting is and where it comes from, or what is wrong."""
    config = Config.load(path, os.environ, flags)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    width = max(map(len, (*SETTINGS, *FIELDS)))
    for name, value, source in config.describe():
        click.echo(f"{name:<{width}} = {value}  ({source})")
    for queue, where, rows in config.describe_queues():
        click.echo(f"\n[queue:{queue}]  ({where})")
        for name, value, source in rows:
            click.echo(f"{name:<{width}} = {value}  ({source})")
    if config.meanings:
        click.echo("\nWhat its lines mean here:")
        for meaning in config.meanings:
            click.echo(f"  {meaning}")


COMMANDS = (serve, check_config)
