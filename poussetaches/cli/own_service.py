"""A service of the command line's own: the real program, on a directory that goes with
it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from poussetaches.cli.service import Service
from poussetaches.errors import StartupError, Unavailable
from poussetaches.lifeline import die_with_parent
from poussetaches.supervisor.children import SAFE_PATH

HOST = "127.0.0.1"
#: How long the service may take to start, seconds. It takes one where the machine has
#: nothing else to do.
START_TIMEOUT = 30.0
#: How long it may take to leave, seconds. It waits for attempts in flight.
STOP_TIMEOUT = 10.0
#: Between two questions to the service, seconds.
PAUSE = 0.02


class OwnService:
    """Runs from ``with`` to its end.

    ``folder`` gets the data directory and the log. ``settings`` by their names; those
    of the environment do not count. ``auth_key``: sent to every target. ``tied``: the
    kernel ends it with this process, whatever ends that; only where no thread runs.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        settings: Mapping[str, str],
        auth_key: str,
        *,
        tied: bool = False,
    ) -> None:
        self.url = f"http://{HOST}:{port}"
        self.log_path = folder / "service.log"
        self._command = [sys.executable, *SAFE_PATH, "-m", "poussetaches", "serve"]
        given = {"bind": f"{HOST}:{port}", "data_dir": str(folder / "data")}
        for name, value in (given | dict(settings)).items():
            self._command += ["--" + name.replace("_", "-"), value]
        # The settings of a service that is not this one do not concern it.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("POUSSETACHES_")
        }
        self._environment["POUSSETACHES_AUTH_KEY"] = auth_key
        self._tie = die_with_parent if tied else None
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> OwnService:
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the command to act on.
                start_new_session=True,
                preexec_fn=self._tie,
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

    def wait_until_ready(self, workers: int, pause: Callable[[float], object]) -> None:
        """Return when it takes tasks and so many workers can deliver them.

        ``pause`` is called with seconds. Raises StartupError.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while not self.is_ready(workers):
            if time.monotonic() > deadline:
                raise StartupError(f"the service does not answer: {self.log_tail(1)}")
            pause(PAUSE)

    def is_ready(self, workers: int = 1) -> bool:
        """Whether it takes tasks, and so many workers can deliver them. Raises as
        ``check``."""
        self.check()
        try:
            stats = Service(self.url).get("/stats")
        except Unavailable:
            return False
        # Somebody else may have taken the port a moment ago.
        is_ours: bool = stats["supervisor"]["pid"] == self._process.pid
        return is_ours and stats["workers"] >= workers

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
