"""The filter: which tasks of a list somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from poussetaches.model.line import Position
from poussetaches.model.target import hide_password
from poussetaches.model.task import Task

#: Finds the URL, UTF-8, in a sealed Spec.
UrlOf = Callable[[bytes], bytes]


class Filter(NamedTuple):
    """What all of them have in common; a task must fit everything that is given."""

    queue: str | None = None
    #: See ``Terms.origin``.
    origin: str | None = None
    #: With which its URL begins as it is shown, UTF-8: who sees no password is not to
    #: find it letter by letter.
    url: bytes = b""
    #: Ranges, both ends included, of the status of its last failed attempt (see
    #: ``Task.error_status``); none: any.
    statuses: tuple[tuple[int, int], ...] = ()
    #: Of dead letters: the id of their cause.
    cause: str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it lets every task through."""
        return self == ALL

    def position(self, task: Task) -> Position:
        """Where ``task`` stands in the list: the dead letters of a cause are in order
        of dying, all others in that of their eta."""
        at = task.eta if self.cause is None else task.last_run_at
        return at, task.order

    def test(self, url_of: UrlOf) -> Callable[[Task], bool]:
        """Says of a task whether it fits, but for its cause."""
        queue, origin, url, statuses, _ = self

        def fits(task: Task) -> bool:
            terms = task.terms
            if queue is not None and terms.queue != queue:
                return False
            if origin is not None and terms.origin != origin:
                return False
            if statuses:
                status = task.error_status
                if not any(first <= status <= last for first, last in statuses):
                    return False
            return not url or _shown(url_of(task.spec)).startswith(url)

        return fits


def _shown(url: bytes) -> bytes:
    if b"@" not in url:
        return url
    return hide_password(url.decode("utf-8", "replace")).encode()


#: Lets every task through.
ALL = Filter()
