"""One way to say each thing: a noun, then what is done with it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from poussetaches.cli.main import cli


def commands(
    group: click.Group = cli, before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words of every command that does something, and the command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


def test_whatever_there_are_many_of_can_be_listed_as_json() -> None:
    found = dict(commands())
    nouns = {words[0] for words in found if len(words) > 1} - {"store"}
    for noun in nouns:
        options = {parameter.name for parameter in found[noun, "ls"].params}
        assert {"url", "as_json"} <= options, noun
