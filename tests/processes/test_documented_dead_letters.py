"""docs/dead-letters.md: its commands, one after the other, on the real program."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import requests

from poussetaches.schema import DEAD_FILTERS
from tests.support.service import Service, wait_until
from tests.support.target import Peer, ScriptedTarget

pytestmark = pytest.mark.process

MANUAL = (Path(__file__).parents[2] / "docs" / "dead-letters.md").read_text()
#: Each command, and the JSON that it answers if the page shows that.
EXAMPLES = re.findall(
    r"^    (curl .*)\n(?:\n```json\n((?:(?!```).*\n)*)```$)?", MANUAL, re.MULTILINE
)
MAILS, REPORTS = 12, 3
TRACEBACK = (
    "Traceback (most recent call last):\n  File x, line 5\n"
    "smtplib.Refused: no mailbox for user "
)


def run(service: Service, command: str, cause: str) -> requests.Response:
    reader = argparse.ArgumentParser()
    reader.add_argument("-X")
    reader.add_argument("-d")
    reader.add_argument("-H")
    reader.add_argument("url")
    given = reader.parse_args(shlex.split(command.replace("$CAUSE", cause))[1:])
    method = given.X or ("POST" if given.d else "GET")
    headers = dict([given.H.split(": ")]) if given.H else {}
    path = given.url.removeprefix("http://127.0.0.1:7991")
    return service.request(method, path, data=given.d, headers=headers)


def like(value: Any) -> Any:
    """What is the same whenever it is run."""
    if isinstance(value, dict):
        passing = ("cause", "origin", "first", "last", "sample")
        return {
            name: type(one) if name in passing or "," in str(one) else like(one)
            for name, one in value.items()
        }
    return [like(one) for one in value] if isinstance(value, list) else value


def test_what_the_page_shows_is_what_happens(tmp_path: Path) -> None:
    is_broken = True

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            number = re.sub(r"\D", "", request.path)
            if request.path.startswith("/report"):
                peer.answer(
                    422,
                    b'{"detail": "report \'%s\' has no owner"}' % (number.encode()),
                    [],
                )
            elif is_broken:
                peer.answer(500, (TRACEBACK + number).encode(), [])
            else:
                peer.answer(200, b"", [])

    with ScriptedTarget(script) as target, Service(tmp_path) as service:
        paths = [f"/mail/{n}" for n in range(MAILS)]
        paths += [f"/report?n={n}" for n in range(REPORTS)]
        pushes = [{"url": target.url(path), "max_retries": 0} for path in paths]
        assert service.post("/batch", pushes).status_code == 201
        wait_until(lambda: service.get("/").json()["dead"] == len(paths))
        cause = ""
        seen = []
        for command, shown in EXAMPLES:
            is_broken = False
            answer = run(service, command, cause)
            assert answer.status_code == 200, answer.text
            seen.append(answer.text)
            if shown:
                assert like(answer.json()) == like(json.loads(shown))
            if not cause:
                cause = answer.json()["groups"][0]["cause"]
        assert len(seen) == 6
        assert len(json.loads(seen[1])["tasks"]) == MAILS
        assert len(seen[2].splitlines()) == REPORTS
        wait_until(lambda: service.get("/").json()["succeeded"] == MAILS)
        assert service.get("/dead").json()["total"] == 0


def test_every_filter_is_in_the_table() -> None:
    assert {*re.findall(r"^\| `(\w+)` \|", MANUAL, re.MULTILINE)} == {*DEAD_FILTERS}
