"""One way to say each thing: a noun, then what is done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from poussetaches.cli.main import cli

DOCUMENT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()

#: A command with its arguments, what it does, and its options.
ROW = re.compile(r"^\| `([a-z].*?)` \| (.*?) \| (.*?) ?\|$", re.MULTILINE)

ROWS = {usage: (text, options) for usage, text, options in ROW.findall(DOCUMENT)}

#: What has too many options for a table.
MANY = {"push", "serve", "check-config", "tune"}


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


def usage(words: tuple[str, ...], command: click.Command) -> str:
    """As in the first line of its --help, without the options."""
    with click.Context(command) as context:
        pieces = command.collect_usage_pieces(context)
    return " ".join([*words, *(piece for piece in pieces if piece != "[OPTIONS]")])


@pytest.mark.parametrize(("words", "command"), [*commands()])
def test_the_document_says_of_each_command_what_its_help_says(
    words: tuple[str, ...], command: click.Command
) -> None:
    text, options = ROWS[usage(words, command)]
    said = " ".join((command.help or "").split("\n\n")[0].split())
    assert text == said
    if words[0] in MANY:
        return
    names = {
        max(parameter.opts, key=len)
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
    assert {*re.findall(r"`(--[a-z-]+)`", options)} == names - {"--url", "--help"}


def test_the_document_has_no_other_command() -> None:
    assert {*ROWS} == {usage(words, command) for words, command in commands()}


def test_help_tells_all_of_what_a_command_does_the_everyday_ones_first() -> None:
    told = CliRunner().invoke(cli, ["task", "--help"]).output.split("Commands:")[1]
    assert "..." not in told
    verbs = ["ls", "show", "why", "run", "retry", "cancel", "edit"]
    assert re.findall(r"^  ([a-z]+)  ", told, re.MULTILINE) == verbs
