"""Fields that are filled in: what a template makes the fields of a form of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from poussetaches.api.web.browser import Form


class Field(NamedTuple):
    """One of them."""

    name: str
    label: str
    hint: str = ""
    kind: Literal["text", "area", "choice", "check"] = "text"
    #: Of a choice: what is sent, and how it is told.
    choices: tuple[tuple[str, str], ...] = ()
    #: Which errors are told beside it, by the fields that they name.
    errors: tuple[str, ...] = ()
    #: Of an area, lines.
    rows: int = 3
    #: Has a line for itself; an area has one anyway.
    long: bool = False

    @property
    def id(self) -> str:
        return f"field-{self.name}"

    @property
    def is_wide(self) -> bool:
        return self.long or self.kind == "area"

    def wrong(self, told: Mapping[str, str]) -> str:
        """What is wrong with it, of the sentences that are ``told`` by field."""
        return next((told[one] for one in (self.name, *self.errors) if one in told), "")


class Group(NamedTuple):
    """Fields that stand together."""

    title: str
    fields: tuple[Field, ...]

    def is_used(self, form: Form, told: Mapping[str, str]) -> bool:
        """Whether something is filled in, or ``told`` of as wrong."""
        return any(form.get(one.name) or one.wrong(told) for one in self.fields)
