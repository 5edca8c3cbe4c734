"""The environment of the published client: an interpreter with it, and without ours.

It is made once, in ``.cache/`` of the checkout, with what pip finds on PyPI or wherever
pip is told to look, and used again by every later run.
"""

from __future__ import annotations

import fcntl
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]

#: What an application of the time had installed. There is no wheel of the client: pip
#: builds it, and fetches what that needs.
REQUIREMENTS = ("flask", "poussetaches==0.2.0")

#: Seconds for one step of the making; it downloads.
STEP_TIMEOUT = 600


def python_with_published_client() -> Path:
    """The interpreter, made first if need be. Raises AssertionError with what pip said
    if that fails. Runs at the same time wait for each other."""
    folder = CHECKOUT / ".cache" / f"published-client-{platform.python_version()}"
    folder.parent.mkdir(exist_ok=True)
    python = folder / "bin" / "python"
    complete = folder / "complete"
    # An interpreter that was moved or upgraded leaves a folder that no longer works.
    content = "\n".join([*REQUIREMENTS, sys.base_prefix, str(folder)])
    with _locked(folder.with_suffix(f"{folder.suffix}.lock")):
        if not (complete.exists() and complete.read_text() == content):
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", *REQUIREMENTS])
            complete.write_text(content)
    return python


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    # pip and the venv must see neither the checkout nor the tests' own environment.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME")
    }
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STEP_TIMEOUT,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
