"""Tables: aligned, cut to a width, harmless."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from poussetaches.cli.table import Column, cut, lines, measure
from poussetaches.plain import plain

COLUMNS = (
    Column("NAME", elastic=True),
    Column("COUNT", right=True),
    Column("NOTE"),
    Column("URL", elastic=True),
)
ROWS = [
    ("mail", "1", "", "http://127.0.0.1:5000/a"),
    ("ünï", "1000", "", "http://127.0.0.1:5000/a/much/longer/path"),
]


def test_columns_are_aligned_and_an_empty_one_is_left_out() -> None:
    assert lines(COLUMNS, ROWS) == [
        "NAME  COUNT  URL",
        "mail      1  http://127.0.0.1:5000/a",
        "ünï    1000  http://127.0.0.1:5000/a/much/longer/path",
    ]


def test_the_widest_column_that_may_gives_way() -> None:
    assert lines(COLUMNS, ROWS, 33) == [
        "NAME  COUNT  URL",
        "mail      1  http://127.0.0.1:50…",
        "ünï    1000  http://127.0.0.1:50…",
    ]


def test_urls_that_begin_alike_can_be_told_apart_when_they_are_cut() -> None:
    columns = (Column("TARGET OF ALL", elastic=True, keeps_end=True), Column("N"))
    rows = [("http://127.0.0.1:5000/a", "1"), ("http://127.0.0.1:5000/b", "2")]
    assert lines(columns, rows, 15) == [
        "TARGET OF A…  N",
        "….0.1:5000/a  1",
        "….0.1:5000/b  2",
    ]


def test_no_row_is_wider_than_the_terminal_while_columns_can_give_way() -> None:
    rows = [("n" * 50, "1", "note", "u" * 70)]
    for width in range(40, 140):
        drawn = lines(COLUMNS, rows, width)
        assert max(map(measure, drawn)) <= width


def test_what_cannot_give_way_is_not_cut() -> None:
    [_, row] = lines(COLUMNS, [("n", "1", "a note that is long", "u")], 10)
    assert row == "n         1  a note that is long  u"


def test_a_state_has_a_colour_where_there_are_colours() -> None:
    columns, rows = (Column("STATE"), Column("N")), [("dead", "1")]
    assert lines(columns, rows, coloured=True)[1] == "\x1b[31mdead\x1b[0m   1"
    assert lines(columns, rows)[1] == "dead   1"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e", 3, "e\u0301e\u0301e"),
    ],
)
def test_wide_characters_count_twice(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert measure(shown) <= width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", "two lines"),
        ("\x1b[2J\x07gone", "\\x1b[2J\\x07gone"),
        ("\u202eright to left", "\\u202eright to left"),
        ("été", "été"),
    ],
)
def test_nothing_that_a_stranger_says_changes_the_terminal(
    text: str, shown: str
) -> None:
    assert plain(text) == shown


def test_nothing_is_a_head() -> None:
    rows: Sequence[Sequence[str]] = []
    assert lines(COLUMNS, rows) == [""]
