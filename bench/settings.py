"""How the service that is measured runs, and how it is driven."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the service, and of the documentation's figures."""

    workers: int = 2
    #: Attempts that one worker makes at once.
    concurrency: int = 16
    durability: str = "always"
    #: Keep-alive connections of the generator.
    connections: int = 16
    #: Rates are the median of so many.
    rounds: int = 3

    def flags(self, *more: str) -> list[str]:
        """For ``poussetaches serve``."""
        return [
            *("--workers", str(self.workers)),
            *("--concurrency", str(self.concurrency)),
            *("--durability", self.durability),
            *more,
        ]

    def __str__(self) -> str:
        return (
            f"{self.workers} workers with {self.concurrency} attempts each,"
            f" durability {self.durability}, {self.connections} connections,"
            f" medians of {self.rounds}"
        )
