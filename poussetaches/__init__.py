"""Takes a task over HTTP, keeps it safe, and pushes it until it is done.

What an application needs is here: ``from poussetaches import PousseTaches``. Every
process of the service imports this file first, before it has patched or chosen
anything, so it imports nothing; the names below are fetched when they are asked for.
"""

from __future__ import annotations

__version__ = "1.0.0"
__all__ = ["GetTask", "PousseTaches", "Task"]

#: What type checkers take for true and the interpreter for false; typing's own would
#: have to be imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from poussetaches.client.client import GetTask, PousseTaches, Task


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from poussetaches.client import client

    return getattr(client, name)
