"""What others do at the port while honest clients push."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import Laboratory
from tests.support.connection import Connection
from tests.support.service import wait_until

#: Connections that talk rubbish at once.
AT_ONCE = 20
#: Descriptors that each process of the service may have, and clients that do nothing.
FEW = 64
IDLE = 100
#: An honest client must be answered so many seconds after there are descriptors again.
RELIEVED = 2.0

PUSH = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 40\r\n\r\n"


class GarbageAtPort(ServiceFault):
    name = "garbage at the port"
    times = 10
    pause = (0.05, 0.2)

    def inject(self, lab: Laboratory) -> None:
        """From some connections at once, which soon hang up."""
        dice = lab.trial.dice
        rubbish: list[Callable[[], bytes]] = [
            lambda: dice.randbytes(dice.randrange(1, 5000)),
            lambda: PUSH[: dice.randrange(1, len(PUSH))],
            lambda: PUSH + dice.randbytes(dice.randrange(60)),
            lambda: b"GET / HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * 300_000),
            lambda: b"GET / HTTP/1.1\r\n%b\r\n" % (b"X-Many: y\r\n" * 5000),
            lambda: (
                b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                + dice.randbytes(50)
            ),
            lambda: b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9e9\r\n\r\n",
        ]
        with ExitStack() as stack:
            for _ in range(AT_ONCE):
                client = stack.enter_context(Connection(lab.service.port, timeout=0.2))
                # The other side may hang up in the middle of it, and rightly so.
                with suppress(OSError):
                    client.send(dice.choice(rubbish)())
            lab.let_run(0.1)
        lab.trial.count(AT_ONCE - 1)

    def verify(self, lab: Laboratory) -> None:
        restarts = lab.stats()["restarts"]
        lab.trial.expect(restarts == 0, f"{restarts} children had to be replaced")
        said_no = len(lab.load.unanswered)
        lab.trial.expect(said_no == 0, f"{said_no} honest pushes were not accepted")


class NoDescriptors(ServiceFault):
    name = "descriptors used up"
    times = 2

    def launcher(self, folder: Path) -> list[str]:
        return ["sh", "-c", f'ulimit -n {FEW} && exec "$@"', "sh"]

    def inject(self, lab: Laboratory) -> None:
        """By clients that connect and say nothing."""
        _raise_own_limit()
        with ExitStack() as stack:
            for _ in range(IDLE):
                idle = stack.enter_context(socket.socket())
                idle.setblocking(False)
                idle.connect_ex(("127.0.0.1", lab.service.port))
            lab.let_run(1.0)
        began = time.monotonic()
        wait_until(lambda: _is_answered(lab), 20)
        took = time.monotonic() - began
        lab.trial.expect(took < RELIEVED, f"no answer for {took:.1f} s afterwards")

    def verify(self, lab: Laboratory) -> None:
        restarts = lab.stats()["restarts"]
        lab.trial.expect(restarts == 0, f"{restarts} children had to be replaced")


def _is_answered(lab: Laboratory) -> bool:
    try:
        return lab.push().status == 201
    except OSError:
        return False


def _raise_own_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * IDLE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * IDLE), hard))
