"""Dead letters of one cause in the public JSON."""

from __future__ import annotations

from typing import Any, NamedTuple


class GroupView(NamedTuple):
    """A group as the supervisor tells of it. Times are posix seconds."""

    #: The id of the cause, and what that is.
    cause: str
    origin: str
    path: str
    #: NO_ANSWER: there was none.
    status: int
    error: str
    #: How many they are.
    number: int
    #: When the first and the last of them died.
    first: float
    last: float
    #: The id of the last.
    sample: str

    @property
    def position(self) -> tuple[float, int]:
        """Where it stands among others, the largest first (see ``Group.position``)."""
        return -float(self.number), int(self.cause, 16)

    def with_more(self, other: GroupView) -> GroupView:
        """The same cause, with the dead letters of ``other`` besides its own."""
        last = max(self, other, key=lambda view: view.last)
        return last._replace(
            number=self.number + other.number, first=min(self.first, other.first)
        )


def group_json(view: GroupView) -> dict[str, Any]:
    """What is shown of a group."""
    shown = view._asdict()
    return {"count" if name == "number" else name: shown[name] for name in shown}
