"""A Flask application of 2019, with the client as its only tie to poussetaches.

    python application.py API_URL

It writes one line of JSON to stdout when it listens: its own address, and the file its
client came from. Handlers stand under ``/task/``; the rest is how a test drives it:
what to push, and what arrived. It runs in its own process, with whichever
``poussetaches`` is installed there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

import flask
from werkzeug.serving import make_server

import poussetaches
from poussetaches import PousseTaches

app = flask.Flask(__name__)

#: Every delivery so far, as ``parse`` read it.
received: list[dict[str, Any]] = []
received_lock = threading.Lock()


def receive() -> poussetaches.Task:
    """Read the delivery being handled, and write it down."""
    task = tasks.parse(flask.request)
    with received_lock:
        received.append({"path": flask.request.path, "at": time.time()} | asdict(task))
    return task


@app.post("/task/mail")
def mail() -> str:
    receive()
    return ""


@app.post("/task/created")
def created() -> tuple[str, int]:
    receive()
    return "", 201


@app.post("/task/flaky")
def flaky() -> tuple[str, int]:
    """Fails once, as a handler does whose peer is away."""
    task = receive()
    return ("Traceback: der Nächste, bitte", 500) if task.tries == 1 else ("", 200)


@app.post("/task/hopeless")
def hopeless() -> tuple[bytes, int]:
    """Always fails, with a long body that is not quite text."""
    receive()
    return b"Traceback: \xff" + "Übel! ".encode() * 10_000, 500


@app.post("/push")
def push() -> dict[str, str]:
    return {"id": tasks.push(**flask.request.get_json())}


@app.post("/pause")
def pause() -> str:
    tasks.pause()
    return ""


@app.post("/resume")
def resume() -> str:
    tasks.resume()
    return ""


@app.get("/list/<name>")
def listing(name: str) -> list[dict[str, Any]]:
    listed: list[poussetaches.GetTask] = getattr(tasks, f"get_{name}")()
    return [asdict(task) | {"next_run": task.next_run.timestamp()} for task in listed]


@app.get("/received")
def get_received() -> list[dict[str, Any]]:
    with received_lock:
        return list(received)


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    tasks = PousseTaches(sys.argv[1], address)
    client = sys.modules[PousseTaches.__module__].__file__
    sys.stdout.write(json.dumps({"address": address, "client": client}) + "\n")
    sys.stdout.flush()
    server.serve_forever()
