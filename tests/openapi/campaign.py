"""One campaign: a service, and schemathesis against all that it describes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.service import CHECKOUT, Service

HERE = Path(__file__).parent

#: Nothing is delivered, wherever what is pushed is for, also after a resume.
SETTINGS = {
    "start_paused": True,
    "workers": 1,
    "durability": "off",
    "auto_create_queues": True,
    "allowed_targets": "192.0.2.1",
}


class Found(NamedTuple):
    """What came of it."""

    #: Whether every answer was as described.
    well: bool
    #: What schemathesis says, for people.
    report: str


def run(folder: Path, *, examples: int, seed: int | None, timeout: float) -> Found:
    """Start a service in ``folder`` and try every operation with so many examples.

    ``seed`` None: always the same ones. ``timeout``: seconds.
    """
    with Service(folder, settings=SETTINGS) as service:
        command = [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(HERE / "schemathesis.toml"), "run"),
            *("--max-examples", str(examples)),
            *(
                ("--generation-deterministic",)
                if seed is None
                else ("--seed", str(seed))
            ),
            f"{service.url}/openapi.json",
        ]
        environment = os.environ | {
            "PYTHONPATH": str(CHECKOUT),
            "SCHEMATHESIS_HOOKS": "tests.openapi.hooks",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        report = done.stdout.decode(errors="replace")
        state = service.get("/stats").json()
        found = [
            f"{name}: {state[name]}"
            for name in ("restarts", "accounting_difference")
            if state[name]
        ]
        if "Traceback" in service.log:
            found.append(service.log)
    return Found(done.returncode == 0 and not found, "\n".join([report, *found]))
