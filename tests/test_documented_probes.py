"""docs/security.md names the test of everything that it promises."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: A row of a table of probes: its last cell says which test.
ROW = re.compile(r"^\| .+ \| (.+) \|$", re.M)


def test_every_test_that_the_table_names_is_there() -> None:
    named = NAMED.findall(_document())
    assert len(named) > 20
    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"\ndef {name}(" not in (ROOT / path).read_text()
    ]
    assert missing == []


def test_every_probe_names_a_test() -> None:
    table = _document().partition("\n## The port\n")[2].partition("\n### ")[0]
    cells = [cell for cell in ROW.findall(table) if cell.strip("- |")]
    bare = [
        cell
        for cell in cells
        if cell not in ("Test", "the same") and not NAMED.fullmatch(cell)
    ]
    assert len(cells) > 30
    assert bare == []


def _document() -> str:
    return (ROOT / "docs" / "security.md").read_text()
