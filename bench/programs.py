"""The processes of a measurement: started, asked, measured, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bench import process

#: How long a service may take from its start to its READY, seconds.
START_PATIENCE = 120.0


def run(module: str, *arguments: object) -> Any:
    """What a module that ends by itself prints, as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


class Program:
    """A module that prints its port and goes on."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name = name
        self._process = process
        self.pid = process.pid
        self.port = int(self._line())

    def ask(self, question: str) -> Any:
        """Its answer, JSON, to a line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} has ended")
        return line


@contextmanager
def program(module: str, *arguments: object) -> Iterator[Program]:
    """Run a module that prints its port, and end it."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield Program(module, started)
        finally:
            started.kill()


class Service:
    """The real service, on loopback and in a directory of its own."""

    def __init__(self, port: int, start_seconds: float) -> None:
        self.port = port
        #: From the start of the command until it was READY.
        self.start_seconds = start_seconds

    def stats(self) -> dict[str, Any]:
        """``GET /stats``."""
        stats: dict[str, Any] = self.get("/stats")
        return stats

    def get(self, path: str) -> Any:
        """``GET``, its JSON."""
        with urllib.request.urlopen(self._url(path), timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str) -> None:
        """``POST`` without a body."""
        urllib.request.urlopen(self._url(path), data=b"", timeout=60).close()

    def offers(self, path: str) -> bool:
        """Whether a ``POST`` there, with no proper body, is anything but a 404."""
        try:
            self.post(path)
        except urllib.error.HTTPError as error:
            return error.code != 404
        return True

    def usage(self) -> dict[str, float]:
        """Processor seconds of each process so far, by its name."""
        return {name: process.cpu(pid) for name, pid in self.pids().items()}

    def peak_memory(self) -> dict[str, int]:
        """The most memory each process ever had, bytes, by its name."""
        return {name: process.peak(pid) for name, pid in self.pids().items()}

    def memory(self) -> dict[str, int]:
        """The memory of each process, bytes, by its name."""
        return {name: process.resident(pid) for name, pid in self.pids().items()}

    def pids(self) -> dict[str, int]:
        """The process ids by their names."""
        stats = self.stats()
        pids = {"supervisor": stats["supervisor"]["pid"]}
        pids.update((child["name"], child["pid"]) for child in stats["children"])
        return pids

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def service(settings: Sequence[str], directory: str | None = None) -> Iterator[Service]:
    """Run the service with ``settings`` (flags), and stop it.

    ``directory``: its data, a new one unless given. Raises RuntimeError if it does not
    become ready.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as new:
        command = [sys.executable, "-m", "poussetaches", "serve"]
        command += ["--bind", f"127.0.0.1:{port}", "--data-dir", directory or new]
        # Of a setting that is given twice, the last one counts.
        command += ["--log-level", "warning", *settings]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(f"{new}/notices")
            environment = {**os.environ, "NOTIFY_SOCKET": f"{new}/notices"}
            began = time.monotonic()
            with subprocess.Popen(command, env=environment) as started:
                try:
                    _wait_until_ready(notices, started)
                    yield Service(port, time.monotonic() - began)
                finally:
                    started.send_signal(signal.SIGTERM)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _wait_until_ready(notices: socket.socket, started: subprocess.Popen[bytes]) -> None:
    """As systemd learns of it, at that very moment."""
    notices.settimeout(0.1)
    ends = time.monotonic() + START_PATIENCE
    while time.monotonic() < ends:
        if started.poll() is not None:
            raise RuntimeError("the service ended at its start")
        try:
            if b"READY=1" in notices.recv(4096):
                return
        except TimeoutError:
            continue
    raise RuntimeError("the service does not become ready")
