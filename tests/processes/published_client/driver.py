"""Runs ``application.py`` in its own interpreter, and has it do things."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.support.service import wait_until

SCRIPT = Path(__file__).parent / "application.py"


class Application:
    """The Flask application while it runs, and what a test asks of it.

    ``python`` is an interpreter that has Flask and some ``poussetaches``; ``folder``
    gets what the application prints; ``environment`` is all it gets of one.
    """

    def __init__(
        self, python: Path, api_url: str, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._command = [str(python), str(SCRIPT), api_url]
        self._folder = folder
        self._environment = environment
        self._output = folder / "application.out"
        self._errors = folder / "application.err"

    def __enter__(self) -> Application:
        with self._output.open("wb") as stdout, self._errors.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            line = wait_until(self._first_line, 30.0, "the application listens")
        except BaseException:
            self.__exit__()
            raise
        started = json.loads(line)
        self.address: str = started["address"]
        #: The file its client was imported from.
        self.client = Path(started["client"])
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            url = self.address + path
            return session.request(method, url, timeout=30, **options)

    def tell(self, method: str, path: str, content: Any = None) -> requests.Response:
        """Ask for what has to work."""
        response = self.ask(method, path, json=content)
        assert response.ok, f"{response.status_code}\n{self._errors.read_text()}"
        return response

    def push(self, payload: Any, path: str, **arguments: Any) -> str:
        """Have the application push; the id its client returned."""
        content = {"payload": payload, "path": path} | arguments
        task_id: str = self.tell("POST", "/push", content).json()["id"]
        return task_id

    def received(self, payload: Any) -> list[dict[str, Any]]:
        """The deliveries of a payload handled so far, oldest first."""
        every = self.tell("GET", "/received").json()
        return [delivery for delivery in every if delivery["payload"] == payload]

    def wait_for(self, payload: Any, deliveries: int = 1) -> list[dict[str, Any]]:
        """The deliveries of a payload, once there are so many."""

        def enough() -> list[dict[str, Any]] | None:
            received = self.received(payload)
            return received if len(received) >= deliveries else None

        return wait_until(enough, 20.0, f"{deliveries} deliveries of {payload!r}")

    def listed(self, name: str, task_id: str) -> dict[str, Any] | None:
        """How the application's client reads a task on a list, if it is there."""
        every = self.tell("GET", f"/list/{name}").json()
        found = [task for task in every if task["task_id"] == task_id]
        assert len(found) <= 1, f"listed more than once: {found}"
        return found[0] if found else None

    def wait_for_listed(self, name: str, task_id: str) -> dict[str, Any]:
        return wait_until(
            lambda: self.listed(name, task_id), 20.0, f"{task_id} is in {name}"
        )

    def _first_line(self) -> str:
        status = self._process.poll()
        assert status is None, f"it ended with {status}\n{self._errors.read_text()}"
        line, end, _ = self._output.read_text().partition("\n")
        return line if end else ""
