"""The demo's application: a small web server that does the tasks pushed to it.

Runs in threads of the command line's process. What an application needs of poussetaches
is all in ``_Handler.do_POST``: check and read the request, answer with a status.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import NamedTuple

from poussetaches.cli.demo_stories import Delivery, answer_to
from poussetaches.client.client import PousseTaches


class Application:
    """Serves from ``with`` to its end. ``tell`` is called with every delivery, before
    that is answered; ``auth_key`` is what deliveries must carry."""

    def __init__(self, auth_key: str, tell: Callable[[Delivery], None]) -> None:
        self._server = _Server(auth_key, tell)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# Not http.server's own servers: those look up the name of their address, which can take
# seconds where no name server answers.
class _Server(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, auth_key: str, tell: Callable[[Delivery], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tell = tell
        # It only reads deliveries here, so it needs to know no addresses.
        self.tasks = PousseTaches("", "", auth_key=auth_key)


class _Request(NamedTuple):
    """A request as the client library wants to see it."""

    headers: Message
    data: bytes


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        at = time.monotonic()
        name = self.path.rpartition("/")[2]
        attempt, payload = 0, None
        try:
            data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            task = self.server.tasks.parse(_Request(self.headers, data))
        except ValueError as error:
            status, text = 403, str(error)
        else:
            attempt, payload = task.tries, task.payload
            status, text = answer_to(name, attempt)
        task_id = self.headers.get("Poussetaches-Task-Id", "")
        self.server.tell(Delivery(at, task_id, name, attempt, payload, status))
        self._answer(status, text.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The demo tells what is worth telling."""
