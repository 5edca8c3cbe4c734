"""The target of a test: starts ``receiver_process.py`` and asks it what has arrived.

with Receiver() as receiver:
    service.post("/", {"url": receiver.url("/mail?status=500,200")})
    first, second = receiver.wait_for(2)
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.service import wait_until

SCRIPT = Path(__file__).parent / "receiver_process.py"


class Arrival(NamedTuple):
    """One request that arrived."""

    #: When it had arrived; monotonic seconds, the same in all processes.
    at: float
    #: When it was answered; None if it was not, or nobody was there any more.
    answered_at: float | None
    #: Its headers Poussetaches-Task-Id and -Attempt.
    task: str
    attempt: int
    #: The status it was (or is to be) answered with; 0 if by no whole answer.
    status: int
    #: With the query.
    path: str
    #: Request line and headers, without the blank line.
    head: str
    body: str

    @property
    def headers(self) -> dict[str, str]:
        """By name, as it was spelled."""
        lines = self.head.split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    @property
    def envelope(self) -> dict[str, Any]:
        """The body, from JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """A target while it runs."""

    def __enter__(self) -> Receiver:
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C on a terminal is for the tests to act on.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        status = self._process.wait(10)
        assert status == 0, f"the receiver failed: exit status {status}"

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def arrivals(self, task: str = "") -> list[Arrival]:
        """What has arrived so far, in order; with ``task`` only what was for it."""
        found = [Arrival(*row) for row in json.loads(self._look("/arrivals"))]
        return [one for one in found if task in ("", one.task)]

    def take(self) -> list[Arrival]:
        """What has arrived since it was last asked so, in order."""
        return [Arrival(*row) for row in json.loads(self._look("/take"))]

    def wait_for(
        self, count: int, *, task: str = "", deadline: float = 10.0
    ) -> list[Arrival]:
        """The arrivals, as soon as there are ``count`` of them."""

        def enough() -> list[Arrival] | None:
            found = self.arrivals(task)
            return found if len(found) >= count else None

        return wait_until(
            enough,
            deadline,
            lambda: f"{count} arrivals, there are {len(self.arrivals(task))}",
        )

    def release(self) -> None:
        """Answer all that is delayed, and delay nothing from now on."""
        self._look("/release")

    def leave(self, seconds: float) -> None:
        """Go away as an application does that is redeployed. Returns when it is there
        again, after so many seconds."""
        self._look(f"/leave/{seconds}")
        ends = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > ends and self._is_there(), seconds + 10)

    def _is_there(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except ConnectionRefusedError:
            return False
        return True

    def _look(self, path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            sock.sendall(f"LOOK {path} HTTP/1.1\r\n\r\n".encode())
            with sock.makefile("rb") as answer:
                return answer.read(int(answer.readline()))
