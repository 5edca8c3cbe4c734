"""A figure: a value, what it is compared with, and what it ought to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Aim(NamedTuple):
    """A bound of a figure's value, or of its ratio to the baseline."""

    limit: float
    #: Whether less is better.
    at_most: bool
    #: Whether the ratio is bound, rather than the value.
    of_ratio: bool = False

    def allows(self, number: float) -> bool:
        """Whether ``number`` is on the right side."""
        return number <= self.limit if self.at_most else number >= self.limit


def at_most(limit: float) -> Aim:
    """For a value, in its figure's unit."""
    return Aim(limit, True)


def at_least(limit: float) -> Aim:
    """For a value, in its figure's unit."""
    return Aim(limit, False)


def ratio_at_most(limit: float) -> Aim:
    """For value / baseline."""
    return Aim(limit, True, True)


def ratio_at_least(limit: float) -> Aim:
    """For value / baseline."""
    return Aim(limit, False, True)


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    #: Unique, for charts and machines: ``part.what``.
    key: str
    #: For people.
    name: str
    value: float
    #: ``/s``, ``us``, ``ms``, ``s``, ``MB``, ``bytes``; "" for a plain number.
    unit: str
    #: Measured in the same run, in the same unit.
    baseline: float | None = None
    #: What the baseline is.
    against: str = ""
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        """The value in baselines."""
        if not self.baseline:
            return None
        return self.value / self.baseline

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one, or without what it is about."""
        if self.aim is None:
            return None
        number = self.ratio if self.aim.of_ratio else self.value
        return None if number is None else self.aim.allows(number)

    def to_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "key": self.key,
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "against": self.against,
            "ratio": self.ratio,
            "aim": None if self.aim is None else self.aim._asdict(),
            "met": self.met,
        }


class Series(NamedTuple):
    """Points for a chart."""

    key: str
    points: list[tuple[float, ...]]


class Note(NamedTuple):
    """A sentence about what was not measured, or has to be known to read a figure."""

    text: str


#: What a measurement yields.
Found = Figure | Series | Note
