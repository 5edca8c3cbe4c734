"""Processes of others: started with all they start, measured, ended by their ids."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
#: How long a program may take until it listens, and to be gone; seconds.
PATIENCE = 60.0


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], output: Path
) -> Iterator[int]:
    """Run a program from the root of the checkout; its process id.

    What it prints goes to the file ``output``. At the end it is killed with all its
    descendants: nothing of theirs is worth keeping.
    """
    with (
        output.open("ab") as file,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield process.pid
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended:\n{output.read_text()[-2000:]}")
        finally:
            # The id of one that has ended may be another's by now.
            if process.poll() is None:
                _end(family(process.pid))


def _end(pids: list[int]) -> None:
    """Kill them and wait until none of them can write to a file any more."""
    for pid in pids:
        # Some end by themselves as soon as their parent does.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    give_up = time.monotonic() + PATIENCE
    while any(map(_lives, pids)) and time.monotonic() < give_up:
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    """Whether there is such a process, and not only its exit status."""
    stat = _stat(pid)
    return bool(stat) and stat[0] != "Z"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; empty: no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def family(pid: int) -> list[int]:
    """The ids of a process and of all its living descendants, parents first."""
    pids = [pid]
    for parent in pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                pids.extend(map(int, children.read_text().split()))
    return pids


def cpu(pid: int) -> float:
    """Processor seconds of a process and its descendants so far.

    Also of those descendants that have ended and were waited for.
    """
    ticks = sum(int(each) for pid in family(pid) for each in _stat(pid)[11:15])
    return ticks / TICKS


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def wait_until_listening(port: int, output: Path) -> None:
    """Raises RuntimeError, with what the program printed, if nobody does for long."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"nobody listens on {port}:\n{output.read_text()[-2000:]}")
