"""The clean-up of dead letters in docs/operations.md, done with a real service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import CHECKOUT, Service, wait_until
from tests.support.target import Peer, ScriptedTarget

pytestmark = pytest.mark.process

DOCUMENT = (CHECKOUT / "docs" / "operations.md").read_text()

#: Where the application of the document listens.
APPLICATION = "http://127.0.0.1:5000"

#: What somebody does beside the command line.
FIXED = "# Not yet. Now it does."

#: What differs each time: ids of tasks and of causes, moments, which worker it was, and
#: how long something took or is ago.
VARYING = re.compile(
    r"(?P<id>\b[0-9a-f]{12,32}\b)"
    r"|(?P<moment>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d)"
    r"|(?P<worker>\bworker-[12]\b)"
    r"|(?P<span>\bnow\b|\b(?:in )?\d+(?:\.\d+)? (?:ms|s|min|h|d)\b(?: ago)?)"
)
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d"
SPAN = r"(?:now|(?:in )?\d+(?:\.\d+)? (?:ms|s|min|h|d)(?: ago)?)"


class Application:
    """Fails in three ways, of which one goes away."""

    def __init__(self) -> None:
        self.is_fixed = threading.Event()

    def script(self, peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.path == "/invoice":
                peer.answer(422, b'{"error": "customer 17 has no address"}')
            elif request.path.startswith("/thumbnail"):
                peer.answer(404, b"there is no image " + request.path[-4:].encode())
            elif self.is_fixed.is_set():
                peer.answer()
            else:
                peer.answer(500, b"relay 10.0.0.25:25 refused the message")


class Steps:
    """The commands of a transcript, each with what it prints."""

    def __init__(self, document: str) -> None:
        section = document.partition("## Dead letters\n")[2].partition("\n## ")[0]
        block = section.partition("```\n")[2].partition("```")[0]
        assert block, "there is no transcript"
        #: Pairs of a command and its lines.
        self.steps: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                self.steps.append((line[2:], []))
            else:
                self.steps[-1][1].append(line)


class Reader:
    """Knows which id of this run stands for which of the document."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def command(self, text: str) -> str:
        return VARYING.sub(lambda m: self._real[m[0]] if m["id"] else m[0], text)

    def compare(self, expected: str, line: str) -> None:
        """AssertionError unless ``line`` says what ``expected`` does."""
        pattern, position, new = "", 0, []
        for match in VARYING.finditer(expected):
            pattern += re.escape(expected[position : match.start()])
            position = match.end()
            if match["moment"]:
                pattern += MOMENT
            elif match["span"]:
                pattern += SPAN
            elif match["worker"]:
                pattern += "worker-[12]"
            elif match[0] in self._real:
                pattern += re.escape(self._real[match[0]])
            else:
                new.append(match[0])
                pattern += f"([0-9a-f]{{{len(match[0])}}})"
        pattern += re.escape(expected[position:])
        found = re.fullmatch(pattern, line)
        assert found, f"the document has {expected!r}, and this came: {line!r}"
        self._real.update(zip(new, found.groups(), strict=True))


def blanks(text: str) -> str:
    """With one space between words: how wide a column is depends on what varies."""
    return " ".join(text.split())


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Path]:
    """A directory in which ``poussetaches`` is a command."""
    program = tmp_path / "bin" / "poussetaches"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m poussetaches "$@"\n')
    program.chmod(0o755)
    yield program.parent


def test_the_clean_up_goes_as_it_is_told(tmp_path: Path, shell: Path) -> None:
    application = Application()
    reader = Reader()
    with ScriptedTarget(application.script) as target, Service(tmp_path) as service:
        push_all(service, target.url("").rstrip("/"))
        environment = {
            **os.environ,
            "PATH": f"{shell}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "POUSSETACHES_URL": service.url,
        }
        for command, expected in Steps(DOCUMENT).steps:
            if command.startswith("#"):
                if command == FIXED:
                    application.is_fixed.set()
                continue
            ended = subprocess.run(
                reader.command(command),
                shell=True,
                cwd=tmp_path,
                env=environment,
                input="y\n",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
            )
            # What was typed is not in what was printed, nor its end of line.
            printed = ended.stdout.replace("[y/N]: ", "[y/N]: y\n")
            printed = printed.replace(target.url("").rstrip("/"), APPLICATION)
            lines = [blanks(line) for line in printed.splitlines()]
            assert len(lines) == len(expected), f"{command}: {printed}"
            for told, line in zip(expected, lines, strict=True):
                reader.compare(blanks(told), line)
            wait_until(lambda: is_idle(service))


def push_all(service: Service, application: str) -> None:
    tasks = [
        *({"url": f"{application}/mail", "queue": "mail"} for _ in range(40)),
        *({"url": f"{application}/thumbnail/{n}"} for n in range(1000, 1012)),
        *({"url": f"{application}/invoice"} for _ in range(3)),
    ]
    assert service.request("PUT", "/queue/mail", json={"concurrency": 1}).ok
    body = json.dumps(
        [{**task, "json": {"user": 42}, "max_retries": 0} for task in tasks]
    )
    assert service.request("POST", "/batch", data=body).ok
    wait_until(
        lambda: is_idle(service) and service.get("/").json()["dead"] == len(tasks)
    )


def is_idle(service: Service) -> bool:
    told = service.get("/").json()
    return not told["waiting"] and not told["in_flight"]
