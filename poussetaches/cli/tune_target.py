"""What ``tune`` delivers to: an application of its own, or somebody's."""

from __future__ import annotations

import socket
import subprocess
import sys

from poussetaches.errors import StartupError, Unavailable
from poussetaches.model.target import parse_target
from poussetaches.supervisor.children import SAFE_PATH

#: How long a connection may take, seconds.
CONNECT_TIMEOUT = 5.0
#: How long the receiver may take to leave, seconds.
STOP_TIMEOUT = 10.0


class Receiver:
    """Runs ``tune_receiver`` from ``with`` to its end. ``answer_time``: seconds."""

    def __init__(self, answer_time: float) -> None:
        module = "poussetaches.cli.tune_receiver"
        self._command = [sys.executable, *SAFE_PATH, "-m", module, str(answer_time)]

    def __enter__(self) -> Receiver:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the command to act on.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip().decode()
        if not port:
            self.__exit__()
            raise StartupError("the receiver of the deliveries cannot start")
        self.url = f"http://127.0.0.1:{port}/"
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        # Its end.
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def reach(url: str) -> None:
    """Connect to where ``url`` leads, and send nothing.

    Raises InvalidInput if it is no URL, Unavailable if nobody is there.
    """
    target = parse_target(url)
    try:
        address = (target.host, target.port)
        socket.create_connection(address, CONNECT_TIMEOUT).close()
    except OSError as error:
        raise Unavailable(
            f"{target.host_header} cannot be reached: {error.strerror or error}"
        ) from error
