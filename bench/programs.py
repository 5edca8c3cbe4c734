"""The processes of a measurement: started, asked, measured, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def run(module: str, *arguments: object) -> Any:
    """What a module that ends by itself prints, as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


class Program:
    """A module that prints its port and goes on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def ask(self, question: str) -> Any:
        """Its answer, JSON, to a line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def program(module: str) -> Iterator[Program]:
    """Run a module that prints its port, and end it."""
    with subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


class Service:
    """The real service, on loopback and in a directory of its own."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self._process = process

    def stats(self) -> dict[str, Any]:
        """``GET /stats``."""
        url = f"http://127.0.0.1:{self.port}/stats"
        with urllib.request.urlopen(url, timeout=30) as answer:
            stats: dict[str, Any] = json.load(answer)
        return stats

    def post(self, path: str) -> None:
        """``POST`` without a body."""
        url = f"http://127.0.0.1:{self.port}{path}"
        urllib.request.urlopen(url, data=b"", timeout=30).close()

    def usage(self) -> dict[str, float]:
        """Processor seconds of each process so far, by its name."""
        return {name: _cpu(pid) for name, pid in self.pids().items()}

    def peak_memory(self) -> dict[str, int]:
        """The most memory each process ever had, bytes, by its name."""
        return {name: _memory(pid, "VmHWM") for name, pid in self.pids().items()}

    def memory(self) -> dict[str, int]:
        """The memory of each process, bytes, by its name."""
        return {name: _memory(pid, "VmRSS") for name, pid in self.pids().items()}

    def pids(self) -> dict[str, int]:
        """The process ids by their names."""
        stats = self.stats()
        pids = {"supervisor": stats["supervisor"]["pid"]}
        pids.update((child["name"], child["pid"]) for child in stats["children"])
        return pids

    def wait_until_ready(self) -> None:
        """Raises RuntimeError if the service ends instead, or takes half a minute."""
        for _ in range(300):
            if self._process.poll() is not None:
                raise RuntimeError("the service ended at its start")
            try:
                if self.stats()["workers"]:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise RuntimeError("the service does not become ready")


@contextmanager
def service(settings: Sequence[str], directory: str | None = None) -> Iterator[Service]:
    """Run the service with ``settings`` (flags), and stop it.

    ``directory``: its data, a new one unless given.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as new:
        command = [sys.executable, "-m", "poussetaches", "serve", *settings]
        command += ["--bind", f"127.0.0.1:{port}", "--data-dir", directory or new]
        with subprocess.Popen([*command, "--log-level", "warning"]) as process:
            try:
                running = Service(port, process)
                running.wait_until_ready()
                yield running
            finally:
                process.send_signal(signal.SIGTERM)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        values = file.read().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / TICKS


def _memory(pid: int, which: str) -> int:
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith(which))
    return int(line.split()[1]) * 1024
