"""Python's own waiting as gevent's: the first thing that a child imports and does."""

from __future__ import annotations

from gevent import events, monkey


def patch() -> None:
    """Have sockets, locks and sleeps of this process give way to other greenlets.

    gevent would look for plugins 25 times while it does so, and read what every package
    of the environment says of itself each time: among those of an application this
    takes longer than all the rest of a start. Nothing here has use for one.
    """
    # The stubs know neither of them.
    events.notify_and_call_entry_points = events.notify  # type: ignore[attr-defined]
    monkey.patch_all()
