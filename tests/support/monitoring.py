"""What docs/monitoring says, to be held against what a service exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

DOCS = Path(__file__).parents[2] / "docs" / "monitoring"

#: What a scrape adds to every series.
OF_THE_SCRAPE = frozenset({"job", "instance"})


class Metric(NamedTuple):
    """A row of the table."""

    kind: str
    labels: frozenset[str]


class Use(NamedTuple):
    """A series as an expression uses it."""

    name: str
    labels: frozenset[str]


class Shown(NamedTuple):
    """What an alert or the dashboard shows."""

    expression: str
    #: Those that the words beside it name.
    labels: frozenset[str]


def documented() -> dict[str, Metric]:
    """By name."""
    row = re.compile(
        r"^\| `(poussetaches_\w+)` \| (\w+) \| ?([^|]*?) ?\| [^|]+ \|$", re.M
    )
    found = {}
    for name, kind, labels in row.findall((DOCS / "README.md").read_text()):
        found[name] = Metric(kind, frozenset(re.findall(r"`(\w+)`", labels)))
    return found


def keys() -> set[str]:
    """Of /stats."""
    _, _, text = (DOCS / "README.md").read_text().partition("## /stats")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.M)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def rules() -> dict[str, Shown]:
    """The alerts."""
    told = yaml.safe_load((DOCS / "alerts.yml").read_text())
    found = {}
    for rule in [rule for group in told["groups"] for rule in group["rules"]]:
        labels = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))
        found[rule["alert"]] = Shown(rule["expr"], frozenset(labels))
    return found


def panels() -> dict[str, Shown]:
    """The lines of the dashboard, and its variables."""
    told: dict[str, Any] = json.loads((DOCS / "grafana.json").read_text())
    found = {}
    for panel in told["panels"]:
        for target in panel.get("targets", ()):
            labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
            line = f"{panel['title']} {target['refId']}"
            found[line] = Shown(target["expr"], frozenset(labels))
    for variable in told["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            parts = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert parts is not None, query
            selector, label = parts.groups()
            found[f"${variable['name']}"] = Shown(selector, frozenset({label}))
    return found


class Question:
    """An expression. Raises ValueError if it is none."""

    def __init__(self, expression: str) -> None:
        told = expression.replace("$__rate_interval", "5m")
        self._parsed = promql_parser.parse(told)

    def uses(self) -> list[Use]:
        """The series that it needs."""
        return list(_uses(self._parsed, frozenset()))

    def labels(self, series: Mapping[str, frozenset[str]]) -> frozenset[str]:
        """Those of its answer; ``series``: those that each of them has."""
        return _labels(self._parsed, series)


def _uses(node: Any, labels: frozenset[str]) -> Iterator[Use]:
    """``labels``: those that whatever is around ``node`` wants it to have."""
    if isinstance(node, promql_parser.VectorSelector):
        own = {matcher.name for matcher in node.matchers.matchers}
        yield Use(str(node.name), labels | own)
    elif isinstance(node, promql_parser.AggregateExpr):
        yield from _uses(node.expr, labels | _by(node))
    elif isinstance(node, promql_parser.BinaryExpr):
        on = node.modifier.matching if node.modifier else None
        wanted = frozenset(on.labels if on else ())
        yield from _uses(node.lhs, labels | wanted)
        yield from _uses(node.rhs, wanted)
    else:
        for part in _parts(node):
            yield from _uses(part, labels)


def _labels(node: Any, series: Mapping[str, frozenset[str]]) -> frozenset[str]:
    if isinstance(node, promql_parser.VectorSelector):
        return series[str(node.name)]
    if isinstance(node, promql_parser.AggregateExpr):
        found = _labels(node.expr, series)
        # One that is told how many to pick, as topk is, leaves them as they are.
        return found if node.param is not None else found & _by(node)
    if isinstance(node, promql_parser.BinaryExpr):
        return _labels(node.lhs, series) or _labels(node.rhs, series)
    return frozenset().union(*(_labels(part, series) for part in _parts(node)))


def _by(node: promql_parser.AggregateExpr) -> frozenset[str]:
    return frozenset(node.modifier.labels if node.modifier else ())


def _parts(node: Any) -> Iterable[Any]:
    """What there is in an expression of no other kind."""
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, promql_parser.Call):
        return node.args
    if isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return [node.expr]
    if isinstance(node, promql_parser.NumberLiteral | promql_parser.StringLiteral):
        return []
    raise ValueError(f"what is a {type(node).__name__}?")
