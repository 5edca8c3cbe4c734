"""The target that means no good: starts ``hostile_process.py`` and asks it what has
arrived.

with Hostile() as hostile:
    service.post("/", {"url": hostile.url("/drip-body")})
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(__file__).parent / "hostile_process.py"


class Arrival(NamedTuple):
    """One request that arrived."""

    #: Posix seconds.
    at: float
    #: Its headers Poussetaches-Task-Id and -Attempt.
    task: str
    attempt: int
    path: str
    #: Request line and headers.
    head: str


class Hostile:
    """A target while it runs."""

    def __enter__(self) -> Hostile:
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        ports = self._process.stdout.readline().split()
        #: The second one is where nobody should ever come.
        self.port, self.nowhere = map(int, ports)
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        status = self._process.wait(10)
        assert status == 0, f"the hostile target failed: exit status {status}"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def arrivals(self, task: str = "") -> list[Arrival]:
        """What has arrived so far, in order; with ``task`` only what was for it."""
        found = [Arrival(*row) for row in self._look()[1:]]
        return [one for one in found if task in ("", one.task)]

    def visitors(self) -> int:
        """How many came to where nobody should."""
        found: int = self._look()[0]
        return found

    def _look(self) -> list[Any]:
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            sock.sendall(b"LOOK / HTTP/1.1\r\n\r\n")
            with sock.makefile("rb") as answer:
                found: list[Any] = json.loads(answer.read())
                return found
