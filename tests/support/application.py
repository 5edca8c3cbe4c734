"""An application of a user under gunicorn, which can be redeployed.

with Application(tmp_path / "app") as application:
    service.post("/", {"url": application.url("/task")})
    application.stop()
    application.start()
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.service import CHECKOUT, free_port, wait_until

#: Seconds that gunicorn may take to listen, and to leave.
START_DEADLINE = 20.0
STOP_DEADLINE = 20.0


class Deed(NamedTuple):
    """What the application did with a task."""

    #: "began" or "done".
    what: str
    task: str
    #: As the envelope says, from 1.
    tries: int
    #: Monotonic seconds, the same in all processes.
    at: float


class Application:
    """On a port of its own, through any number of starts. ``folder`` is made for it;
    ``arguments`` are gunicorn's."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        self._folder = folder
        self._ledger = folder / "ledger"
        self._ledger.touch()
        self._arguments = arguments
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Application:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "gunicorn", *self._arguments]
        command += ["--bind", f"127.0.0.1:{self.port}"]
        command += ["tests.support.redeployed_application:application"]
        environment = {
            "PYTHONPATH": str(CHECKOUT),
            "LEDGER": str(self._ledger),
            # gunicorn may keep files of its own there.
            "HOME": str(self._folder),
            "PATH": os.environ["PATH"],
        }
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._listens, START_DEADLINE, lambda: f"an answer\n{self.log}")

    def stop(self) -> None:
        """As a deploy does it: told to go, it ends what it has begun, and goes."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_DEADLINE)
            finally:
                self.kill()

    def kill(self) -> None:
        """As a machine does it: all its processes are gone at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def _log_path(self) -> Path:
        return self._folder / "log"

    @property
    def log(self) -> str:
        """What gunicorn said."""
        return self._log_path.read_text(errors="backslashreplace")

    def deeds(self) -> list[Deed]:
        """What it did so far, in order."""
        lines = self._ledger.read_text().splitlines()
        return [Deed(*json.loads(line)) for line in lines]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"gunicorn ended\n{self.log}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
