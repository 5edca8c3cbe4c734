"""The filter: which tasks of a list somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from poussetaches.model.line import Position
from poussetaches.model.target import hide_password
from poussetaches.model.task import Task

#: Finds the URL, UTF-8, in a sealed Spec.
UrlOf = Callable[[bytes], bytes]
#: Finds the metadata, JSON in UTF-8, in the same.
MetadataOf = Callable[[bytes], bytes]

#: A task that is searched for a text costs a slice as much as one of so many bytes that
#: is shown: the same slice has about half as many as with other filters.
TEXT_WEIGHT = 512


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
    #: What stands somewhere in its URL, key, group, metadata or last error, UTF-8, in
    #: small letters: those of ASCII are the same as large ones.
    text: bytes = b""

    @property
    def is_wide(self) -> bool:
        """Whether it lets every task through."""
        return self == ALL

    def position(self, task: Task) -> Position:
        """Where ``task`` stands in the list: the dead letters of a cause are in order
        of dying, all others in that of their eta."""
        at = task.eta if self.cause is None else task.last_run_at
        return at, task.order

    def weight(self, task: Task) -> int:
        """What it takes of a slice (see ``listing.SLICE_BYTES``) to find out whether
        ``task`` fits."""
        return TEXT_WEIGHT + len(task.error or b"") if self.text else 0

    def test(self, url_of: UrlOf, metadata_of: MetadataOf) -> Callable[[Task], bool]:
        """Says of a task whether it fits, but for its cause."""
        queue, origin, url, statuses, _, text = self

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
            if not url and not text:
                return True
            shown = _shown(url_of(task.spec))
            return shown.startswith(url) and (not text or has_text(task, shown))

        def has_text(task: Task, shown: bytes) -> bool:
            key, special = task.terms.key, task.terms.special
            return (
                text in shown.lower()
                or (task.error is not None and text in task.error.lower())
                or (key != "" and text in key.encode().lower())
                or (special is not None and text in special.group.encode().lower())
                or text in metadata_of(task.spec).lower()
            )

        return fits


def _shown(url: bytes) -> bytes:
    """As everybody may see it: a filter is no way to guess a password."""
    return (
        hide_password(url.decode("utf-8", "replace")).encode() if b"@" in url else url
    )


#: Lets every task through.
ALL = Filter()
