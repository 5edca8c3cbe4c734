"""The demo's service: where people look for one, if that place is free."""

from __future__ import annotations

from pathlib import Path

from poussetaches.cli.own_service import OwnService
from poussetaches.cli.port import free_port

#: Where a service is looked for, and so where the demo's is if it can be.
PORT = 7991


def choose_port(wanted: int | None) -> int:
    """``wanted``, or PORT, or else any that is free. Raises StartupError."""
    return free_port(wanted) if wanted else free_port(PORT, 0)


class DemoService(OwnService):
    """Runs from ``with`` to its end. ``folder`` gets the data directory and the log."""

    def __init__(self, folder: Path, port: int, auth_key: str) -> None:
        # The demo's application answers at once.
        super().__init__(folder, port, {"drain_timeout": "3s"}, auth_key)
