"""``poussetaches tune``, with bounds so small that it takes seconds."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Process, processes
from tests.support.receiver import Receiver
from tests.support.service import CHECKOUT, free_port, wait_until

pytestmark = pytest.mark.process

#: Seconds; a run takes about five where the machine has nothing else to do.
DEADLINE = 90.0
#: Two settings, measured for a moment.
TINY = ("--seconds", "0.2", "--workers", "1", "--concurrency", "2")


class Tune:
    """The command, running. ``folder`` gets its output and its temporary files."""

    def __init__(self, folder: Path, *arguments: str, terminal: bool = False) -> None:
        self.temporary = folder / "temporary"
        self.json_path = folder / "found.json"
        # Where nothing else runs: so its processes can be told from all others.
        self._home = folder / "home"
        for directory in (self.temporary, self._home):
            directory.mkdir()
        self._output, self._errors = folder / "output", folder / "errors"
        environment = os.environ | {
            "PYTHONPATH": str(CHECKOUT),
            "TMPDIR": str(self.temporary),
            "POUSSETACHES_AUTH_KEY": "the key",
            # Its services do not follow the settings of another one.
            "POUSSETACHES_DATA_DIR": "/nowhere",
        }
        command = [sys.executable, "-m", "poussetaches", "tune", *arguments]
        command += ["--json", str(self.json_path)]
        self._terminal, theirs = pty.openpty()
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=self._home,
                env=environment,
                stdin=theirs if terminal else subprocess.DEVNULL,
                stdout=output,
                stderr=theirs if terminal else errors,
                start_new_session=True,
            )
        os.close(theirs)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def found(self) -> Any:
        """What it has written with ``--json``."""
        return json.loads(self.json_path.read_text())

    def answer(self, question: str, text: str) -> str:
        """Type ``text`` when the terminal shows ``question``; all that it shows."""
        shown = ""
        while question not in shown:
            shown += os.read(self._terminal, 4096).decode()
        os.write(self._terminal, f"{text}\n".encode())
        # The other end is closed when the command has ended.
        with suppress(OSError):
            while data := os.read(self._terminal, 4096):
                shown += data.decode()
        return shown

    def wait(self) -> int:
        """Its exit status, once it has left."""
        return self.process.wait(DEADLINE)

    def wait_until_no_process_is_left(self) -> None:
        wait_until(lambda: not self._left(), message=lambda: f"{self._left()}")

    def end(self) -> None:
        """End it if it runs; AssertionError if it leaves anything behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.wait()
        os.close(self._terminal)
        try:
            self.wait_until_no_process_is_left()
        finally:
            for process in self._left():
                process.kill()

    def _left(self) -> list[Process]:
        return [one for one in processes() if one.folder == str(self._home)]

    def __str__(self) -> str:
        return f"{self.output}\n{self.errors}"


Start = Callable[..., Tune]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command, and sees to it that no process is left behind."""
    started = []

    def start(*arguments: str, terminal: bool = False) -> Tune:
        started.append(Tune(tmp_path, *arguments, terminal=terminal))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_it_measures_an_application_that_takes_its_time(start: Start) -> None:
    """Each row is of the application that was asked for, and the end can be pasted."""
    tune = start("--answer-time", "20ms", *TINY)
    assert tune.wait() == 0, str(tune)
    found = tune.found
    assert found["complete"]
    assert found["sync"]["p99"] >= found["sync"]["median"] > 0
    assert found["pushes"]["rate"] > 0
    points = found["points"]
    assert [(one["workers"], one["concurrency"]) for one in points] == [(1, 1), (1, 2)]
    for one in points:
        assert one["failed"] == 0
        assert one["attempt"] >= 0.02
        assert 0 < one["rate"] <= one["concurrency"] / 0.02
        assert one["cpu_per_task"] > 0
        assert one["memory"] > 10_000_000
    advised = found["recommendation"]
    ini = f"workers = {advised['workers']}\nconcurrency = {advised['concurrency']}\n"
    assert tune.output.endswith(f"\n[poussetaches]\n{ini}")
    assert re.search(r"^ +1 +2 .* MB +0$", tune.output, re.MULTILINE)
    assert re.search(r"^ +1 x 2 +#+ +\d+/s", tune.output, re.MULTILINE)
    assert tune.errors.splitlines()[-1] == "measuring 1 x 2 (workers x concurrency)"
    assert "\x1b" not in f"{tune}", "a bar, though this is no terminal"
    assert list(tune.temporary.iterdir()) == []


def test_a_url_gets_no_more_requests_than_were_granted(
    start: Start, receiver: Receiver
) -> None:
    tune = start(
        *(receiver.url("/task"), "--yes", "--requests", "300"),
        *("--payload", "an order", *TINY),
    )
    assert tune.wait() == 0, str(tune)
    arrived = receiver.arrivals()
    attempts = sum(one["succeeded"] for one in tune.found["points"])
    assert 0 < attempts <= len(arrived) <= 300
    assert {one.headers["Poussetaches-Auth-Key"] for one in arrived} == {"the key"}
    assert {one.envelope["payload"] for one in arrived} == {"YW4gb3JkZXI="}
    assert len({one.task for one in arrived}) == len(arrived), "a second attempt"


def test_a_target_that_fails_is_left_alone_at_once(
    start: Start, receiver: Receiver
) -> None:
    """Ten seconds would be measured, but the first failures end it."""
    url = receiver.url("/task?status=500")
    tune = start(url, "--yes", "--seconds", "10", "--requests", "20000")
    assert tune.wait() == 1, str(tune)
    last = tune.errors.splitlines()[-1]
    assert last.startswith(
        "poussetaches: the target fails at once, so there is nothing"
    )
    assert "status 500" in last
    [point] = tune.found["points"]
    assert point["failing"] and point["seconds"] < 5
    assert tune.found["recommendation"] is None


def test_a_target_that_refuses_connections_is_one_line(start: Start) -> None:
    port = free_port()
    tune = start(f"http://127.0.0.1:{port}/task", "--yes")
    assert tune.wait() == 3
    said = f"poussetaches: 127.0.0.1:{port} cannot be reached: Connection refused\n"
    assert (tune.output, tune.errors) == ("", said)


def test_without_a_terminal_nothing_is_sent_unasked(
    start: Start, receiver: Receiver
) -> None:
    tune = start(receiver.url("/task"))
    assert tune.wait() == 1
    [line] = tune.errors.splitlines()
    assert line.startswith("poussetaches: this would send up to 20,000 requests to ")
    assert "--yes" in line
    assert receiver.arrivals() == []


def test_on_a_terminal_it_asks_and_shows_a_bar(
    start: Start, receiver: Receiver
) -> None:
    url = receiver.url("/task")
    tune = start(url, "--requests", "300", *TINY, terminal=True)
    shown = tune.answer("Go on?", "y")
    assert tune.wait() == 0, str(tune)
    assert f"This sends up to 300 requests to {url}, 2 at once at most." in shown
    assert re.search(r"\[#+\.+\] 1 x 2: delivering", shown)
    assert re.search(
        r"\[poussetaches\]\nworkers = 1\nconcurrency = [12]\n$", tune.output
    )


def test_on_a_terminal_no_is_an_answer(start: Start, receiver: Receiver) -> None:
    tune = start(receiver.url("/task"), terminal=True)
    tune.answer("Go on?", "n")
    assert tune.wait() == 1
    assert receiver.arrivals() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_says_what_it_has_measured(
    start: Start, number: signal.Signals
) -> None:
    tune = start("--seconds", "1", "--workers", "1")
    wait_until(lambda: "measuring 1 x 2" in tune.errors, DEADLINE, lambda: f"{tune}")
    # People press Ctrl-C more than once.
    tune.process.send_signal(number)
    tune.process.send_signal(number)
    assert tune.wait() == 130, str(tune)
    assert "\nStopped; nothing is left behind.\n" in tune.output
    assert "1 x 1 does " in tune.output
    assert tune.output.endswith("[poussetaches]\nworkers = 1\nconcurrency = 1\n")
    assert not tune.found["complete"]
    assert len(tune.found["points"]) == 1
    assert list(tune.temporary.iterdir()) == []


def test_killed_it_takes_its_processes_along(start: Start) -> None:
    tune = start("--seconds", "5")
    wait_until(lambda: "measuring 1 x 1" in tune.errors, DEADLINE, lambda: f"{tune}")
    tune.process.kill()
    tune.wait()
    tune.wait_until_no_process_is_left()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--answer-time", "soon"), "'soon' is not a time, such as 20ms or 1.5s"),
        (("--answer-time", "6"), "'6' is more than 5 s"),
        (
            ("http://127.0.0.1:1/", "--answer-time", "1ms"),
            "--answer-time is for the built-in application",
        ),
    ],
)
def test_what_makes_no_sense_is_a_matter_of_usage(
    start: Start, arguments: tuple[str, ...], fault: str
) -> None:
    tune = start(*arguments)
    assert tune.wait() == 2
    assert fault in tune.errors


def test_a_bad_url_is_one_line(start: Start) -> None:
    tune = start("ftp://127.0.0.1/", "--yes")
    assert tune.wait() == 1
    assert tune.errors.startswith("poussetaches: The url has the scheme ftp, only ")
    assert tune.errors.count("\n") == 1
