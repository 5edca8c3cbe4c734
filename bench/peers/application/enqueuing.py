"""Tasks enqueued at full speed or at a rate, one after the other, by one process."""

from __future__ import annotations

import json
import resource
import sys
import time
from base64 import b64encode
from collections.abc import Callable

from bench.generator import PAYLOAD_SIZE


def main(enqueue: Callable[[str], object]) -> None:
    """As the arguments say, COUNT [RATE]; prints the figures as JSON."""
    count = int(sys.argv[1])
    rate = float(sys.argv[2]) if sys.argv[2:] else None
    # The first one opens connections, declares queues: it is counted, not timed.
    enqueue(_payload())
    used_before = _used()
    began = time.monotonic()
    for number in range(1, count):
        if rate is not None:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        enqueue(_payload())
    ended = time.monotonic()
    figures = {"began": began, "ended": ended, "cpu": _used() - used_before}
    sys.stdout.write(json.dumps(figures))


def _payload() -> str:
    """What ``bench.generator`` sends: when it was made, and blanks, in base64."""
    text = f"{time.monotonic():.6f}"
    return b64encode(text.rjust(PAYLOAD_SIZE).encode()).decode()


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
