"""The receiver where only the number counts: an nginx of our own, answering 200.

It listens on loopback only, has its files in a temporary directory, and ends with the
measurement. That it takes a request at all is counted by its ``stub_status``.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import process
from bench.programs import free_port

#: Between two looks at how many have arrived, seconds.
LOOK = 0.02
#: Without any progress for so long, a measurement is given up, seconds.
PATIENCE = 30.0

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


class Nginx:
    """Where tasks are pushed to, and how many have arrived."""

    def __init__(self, port: int, pid: int) -> None:
        self.target = f"http://127.0.0.1:{port}/task"
        self._pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        #: What it counted that was no task: our own looks.
        self._looks = 0

    def arrived(self) -> int:
        """Requests for tasks since its start."""
        self._connection.request("GET", "/status")
        self._looks += 1
        # "server accepts handled requests" over the three numbers.
        lines = self._connection.getresponse().read().splitlines()
        return int(lines[2].split()[2]) - self._looks

    def cpu(self) -> float:
        """Its processor seconds so far."""
        return process.cpu(self._pid)

    def wait_for(self, count: int) -> float:
        """When the ``count``-th task had arrived, monotonic seconds, at most ``LOOK``
        too late. Raises RuntimeError if they stop arriving before."""
        seen, at = -1, time.monotonic()
        while (arrived := self.arrived()) < count:
            now = time.monotonic()
            if arrived > seen:
                seen, at = arrived, now
            elif now - at > PATIENCE:
                raise RuntimeError(f"{arrived} of {count} tasks arrived, then none")
            time.sleep(LOOK)
        return time.monotonic()


@contextmanager
def nginx() -> Iterator[Nginx]:
    """Run it, and end it. Raises RuntimeError if it does not listen."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="poussetaches-bench-") as directory:
        path = Path(directory, "nginx.conf")
        path.write_text(CONFIGURATION.format(directory=directory, port=port))
        # Debian keeps it where only root looks for programs.
        found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if found is None:
            raise RuntimeError("there is no nginx: apt-get install nginx-light")
        command = [found, "-p", directory, "-e", "stderr", "-c", str(path)]
        with subprocess.Popen(command) as started:
            try:
                _wait_until_listening(port, started)
                yield Nginx(port, started.pid)
            finally:
                started.terminate()


def _wait_until_listening(port: int, started: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and started.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(LOOK)
        else:
            return
    raise RuntimeError("nginx does not start")
