"""docs/logs.md has every event that the service logs, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What a row of a table begins with: the level, and the event.
ROW = re.compile(r"^\| (\w+) \| (?P<ticks>`+)(.+?)(?P=ticks) \|", re.M)
LEVELS = ("debug", "info", "warning", "error", "exception", "log")


def test_every_event_is_in_the_table_and_every_row_is_an_event() -> None:
    documented = {event for _, _, event in ROW.findall(_document())}
    sources = [path.read_text() for path in _modules()]
    logged = {event for source in sources for event in events(source)}
    assert len(logged) > 50
    assert sorted(logged - documented) == []
    # Some texts are chosen before they are logged.
    texts = {text for source in sources for text in _all_texts(source)}
    assert sorted(documented - logged - texts) == []


def test_an_event_is_what_stands_in_the_call() -> None:
    assert events('log.info("a %s b: %.1f s", x)') == ["a … b: … s"]
    assert events('log.error("it\'s" if x else f"that {y}")') == ["it's", "that …"]
    assert events("SAID = {A: 'dead'}\nlog.log(level, said)") == ["dead"]


def _document() -> str:
    return (ROOT / "docs" / "logs.md").read_text()


def _modules() -> Iterator[Path]:
    package = ROOT / "poussetaches"
    for path in sorted(package.rglob("*.py")):
        # What a command says is for who runs it, and no event of the service.
        if "cli" not in path.relative_to(package).parts:
            yield path


def events(source: str) -> list[str]:
    """What the calls of ``log`` in a module say; what is put in there as ``…``."""
    tree = ast.parse(source)
    found: list[str] = []
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
            and node.func.attr in LEVELS
        ):
            found += _texts(node.args[1 if node.func.attr == "log" else 0], tree)
    return found


def _texts(said: ast.expr, tree: ast.Module) -> list[str]:
    if isinstance(said, ast.Constant):
        return [re.sub(r"%[-.\d]*[a-z]", "…", str(said.value))]
    if isinstance(said, ast.IfExp):
        return _texts(said.body, tree) + _texts(said.orelse, tree)
    if isinstance(said, ast.JoinedStr):
        pieces = [
            str(one.value) if isinstance(one, ast.Constant) else "…"
            for one in said.values
        ]
        return [re.sub("…+", "…", "".join(pieces))]
    assert isinstance(said, ast.Name), ast.dump(said)
    return _table(said.id.upper(), tree)


def _all_texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _table(name: str, tree: ast.Module) -> list[str]:
    """The texts of a table of the module that is named as the variable is; a variable
    without one is a text that was made elsewhere."""
    return [
        str(one.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign | ast.Assign)
        and isinstance(node.value, ast.Dict)
        and name in ast.unparse(node).partition("=")[0]
        for one in node.value.values
        if isinstance(one, ast.Constant)
    ]
