"""A data directory with tasks that wait already: made with ``poussetaches store
import`` while no service runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.figures import progress

PAYLOAD_SIZE = 150


@contextmanager
def backlog(
    count: int, targets: Sequence[str], *, eta: float = 0.0, gap: float = 0.0
) -> Iterator[str]:
    """The directory, for as long as it is needed; ``targets`` in turn.

    ``eta``: of the first task, posix seconds; each next one is due ``gap`` seconds
    later. No two payloads are the same. Raises RuntimeError if it cannot be made.
    """
    progress(f"making a queue of {count:,} tasks")
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as directory:
        command = [sys.executable, "-m", "poussetaches", "store", "import", "-"]
        command += ["--data-dir", directory]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdin is not None
            for number in range(count):
                payload = b64encode(b"%0*d" % (PAYLOAD_SIZE, number)).decode()
                process.stdin.write(
                    f'{{"kind":"task","id":"{number:032x}","order":{number},'
                    f'"eta":{eta + number * gap!r},"payload":"{payload}",'
                    f'"url":"{targets[number % len(targets)]}"}}\n'
                )
        if process.returncode != 0:
            raise RuntimeError("the queue cannot be made")
        yield directory
