"""The real program, started for a test and surely ended after it.

    with Service(tmp_path, settings={"workers": 2}) as service:
        service.post("/", {"url": target.url})
        wait_until(lambda: service.get("/").json()["in_flight"] == 1)
        service.kill(signal.SIGKILL)
        service.restart()

It runs in a directory where nothing else does: that is how every process it brought
about is found again, also one whose parent has died.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.support.processes import Process, processes

CHECKOUT = Path(__file__).parents[2]

#: Seconds the program may take to answer, and to leave when asked to. Only a broken
#: one, or a machine busy with much else, comes near.
START_DEADLINE = 30.0
STOP_DEADLINE = 45.0

T = TypeVar("T")


def wait_until(
    predicate: Callable[[], T | None],
    deadline: float = 10.0,
    message: str | Callable[[], str] = "",
) -> T:
    """What ``predicate`` returns, as soon as that is true; AssertionError with
    ``message`` if it is not within ``deadline`` seconds."""
    ends = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= ends:
            said = message() if callable(message) else message
            raise AssertionError(f"not within {deadline:g} s: {said or predicate}")
        time.sleep(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """One service on its own directory and port, through any number of starts.

    ``folder`` gets the data directory and the log, which stay over a restart. Settings
    become flags (``{"start_paused": True}`` is ``--start-paused yes``). The program has
    the environment of the tests less every POUSSETACHES variable, plus ``environment``;
    ``launcher`` is a command that runs the command which follows it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        launcher: Sequence[str] = (),
    ) -> None:
        self.data_dir = folder / "data"
        self.log_path = folder / "service.log"
        self.port = free_port()
        self.settings = dict(settings or {})
        self.environment = dict(environment or {})
        self.launcher = list(launcher)
        #: The supervisor, of the last start.
        self.process: subprocess.Popen[bytes] | None = None
        #: The working directory of every process of every start.
        self._home = (folder / "home").resolve()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The supervisor."""
        assert self.process is not None, "the service was not started"
        return self.process.pid

    @property
    def log(self) -> str:
        """What all starts wrote to stdout and stderr so far."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(errors="backslashreplace")

    def __enter__(self) -> Service:
        try:
            self.start()
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self.is_running():
                self.kill(signal.SIGTERM)
                self.wait()
        finally:
            left = self._end_all()
        assert not left, f"the service left processes behind: {left}\n{self.log}"

    def start(self) -> None:
        """Start the program; returns when it answers, AssertionError if it does not."""
        self.launch()
        self.wait_until_it_answers()

    def launch(self) -> None:
        """Start the program; returns at once."""
        assert not self.is_running(), "the service runs already"
        self._home.mkdir(exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.launcher, *self.command()],
                cwd=self._home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @contextmanager
    def launched(self) -> Iterator[Service]:
        """As ``with`` the service itself, without waiting for it to answer."""
        try:
            self.launch()
            yield self
        finally:
            self.__exit__()

    def wait_until_it_answers(self) -> None:
        """AssertionError if it does not, or ends."""
        wait_until(self._answers, START_DEADLINE, lambda: f"an answer\n{self.log}")

    def command(self) -> list[str]:
        """The program and its arguments."""
        settings = {"bind": f"127.0.0.1:{self.port}", "data_dir": self.data_dir}
        # Sooner there than the usual two; a test that needs them says so.
        settings |= {"workers": 1}
        arguments = []
        for name, value in (settings | self.settings).items():
            arguments += [f"--{name.replace('_', '-')}", _as_text(value)]
        return [sys.executable, "-m", "poussetaches", "serve", *arguments]

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send the supervisor, and only it, a signal; returns at once."""
        os.kill(self.pid, signum)

    def wait(self, deadline: float = STOP_DEADLINE) -> int:
        """The exit status of the supervisor, once it has left; minus the signal that
        ended it."""
        assert self.process is not None, "the service was not started"
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the service did not leave within {deadline:g} s\n{self.log}"
            ) from None

    def stop(self) -> int:
        """Ask the service to stop; its exit status, once it has left."""
        self.kill(signal.SIGTERM)
        return self.wait()

    def restart(self) -> None:
        """Start again on the same directory and port, stopped first if it runs."""
        if self.is_running():
            self.stop()
        self.start()

    def children(self, role: str = "") -> list[int]:
        """The pids of the supervisor's children, oldest first; with a ``role``
        (``api``, ``worker``) only of those."""
        children = [one for one in processes() if one.parent == self.pid]
        children.sort(key=lambda one: one.started)
        return [one.pid for one in children if role in ("", *one.words)]

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> requests.Response:
        return self.request("POST", path, json=json, **options)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask the service over a new connection, past any proxy of the environment."""
        with requests.Session() as session:
            session.trust_env = False
            options = {"timeout": 10} | options
            return session.request(method, self.url + path, **options)

    def _answers(self) -> bool:
        assert self.process is not None
        status = self.process.poll()
        assert status is None, f"the service ended with status {status}\n{self.log}"
        try:
            return self.get("/", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("POUSSETACHES_")
        }
        path = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return inherited | {"PYTHONPATH": os.pathsep.join(path)} | self.environment

    def _end_all(self) -> list[str]:
        """End whatever is left of all starts; returns those processes that did not
        leave by themselves though their supervisor was gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        # Children leave when the channel to their supervisor closes.
        left = self._left_after(5.0)
        for process in left:
            process.kill()
        immortal = self._left_after(5.0)
        assert not immortal, f"killed, and still there: {immortal}"
        return [str(process) for process in left]

    def _left_after(self, deadline: float) -> list[Process]:
        """The processes of all starts that are still there after so many seconds."""
        ends = time.monotonic() + deadline
        while left := [one for one in processes() if one.folder == str(self._home)]:
            if time.monotonic() >= ends:
                break
            time.sleep(0.02)
        return left


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
