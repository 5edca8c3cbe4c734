"""Which tasks a page is about: what its query, or the form on it, says. Pure but for
the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from poussetaches.api.query import query_texts
from poussetaches.api.web.browser import Form
from poussetaches.model.filter import Filter
from poussetaches.schema import DEAD_FILTERS, STATES, parse_filter, parse_states

#: Under these names it is said.
NAMES = ("state", *DEAD_FILTERS)
#: What else may stand in the query of a page.
OTHERS = ("cursor", "did", "count", "do", "back")

LIVE = "waiting,leased"
EVERYWHERE = ",".join(STATES)


class Picked(NamedTuple):
    """What was said, and what it means."""

    states: tuple[str, ...]
    filter: Filter

    @property
    def is_dead(self) -> bool:
        """Whether only dead letters are meant."""
        return self.states == ("dead",)


def said_in_query() -> dict[str, str]:
    """What the query says. A field of a form that was left empty says nothing. Raises
    InvalidInput."""
    return _filled(query_texts((*NAMES, *OTHERS), others=False))


def said_in_form(form: Form) -> dict[str, str]:
    """What a form says under NAMES."""
    return _filled({name: form.get(name) for name in NAMES})


def said_in_address(address: str) -> dict[str, str]:
    """What the query of ``address``, of a page of ours, says under NAMES."""
    given = dict(parse_qsl(address.partition("?")[2]))
    return _filled({name: given.get(name, "") for name in NAMES})


def read(said: Mapping[str, str]) -> Picked:
    """What it means. Raises InvalidInput."""
    filter = parse_filter(said)
    if filter.cause is not None:
        return Picked(("dead",), filter)
    # Whoever looks for a text wants to find it, whatever has become of the task.
    usual = EVERYWHERE if "text" in said else LIVE
    return Picked(parse_states(said.get("state", usual)), filter)


def query_of(said: Mapping[str, str]) -> dict[str, str]:
    """As it stands in the query of another page."""
    return {name: said[name] for name in NAMES if name in said}


def _filled(texts: Mapping[str, str]) -> dict[str, str]:
    stripped = {name: text.strip() for name, text in texts.items()}
    return {name: text for name, text in stripped.items() if text}
