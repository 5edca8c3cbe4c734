"""Exit statuses: what a script learns without reading."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from poussetaches.cli.exits import (
    EXITS,
    INTERRUPTED,
    complain,
    each,
    exit_status,
    is_interrupted,
)
from poussetaches.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    PousseTachesError,
    QueueFull,
    Unauthorized,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PousseTachesError("no"), 1),
        (InvalidInput("no"), 1),
        (Unavailable("no"), 3),
        (QueueFull("no"), 3),
        (NotFound("no"), 4),
        (Conflict("no"), 5),
        (Unauthorized("no"), 6),
        (Forbidden("no"), 6),
    ],
)
def test_every_kind_of_no_has_a_status(error: PousseTachesError, status: int) -> None:
    assert exit_status(error) == status


def test_one_that_is_refused_does_not_keep_the_others_from_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done: list[int] = []

    def act(number: int) -> None:
        done.append(number)
        if number == 2:
            raise NotFound("there is no 2")
        if number == 3:
            raise Conflict("3 has ended")

    with pytest.raises(click.exceptions.Exit) as ended:
        each([1, 2, 3, 4], act)
    assert (done, ended.value.exit_code) == ([1, 2, 3, 4], 4)
    said = "poussetaches: there is no 2\npoussetaches: 3 has ended\n"
    assert capsys.readouterr().err == said


def test_nothing_more_is_asked_of_a_service_that_is_away() -> None:
    done: list[int] = []

    def act(number: int) -> None:
        done.append(number)
        raise Unavailable("it is away")

    with pytest.raises(Unavailable):
        each([1, 2], act)
    assert done == [1]


def test_ctrl_c_is_no_answer_to_a_question() -> None:
    interrupted, declined = click.Abort(), click.Abort()
    interrupted.__cause__ = KeyboardInterrupt()
    assert (is_interrupted(interrupted), is_interrupted(declined)) == (True, False)


def test_all_of_them_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert told == {0, 1, 2, INTERRUPTED, *(code for _, code in EXITS)}


def test_what_a_stranger_said_does_nothing_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    complain(NotFound("there is no \x1b]0;é\x07\u202ex\ny"))
    said = capsys.readouterr().err
    assert said == "poussetaches: there is no \\x1b]0;é\\x07\\u202ex\\ny\n"
