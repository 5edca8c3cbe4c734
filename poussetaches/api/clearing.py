"""The clearing of dead letters: what takes long, slice by slice. Runs in the api."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import gevent

from poussetaches.api.gateway import BREATH, Gateway
from poussetaches.errors import QueueFull, StoreFull, Unavailable
from poussetaches.model.cursor import read_cursor, write_cursor
from poussetaches.model.filter import Filter
from poussetaches.schema import GroupView, Selection, clearing_cursor

#: After how long what was done is answered, with a cursor for the rest, seconds: who
#: asked must not take the service for dead.
CLEARING_TIME = 20.0
#: How many ids are named in one call.
IDS_AT_ONCE = 500
#: As many as there may be.
ALL_OF_THEM = 2**53

KINDS = {kind.code: kind for kind in (Unavailable, StoreFull, QueueFull)}


class Groups(NamedTuple):
    """A page of them, the largest first."""

    views: list[GroupView]
    #: Dead letters, and groups, that there are in all.
    total: int
    causes: int
    cursor: str | None


class Cleared(NamedTuple):
    """What was done with dead letters."""

    done: int
    #: Those with which it could not be done.
    skipped: int
    #: Where to go on; None: that was all.
    cursor: str | None
    #: Why it does not go on now.
    error: Unavailable | None = None


class Clearing:
    """Every method raises what the supervisor says no with, having done nothing."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def groups(self, filter: Filter, *, limit: int, cursor: str | None) -> Groups:
        """Dead letters that fit, by their causes."""
        self._gateway.group_dead()
        if filter.queue is None and not filter.url and not filter.text:
            told = self._gateway.dead(
                "groups", filter=filter, limit=limit, cursor=cursor
            )
            views = [GroupView(*row) for row in told["groups"]]
            return Groups(views, told["total"], told["causes"], told["cursor"])
        after = read_cursor(cursor)
        views = sorted(self._tally(filter), key=lambda view: view.position)
        beyond = [one for one in views if after is None or one.position > after]
        following = beyond[limit - 1].position if len(beyond) > limit else None
        total = sum(view.number for view in views)
        return Groups(beyond[:limit], total, len(views), write_cursor(following))

    def _tally(self, filter: Filter) -> Iterable[GroupView]:
        """The groups of a filter by which they fall apart."""
        views: dict[str, GroupView] = {}
        cursor: str | None = None
        while True:
            told = self._gateway.dead("tally", filter=filter, cursor=cursor)
            for row in told["groups"]:
                view = GroupView(*row)
                known = views.get(view.cause)
                views[view.cause] = view if known is None else known.with_more(view)
            cursor = told["cursor"]
            if cursor is None:
                return views.values()
            gevent.sleep(BREATH)

    def clear(self, verb: str, selection: Selection) -> Cleared:
        """``verb``, "retry" or "delete", what is selected; no more of it than can be
        done before who asked loses patience."""
        if selection.filter.cause is not None:
            self._gateway.group_dead()
        done = skipped = 0
        ids, before, cursor = selection.ids, selection.before, selection.cursor
        limit = selection.limit or ALL_OF_THEM
        until = time.monotonic() + CLEARING_TIME
        at = 0
        error: Unavailable | None = None
        while error is None:
            try:
                told = self._gateway.dead(
                    verb,
                    filter=selection.filter,
                    ids=None if ids is None else ids[at : at + IDS_AT_ONCE],
                    before=before,
                    cursor=cursor,
                    limit=limit - done,
                )
            except Unavailable as unavailable:
                if before is None:
                    raise
                error = unavailable
                break
            done += told["done"]
            skipped += told["seen"] - told["done"]
            at += told["seen"]
            before, cursor = told["before"], told["cursor"]
            error = _unavailable(told["full"])
            if done == limit or (cursor is None if ids is None else at == len(ids)):
                break
            if ids is None and time.monotonic() > until:
                break
            gevent.sleep(BREATH)
        following = None
        if cursor is not None and before is not None:
            following = clearing_cursor(before, cursor)
        if error is not None and not done:
            raise error
        return Cleared(done, skipped, following, error)


def _unavailable(told: Any) -> Unavailable | None:
    """What kept the supervisor from going on; None: nothing did."""
    if told is None:
        return None
    code, message, retry_after = told
    kind = KINDS.get(code, Unavailable)
    return kind(message, retry_after=retry_after)
