"""The baseline: a bottle application that does nothing, on plain gevent.pywsgi.

A process of its own: ``python -m bench.null_application``. Prints its port. It has
TCP_NODELAY, without which pywsgi needs 44 ms for every push (and no comparison is
fair).
"""

from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402
import sys  # noqa: E402

from bottle import Bottle, HTTPResponse, request  # noqa: E402
from gevent.pywsgi import WSGIHandler, WSGIServer  # noqa: E402


class Handler(WSGIHandler):
    """pywsgi's own, without the pause between head and body."""

    def handle(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle()


def take() -> HTTPResponse:
    """Read the body as JSON and forget it."""
    assert request.json["url"]
    return HTTPResponse(b"", 201)


app = Bottle()
app.route("/", method="POST", callback=take)
server = WSGIServer(("127.0.0.1", 0), app, handler_class=Handler, log=None)
server.start()
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
