"""A stand-in for the service: what the client sees of it on the wire, and no queue.

It keeps the tasks pushed to it, lists those a test puts on its lists, page by page, and
writes down every request with the connection it came by.
"""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Seen:
    """One request, as the stub received it."""

    method: str
    #: Path and query.
    target: str
    headers: dict[str, str]
    body: bytes
    #: The port at the client's end: one for each connection.
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Scripted:
    """An answer a test wants instead of the usual one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Stub(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        #: What each list holds, as task objects of the wire.
        self.lists: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("waiting", "success", "dead", "cron")
        }
        #: Tasks in a page of a list.
        self.page = 1000
        #: Whether lists have pages at all: the first ancestor's have none.
        self.paged = True
        self.paused = False
        #: Answers to give first, in order.
        self.script: list[Scripted] = []
        self._open: set[socket.socket] = set()
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def connections(self) -> list[int]:
        """The connection of each request so far, in order."""
        return [request.connection for request in self.seen]

    def __enter__(self) -> Stub:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        self.hang_up()
        # Waits for the threads of the connections.
        self.server_close()
        if self._errors:
            raise self._errors[0]

    def hang_up(self) -> None:
        """Close every connection, as a service does that restarts."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong in a handler for the test; a client may hang up."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self._errors.append(error)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: Stub
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two segments: the second must not wait for an ACK.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._note()
        if self._follow_script():
            return
        target = urlsplit(self.path)
        tasks = self.server.lists.get(target.path.strip("/"))
        if tasks is None:
            self._answer(404)
        elif not self.server.paged:
            self._answer(200, {"tasks": tasks})
        else:
            start = int(parse_qs(target.query).get("cursor", ["0"])[0])
            end = start + self.server.page
            cursor = str(end) if end < len(tasks) else None
            page = {"tasks": tasks[start:end], "total": len(tasks), "cursor": cursor}
            self._answer(200, page)

    def do_POST(self) -> None:
        request = self._note()
        if self._follow_script():
            return
        if self.path == "/":
            headers = {"Poussetaches-Task-Id": task_id_of(request.json["payload"])}
            self._answer(201, headers=headers)
        elif self.path in ("/pause", "/resume"):
            self.server.paused = self.path == "/pause"
            self._answer(200)
        else:
            self._answer(404)

    def _note(self) -> Seen:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        port = self.client_address[1]
        request = Seen(self.command, self.path, dict(self.headers), body, port)
        self.server.seen.append(request)
        return request

    def _follow_script(self) -> bool:
        if not self.server.script:
            return False
        answer = self.server.script.pop(0)
        self._answer(answer.status, answer.body, answer.headers)
        return True

    def _answer(
        self, status: int, content: Any = b"", headers: dict[str, str] | None = None
    ) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what was asked is in ``seen``."""


def task_id_of(payload: str) -> str:
    """The id the stub gives a task: it follows from the payload (base64), so that a
    pusher can tell its own answer from another's."""
    return hashlib.sha256(payload.encode()).hexdigest()[:32]
