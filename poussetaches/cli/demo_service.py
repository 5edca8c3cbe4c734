"""The demo's service: the real program, on a directory that goes with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from poussetaches.cli.service import Service
from poussetaches.errors import StartupError, Unavailable

HOST = "127.0.0.1"
#: Where a service is looked for, and so where the demo's is if it can be.
PORT = 7991
#: How long the service may take to leave, seconds. It waits for attempts in flight, and
#: the demo's application answers at once.
STOP_TIMEOUT = 10.0


def choose_port(wanted: int | None) -> int:
    """``wanted``, or PORT, or else any that is free. Raises StartupError."""
    for port in (wanted,) if wanted else (PORT, 0):
        with socket.socket() as probe:
            # As the service does: what connections of the past left does not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                # Two may bind one port like that, but only one can listen.
                probe.listen()
            except OSError as error:
                reason = error.strerror
                continue
            return int(probe.getsockname()[1])
    raise StartupError(f"port {wanted} of {HOST} cannot be used: {reason}")


class DemoService:
    """Runs from ``with`` to its end. ``folder`` gets the data directory and the log."""

    def __init__(self, folder: Path, port: int, auth_key: str) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log_path = folder / "service.log"
        self._command = [sys.executable, "-m", "poussetaches", "serve"]
        self._command += ["--bind", f"{HOST}:{port}"]
        self._command += ["--data-dir", str(folder / "data"), "--drain-timeout", "3s"]
        # The settings of a service that is not this one do not concern it.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("POUSSETACHES_")
        }
        self._environment["POUSSETACHES_AUTH_KEY"] = auth_key
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> DemoService:
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo to act on.
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            # Its children leave when their channel to it closes.
            self._process.kill()
            self._process.wait()

    def is_ready(self) -> bool:
        """Whether it takes tasks and can deliver them. Raises as ``check``."""
        self.check()
        try:
            stats = Service(self.url).get("/stats")
        except Unavailable:
            return False
        # Somebody else may have taken the port a moment ago.
        is_ours: bool = stats["supervisor"]["pid"] == self._process.pid
        return is_ours and stats["workers"] > 0

    def check(self) -> None:
        """Raises StartupError, with the last thing it said, if it has ended."""
        status = self._process.poll()
        if status is not None:
            last = self.log_tail(1).removeprefix("poussetaches: ")
            raise StartupError(f"the service ended with status {status}: {last}")

    def log_tail(self, lines: int) -> str:
        """The last lines of its log."""
        text = self.log_path.read_text(errors="backslashreplace")
        return "\n".join(text.splitlines()[-lines:])
