"""``serve`` and ``check-config``: running the service."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import click

from poussetaches import log
from poussetaches.config import SETTINGS, Config
from poussetaches.errors import ConfigError, StoreError
from poussetaches.model.queue_fields import FIELDS
from poussetaches.setting import SWITCH
from poussetaches.title import set_title

logger = logging.getLogger(__name__)


class TaskpusherFlag(NamedTuple):
    """A flag of jordic/taskpusher, which has the flags of Go: one dash or two."""

    names: tuple[str, ...]
    #: Of the command's function.
    parameter: str
    #: The setting that it means here.
    setting: str


TASKPUSHER_FLAGS = (
    TaskpusherFlag(("-address", "--address"), "taskpusher_address", "bind"),
    TaskpusherFlag(("-basicauth", "--basicauth"), "taskpusher_basicauth", "api_keys"),
    TaskpusherFlag(("-concurrency",), "taskpusher_concurrency", "concurrency"),
)


def _translated(flags: Mapping[str, str | None]) -> dict[str, str | None]:
    """Flags by our names only; one of ours goes over one of taskpusher's, but a key is
    one more."""
    result = dict(flags)
    for flag in TASKPUSHER_FLAGS:
        text = result.pop(flag.parameter)
        if text is None:
            continue
        if flag.setting == "bind" and text.startswith(":"):
            text = f"0.0.0.0{text}"  # so Go says every address
        ours = result[flag.setting]
        if flag.setting == "api_keys":
            if ":" not in text:
                raise ConfigError("basicauth: is not user:password", field="api_keys")
            result["api_keys"] = text if ours is None else f"{ours} {text}"
        elif ours is None:
            result[flag.setting] = text
    return result


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` a flag for every setting, and ``--config``."""
    for setting in reversed(list(SETTINGS.values())):
        help = setting.help
        if setting.default and not setting.secret:
            help += f" [default: {setting.default}]"
        metavar = "TEXT"
        more: dict[str, Any] = {}
        if setting.kind is SWITCH:
            # Alone, it is on.
            metavar, more = "[yes|no]", {"is_flag": False, "flag_value": "yes"}
        command = click.option(
            setting.flag, setting.name, metavar=metavar, help=help, **more
        )(command)
    for flag in reversed(TASKPUSHER_FLAGS):
        command = click.option(*flag.names, flag.parameter, hidden=True)(command)
    return click.option(
        "--config", "path", type=click.Path(), metavar="FILE", help="Read this file."
    )(command)


@click.command()
@_with_settings
def serve(path: str | None, **flags: str | None) -> None:
    """Run the service until SIGTERM or Ctrl-C; SIGHUP has the queues and keys read
    again.

    Each setting can stand in the file of --config, in the environment (workers as
    POUSSETACHES_WORKERS), or be given as a flag; the latter win.
    """
    # Imported here: no other command needs the supervisor's world.
    from poussetaches.supervisor.serve import serve as run

    load = partial(Config.load, path, os.environ, _translated(flags))
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
    config = Config.load(path, os.environ, _translated(flags))
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
