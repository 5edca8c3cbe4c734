"""The brokers of the peers: installed, started on loopback with empty data, ended."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.processes import free_port, running, wait_until_listening

REDIS = "redis-server"
#: Debian's own start script is for the system's service: it changes the user.
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"
#: The packages of Debian, by the program that is looked for.
PACKAGES = {REDIS: "redis-server", RABBITMQ: "rabbitmq-server"}


@dataclass(frozen=True)
class Broker:
    """One that runs."""

    #: What clients connect to: a URL, or the name of a file.
    url: str
    #: Its process; None: it has none.
    pid: int | None


def install(programs: set[str]) -> None:
    """Have those brokers on this machine.

    Raises RuntimeError, with what to do, if one is missing and we are not root.
    """
    missing = [PACKAGES[each] for each in sorted(programs) if not shutil.which(each)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(f"missing: sudo apt-get install {' '.join(missing)}")
    # In runlevel 1 (so they are told) packages start no services.
    environment = {
        **os.environ,
        "RUNLEVEL": "1",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    install = ["install", "-y", "--no-install-recommends", *missing]
    for command in (["update"], install):
        subprocess.run(
            ["apt-get", "-qq", *command],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def version(program: str) -> str:
    """Of its package."""
    command = ["dpkg-query", "--show", "--showformat", "${Version}", PACKAGES[program]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def redis(directory: Path) -> Iterator[Broker]:
    """Redis that keeps everything in memory and nothing on disk: its fastest."""
    port = free_port()
    output = directory / "redis.log"
    command = [REDIS, "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--dir", str(directory), "--save", "", "--appendonly", "no"]
    with running(command, {}, output) as pid:
        wait_until_listening(port, output)
        yield Broker(f"redis://127.0.0.1:{port}/0", pid)


@contextmanager
def rabbitmq(directory: Path) -> Iterator[Broker]:
    """RabbitMQ as it comes, with a node name, a cookie and a port mapper of its own."""
    port, mapper, distribution = free_port(), free_port(), free_port()
    output = directory / "rabbitmq.log"
    (directory / "rabbitmq.conf").write_text("log.file.level = error\n")
    (directory / "plugins").write_text("[].\n")
    environment = {
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_NODENAME": f"bench-{os.getpid()}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface"
        " {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
    }
    # Started by us, or RabbitMQ would start one that outlives it.
    epmd = ["epmd", "-address", "127.0.0.1", "-port", str(mapper)]
    with running(epmd, {}, output):
        wait_until_listening(mapper, output)
        with running([RABBITMQ], environment, output) as pid:
            wait_until_listening(port, output)
            yield Broker(f"amqp://guest:guest@127.0.0.1:{port}/%2F", pid)


@contextmanager
def sqlite(directory: Path) -> Iterator[Broker]:
    """A file."""
    yield Broker(str(directory / "tasks.db"), None)
