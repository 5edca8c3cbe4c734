"""An origin in the public JSON: what is shown of one, and which is to be let go on."""

from __future__ import annotations

from typing import Any, NamedTuple

from poussetaches.errors import InvalidInput
from poussetaches.schema.json import read_object
from poussetaches.schema.special import origin_of


class OriginView(NamedTuple):
    """An origin as the supervisor tells of it."""

    origin: str
    #: "open", "held", "slowed" or "given up".
    state: str
    #: When it was found to be away; posix seconds, None: it is not.
    since: float | None
    #: When it is tried next; None: it is now.
    next_probe: float | None
    #: Attempts at once for now; None: no fewer than ever.
    limit: int | None
    #: Attempts at once that it may ever see; None: its share.
    cap: int | None
    in_flight: int
    waiting: int
    #: What said last that it is away; None: it is not.
    reason: str | None = None


def origin_json(view: OriginView) -> dict[str, Any]:
    """What is shown of an origin."""
    return view._asdict()


def parse_lift(body: bytes) -> str | None:
    """Which origin is to be let go on (``Target.origin_text``); None: all.

    Raises InvalidInput naming the field and the reason.
    """
    given = read_object(body or b"{}")
    for name in given:
        if name != "origin":
            raise InvalidInput(f"{name}: there is no such field", field=name)
    if given.get("origin") is None:
        return None
    return origin_of(given["origin"], "origin")
