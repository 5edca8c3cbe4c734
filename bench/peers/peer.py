"""A peer: its broker, its workers, and the program that enqueues."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.peers import environments
from bench.peers.brokers import Broker
from bench.peers.processes import ROOT, cpu, running


class Peer:
    """``commands`` start its workers, ``stack`` ends them."""

    def __init__(
        self,
        family: str,
        commands: list[str],
        broker: Broker,
        port: int,
        client: str,
        directory: Path,
        stack: ExitStack,
    ) -> None:
        self._family = family
        self._commands = commands
        self._broker = broker
        self._environment = {
            "BENCH_BROKER": broker.url,
            "BENCH_TARGET": str(port),
            "BENCH_CLIENT": client,
            "PYTHONPATH": str(ROOT),
        }
        self._output = directory / "workers.log"
        self._stack = stack
        self._workers: list[int] = []

    def enqueue(self, count: int, rate: float | None = None) -> Any:
        """See ``Subject``."""
        module = f"bench.peers.application.{self._family}"
        command = [self._program("python"), "-m", module, str(count)]
        enqueued = subprocess.run(
            [*command, *([str(rate)] if rate else [])],
            cwd=ROOT,
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(enqueued.stdout)

    def work(self) -> None:
        """See ``Subject``."""
        for command in self._commands:
            program, *arguments = command.format(
                broker=self._broker.url, programs=environments.directory(self._family)
            ).split()
            started = running(
                [self._program(program), *arguments], self._environment, self._output
            )
            self._workers.append(self._stack.enter_context(started))

    def usage(self) -> dict[str, float]:
        """See ``Subject``."""
        usage = {"workers": sum(map(cpu, self._workers))}
        if self._broker.pid is not None:
            usage["broker"] = cpu(self._broker.pid)
        return usage

    def printed(self) -> str:
        """The last that its workers printed."""
        if not self._output.exists():
            return ""
        return self._output.read_text(errors="replace")[-2000:]

    def _program(self, name: str) -> str:
        return str(environments.directory(self._family) / name)


@contextmanager
def peer(
    family: str,
    commands: list[str],
    broker: Callable[[Path], AbstractContextManager[Broker]],
    port: int,
    client: str,
) -> Iterator[Peer]:
    """Run its broker, and with a receiver on ``port`` its workers, when they are to.

    What is raised meanwhile is raised with the last that its workers printed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as name,
        broker(Path(name)) as runs,
        ExitStack() as stack,
    ):
        started = Peer(family, commands, runs, port, client, Path(name), stack)
        try:
            yield started
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{started.printed()}") from error
