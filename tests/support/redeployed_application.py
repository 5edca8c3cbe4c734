"""A WSGI application as users have one: takes a task, works a moment, answers 200.

Served by gunicorn (see ``application.py``). Writes a line to the file LEDGER when it
has begun a task and when it has done it, which is all that is known of it in the end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

#: Seconds that a task takes.
WORK = 0.005

_ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Every process of the application appends whole lines: so the system has it."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    envelope = json.loads(environ["wsgi.input"].read(length) or b"{}")
    task = environ.get("HTTP_POUSSETACHES_TASK_ID")
    if task:
        _write("began", task, envelope["tries"])
        time.sleep(WORK)
        _write("done", task, envelope["tries"])
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]


def _write(what: str, task: str, tries: int) -> None:
    row = [what, task, tries, time.monotonic()]
    os.write(_ledger, json.dumps(row).encode() + b"\n")
