"""The rules of schedules, read in one zone: the first slot, and what follows."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from poussetaches.errors import InvalidInput
from poussetaches.model.schedule import Rule, parse_rule


class Rules:
    """``zone``: the name of a time zone, "" for the machine's own; that of a schedule
    is its own, "" for this one.

    All moments are posix seconds of the wall clock. Every method raises InvalidInput
    for a rule that cannot be read, or a zone that is none.
    """

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone) if zone else None

    def read(self, text: str, zone: str = "") -> Rule:
        """The rule itself."""
        return parse_rule(text, self.zone_of(zone))

    def check(self, text: str, zone: str = "") -> None:
        """Raise InvalidInput if ``text`` is no rule, or one that never runs."""
        self.read(text, zone)

    def first(self, text: str, after: float, zone: str = "") -> float:
        """The slot with which a new schedule begins."""
        return self.read(text, zone).next(after)

    def following(self, text: str, slot: float, now: float, zone: str = "") -> float:
        """The slot after ``slot``, whose run has ended at ``now`` (see Rule)."""
        return self.read(text, zone).following(slot, now)

    def follows_wall_clock(self, text: str) -> bool:
        """Whether its slots are moments of the wall clock, rather than counted on: the
        same in every zone."""
        return not parse_rule(text, self._zone).is_interval

    def zone_of(self, name: str) -> ZoneInfo | None:
        """The zone of that name, None for the machine's own."""
        if not name:
            return self._zone
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInput(
                f"timezone: {name!r:.100} is no time zone, such as Europe/Paris or UTC",
                field="timezone",
            ) from None
