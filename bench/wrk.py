"""The generator where only the number counts: wrk, with one body for every request.

It runs for a time, not for a count, and what was under way at its end is answered to
nobody: how many pushes were accepted is the service's to say.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

PAYLOAD_SIZE = 150

SCRIPT = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "{content_type}"
done = function(summary, latency, requests)
  io.write(string.format(
    '\\n{{"answers":%d,"micros":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}}\\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write
      + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Load(NamedTuple):
    """What came of it."""

    #: Answers, and over how many seconds.
    answers: int
    seconds: float
    #: From request to answer, seconds.
    p50: float
    p99: float
    #: Processor seconds of wrk.
    cpu: float


def push_body(target: str) -> str:
    """The JSON of one push."""
    payload = b64encode(b"x" * PAYLOAD_SIZE).decode()
    return f'{{"url":"{target}","payload":"{payload}"}}'


def wrk(
    port: int,
    body: str,
    *,
    seconds: int,
    connections: int,
    path: str = "/",
    content_type: str = "application/json",
) -> Load:
    """POST ``body`` again and again, one request at a time on each connection.

    Raises RuntimeError if anything but 2xx or 3xx is answered.
    """
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as directory:
        script = Path(directory, "push.lua")
        script.write_text(SCRIPT.format(body=body, content_type=content_type))
        command = ["wrk", "--threads", "1", "--connections", str(connections)]
        command += ["--duration", f"{seconds}s", "--timeout", "30s"]
        command += ["--script", str(script), f"http://127.0.0.1:{port}{path}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
            assert started.stdout is not None
            printed = started.stdout.read()
            _, status, used = os.wait4(started.pid, 0)
            started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode != 0:
        raise RuntimeError(f"wrk failed: {printed.decode()}")
    said = json.loads(printed.splitlines()[-1])
    if said["refused"] or said["broken"]:
        raise RuntimeError(f"not every push was accepted: {said}")
    return Load(
        said["answers"],
        said["micros"] / 1e6,
        said["p50"] / 1e6,
        said["p99"] / 1e6,
        used.ru_utime + used.ru_stime,
    )
