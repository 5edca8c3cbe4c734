"""The budget: what requests and answers under way may have in memory together.

Runs in the api. No one client's limits bound what ten thousand clients send at once.
"""

from __future__ import annotations

#: A request up to this size is a small one, bytes.
SMALL = 64 * 1024


class Budget:
    """``limit``: bytes. Large requests may take three quarters of them, so that however
    many of those there are, small ones find room."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._for_large = limit - limit // 4
        #: Bytes held now. Who holds some adds them here, and takes them off again.
        self.held = 0

    def has_room(self, size: int, *, held: int = 0) -> bool:
        """Whether who holds ``held`` bytes of it may hold ``size`` instead."""
        share = self._limit if size <= SMALL else self._for_large
        return self.held - held + size <= share

    def is_spent(self) -> bool:
        """Whether nothing more may be held."""
        return self.held >= self._limit
