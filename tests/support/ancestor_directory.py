"""A data directory of the first ancestor, written by hand."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

NANOSECONDS = 1_000_000_000


class AncestorDirectory:
    """``waiting``, ``success`` and ``dead``, a file for each task: what it lists."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for which in ("waiting", "success", "dead"):
            (path / which).mkdir(parents=True, mode=0o700)

    def put(
        self,
        which: str,
        id: str,
        *,
        url: str = "http://127.0.0.1:1/task",
        payload: bytes | None = b'"x"',
        next_run: float = 0.0,
        slot: float = 0.0,
        last_run: float = 0.0,
        **given: Any,
    ) -> Path:
        """The file of a task; times in seconds, fields in the ancestor's order."""
        task = {
            "id": id,
            "url": url,
            "payload": None if payload is None else b64encode(payload).decode(),
            "expected": 200,
            "schedule": "",
            "next_scheduled_run": int(slot * NANOSECONDS),
            "next_run": int(next_run * NANOSECONDS),
            "tries": 0,
            "last_run": int(last_run * NANOSECONDS),
            "last_error_body": None,
            "last_error_status_code": 0,
        }
        file = self.path / which / id
        # Go escapes what HTML might take for its own.
        text = json.dumps(task | given).replace("&", r"\u0026")
        file.write_text(text)
        return file

    def schedule(
        self,
        text: str,
        *,
        slot: float,
        url: str = "http://127.0.0.1:1/task",
        **given: Any,
    ) -> str:
        """A schedule, as its next run; returns its id."""
        content = url.encode() + b'"x"' + text.encode()
        id = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.put(
            "waiting", id, url=url, slot=slot, next_run=slot, schedule=text, **given
        )
        return id

    def content(self) -> dict[str, bytes]:
        """Every file by its path."""
        files = [one for one in self.path.rglob("*") if one.is_file()]
        return {str(one.relative_to(self.path)): one.read_bytes() for one in files}
