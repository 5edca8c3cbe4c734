"""``poussetaches demo``: the whole of it, and its end at any moment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from poussetaches.cli.demo_service import DemoService
from poussetaches.errors import StartupError
from tests.support.processes import Process, processes
from tests.support.service import CHECKOUT, free_port, wait_until

pytestmark = pytest.mark.process

#: Seconds; a demo takes about ten where the machine has nothing else to do.
DEADLINE = 60.0


class Demo:
    """The command, running. ``folder`` gets its output and its temporary files."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._output = folder / "output"
        self._errors = folder / "errors"
        self.port = free_port()
        # Where nothing else runs: so its processes can be told from all others.
        self._home = folder / "home"
        self._home.mkdir()
        command = [sys.executable, "-m", "poussetaches", "demo", *arguments]
        environment = os.environ | {
            "PYTHONPATH": str(CHECKOUT),
            "TMPDIR": str(self.temporary),
            # The service of the demo does not follow the settings of another one.
            "POUSSETACHES_DATA_DIR": "/nowhere",
            "POUSSETACHES_START_PAUSED": "yes",
        }
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self._home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def wait_for(self, text: str) -> None:
        """Return when it has said ``text``."""
        wait_until(lambda: text in self.output, DEADLINE, lambda: f"{text}\n{self}")

    def wait(self) -> int:
        """Its exit status, once it has left."""
        return self.process.wait(DEADLINE)

    def supervisor(self) -> Process | None:
        """The service, if it runs."""
        parent = self.process.pid
        return next((one for one in processes() if one.parent == parent), None)

    def end(self) -> None:
        """End it if it runs; AssertionError if it leaves anything behind."""
        if self.process.poll() is None:
            self.process.terminate()
            self.wait()
        try:
            # A child whose supervisor was killed takes a moment to notice.
            wait_until(lambda: not self._left(), message=lambda: f"{self._left()}")
        finally:
            for process in self._left():
                process.kill()
        assert list(self.temporary.iterdir()) == []

    def _left(self) -> list[Process]:
        return [one for one in processes() if one.folder == str(self._home)]

    def __str__(self) -> str:
        return f"{self.output}\n{self.errors}"


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a demo, and sees to it that it leaves nothing behind."""
    demos = []

    def start(*arguments: str) -> Demo:
        demos.append(Demo(tmp_path, *arguments))
        return demos[-1]

    yield start
    for demo in demos:
        demo.end()


def lines_of(output: str, name: str) -> list[str]:
    """What was said of a task, without the time."""
    pattern = rf"^\d\d:\d\d:\d\d\.\d  {name} +(.*)$"
    return re.findall(pattern, output, re.MULTILINE)


def test_once_tells_every_story_and_ends_well(start: Start) -> None:
    demo = start("--once")
    assert demo.wait() == 0, str(demo)
    assert demo.errors == ""
    output = demo.output
    assert "\x1b" not in output, "colours, though this is no terminal"
    assert f"http://127.0.0.1:{demo.port}" in output
    done, later = "attempt 1, answered 200: done", r"the next attempt is \d\.\d s later"
    assert lines_of(output, "succeeds")[1:] == [done]
    first, second, third = lines_of(output, "fails-twice")[1:]
    assert re.fullmatch(f"attempt 1, answered 500: {later}", first)
    assert re.fullmatch(f"attempt 2, answered 500: {later}", second)
    assert third == "attempt 3, answered 200: done"
    assert lines_of(output, "delayed")[1:] == [done]
    runs = lines_of(output, "recurs")[1:]
    assert len(runs) >= 2
    assert all(run.startswith(f"{done}, the next run is due at ") for run in runs)
    first, last = lines_of(output, "dies")[1:]
    assert re.fullmatch(f"attempt 1, answered 500: {later}", first)
    assert last == "attempt 2, answered 500: out of attempts, a dead letter now"
    assert re.search(r"^All went as told, in \d+\.\d s\.$", output, re.MULTILINE)
    assert "1 dead, 1 waiting" in output
    assert "Ctrl-C" not in output


def test_without_once_it_goes_on_and_takes_pushes(start: Start) -> None:
    demo = start()
    demo.wait_for("a push of yours")
    found = re.search(r"curl (\S+) -d '(.*)'", demo.output)
    assert found is not None
    url, body = found.groups()
    with requests.Session() as session:
        session.trust_env = False
        # As curl sends it.
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = session.post(url, data=body, headers=headers, timeout=10)
    assert answer.status_code == 201
    wait_until(lambda: lines_of(demo.output, "yours"), DEADLINE)
    assert lines_of(demo.output, "yours") == ["attempt 1, answered 200: done"]
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0, str(demo)
    assert demo.output.endswith("Stopped; nothing is left behind.\n")
    assert demo.errors == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_stopped_in_the_middle(start: Start, number: signal.Signals) -> None:
    demo = start("--once")
    demo.wait_for("attempt 1")
    # People press Ctrl-C more than once.
    demo.process.send_signal(number)
    demo.process.send_signal(number)
    assert demo.wait() == 130, str(demo)
    assert demo.errors == ""


def test_it_can_be_stopped_while_the_service_starts(start: Start) -> None:
    demo = start("--once")
    wait_until(demo.supervisor, DEADLINE)
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 130, str(demo)
    assert demo.errors == ""
    assert "pushed" not in demo.output


def test_a_service_that_ends_is_one_line_and_a_failure(start: Start) -> None:
    demo = start()
    demo.wait_for("attempt 1")
    supervisor = demo.supervisor()
    assert supervisor is not None
    supervisor.kill()
    # It has failed, or could not be reached.
    assert demo.wait() in (1, 3), str(demo)
    ended = "the service (ended with status -9|at .+ cannot be reached): .+"
    # Or the api had the time to say it.
    told = "the supervisor is gone; .+"
    assert re.fullmatch(f"poussetaches: ({ended}|{told})\n", demo.errors)


def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a directory")
    with (
        DemoService(tmp_path, free_port(), "key") as service,
        pytest.raises(StartupError) as caught,
    ):
        wait_until(service.is_ready, DEADLINE)
    said = caught.value.message
    assert said.startswith("the service ended with status 1: data_dir: cannot use ")
