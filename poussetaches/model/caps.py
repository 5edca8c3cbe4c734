"""Caps: how many attempts at once an origin may ever see, over all workers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from poussetaches.errors import InvalidInput
from poussetaches.model.target import parse_target

#: More at once than this is no cap.
MOST = 1_000_000

_NUMBER = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True)
class Caps:
    """No caps, if nothing is given."""

    #: Of every origin that has none of its own; None: its share of the slots.
    usual: int | None = None
    #: By origin (``Target.origin_text``).
    own: Mapping[str, int] = field(default_factory=dict)

    def of(self, origin: str) -> int | None:
        """The cap of ``origin``; None: it has none."""
        return self.own.get(origin, self.usual)

    @classmethod
    def parse(cls, text: str) -> Caps:
        """From entries with commas or blanks between them: ``4``, for every origin, and
        ``http://127.0.0.1:8000=2``, for that one.

        Raises ValueError with the end of a sentence that says which entry is wrong.
        """
        usual = None
        own: dict[str, int] = {}
        for entry in filter(None, re.split(r"[,\s]+", text)):
            url, _, number = entry.rpartition("=")
            if not _NUMBER.fullmatch(number) or not 1 <= int(number) <= MOST:
                raise ValueError(
                    f'has "{entry}", where a number from 1 to {MOST} is missing'
                )
            if not url:
                usual = int(number)
                continue
            try:
                own[parse_target(url).origin_text] = int(number)
            except InvalidInput as error:
                raise ValueError(f'has "{entry}": {error.message}') from error
        return cls(usual, own)

    def __str__(self) -> str:
        usual = [] if self.usual is None else [str(self.usual)]
        return ", ".join(usual + [f"{url}={most}" for url, most in self.own.items()])


NO_CAPS = Caps()
