"""Whatever is secret is seen by nobody but who needs it: not in the log, not in a list,
not in an error, not in a number's label."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.connection import Connection
from tests.support.service import CHECKOUT, START_DEADLINE, Service, wait_until

pytestmark = pytest.mark.process

KEY = "api-key-0123456789abcdef"
SECRETS = {
    "auth_key": "auth-key-of-the-service",
    "signing": b64encode(b"signing secret of 32 bytes in all").decode(),
    "api_key": KEY,
    "other_key": "other-key-0123456789abcdef",
    "read_key": "read-key-0123456789abcdef",
    "password": "password-of-a-person",
    "authorization": "authorization-of-a-task",
    "cookie": "cookie-of-a-task",
    "header": "x-api-key-of-a-task",
    "url": "password-in-a-url",
    "roll_back": "password-in-a-callback",
    "queue_header": "token-of-a-queue",
    "base_url": "password-in-a-base-url",
    "edited": "authorization-that-was-edited",
}
ENVIRONMENT = {
    "POUSSETACHES_AUTH_KEY": SECRETS["auth_key"],
    "POUSSETACHES_SIGNING_SECRETS": "whsec_" + SECRETS["signing"],
    "POUSSETACHES_API_KEYS": f"{KEY} {SECRETS['other_key']} me:{SECRETS['password']}",
    "POUSSETACHES_READ_KEYS": SECRETS["read_key"],
}


class Echo(http.server.BaseHTTPRequestHandler):
    """A target that fails, and shows what it was asked, as some do for debugging."""

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        basic = self.headers.get("Authorization", "").partition("Basic ")[2]
        self.server.seen += str(self.headers)  # type: ignore[attr-defined]
        said = f"{self.headers} {b64decode(basic).decode()}".encode()
        self.send_response(500 if "fine" not in self.path else 200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@contextmanager
def echo() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.seen = ""  # type: ignore[attr-defined]
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_no_secret_is_seen_by_anybody_else(tmp_path: Path) -> None:
    settings = {"workers": 1, "log_level": "debug"}
    service = Service(tmp_path, settings=settings, environment=ENVIRONMENT)
    with echo() as target, service.launched():
        wait_until(lambda: " ready " in service.log, START_DEADLINE)
        seen = _everything(service, target.server_address[1])
        service.kill(signal.SIGHUP)
        wait_until(lambda: "configuration taken" in service.log)
        seen["its log"] = service.log
        seen.update(_commands(service))
        received = target.seen
    # The one who was to have them has them.
    for name in ("auth_key", "authorization", "cookie", "header", "queue_header"):
        assert SECRETS[name] in received, name
    assert _basic("u", SECRETS["url"]) in received
    assert len(seen) > 40
    found = [
        (where, name)
        for where, text in seen.items()
        for name, secret in SECRETS.items()
        if any(form in _opened(text) for form in _forms(secret))
    ]
    assert found == []


def _basic(user: str, password: str) -> str:
    return b64encode(f"{user}:{password}".encode()).decode()


def _forms(secret: str) -> list[str]:
    return [secret, _basic("u", secret), _basic("me", secret), _basic("", secret)]


def _opened(text: str) -> str:
    """With what stands there as base64 beside it."""
    words = re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", text)
    opened = [b64decode(word) for word in words if len(word) % 4 == 0]
    return "\n".join([text, *(one.decode("latin-1") for one in opened)])


def _everything(service: Service, port: int) -> dict[str, str]:
    """What the service answers, by what was asked."""
    seen: dict[str, str] = {}
    bearer = {"Authorization": f"Bearer {KEY}"}

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = service.request(method, path, json=body, headers={**bearer, **named})
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        seen[f"{len(seen)} {method} {path}"] = f"{answer.status_code}\n{head}\n" + (
            answer.text
        )
        return answer

    host = f"127.0.0.1:{port}"
    url = f"http://u:{SECRETS['url']}@{host}"
    headers = {
        "Authorization": f"Bearer {SECRETS['authorization']}",
        "Cookie": f"session={SECRETS['cookie']}",
        "X-Api-Key": SECRETS["header"],
    }
    queue = {
        "headers": {"X-Token": SECRETS["queue_header"]},
        "base_url": f"http://u:{SECRETS['base_url']}@{host}/",
    }
    ask("PUT", "/queue/mail", queue)
    ask("GET", "/queue/mail")
    ask("GET", "/queues")
    dies = {
        "max_retries": 0,
        "roll_back": f"http://u:{SECRETS['roll_back']}@{host}/fine",
    }
    pushes: list[dict[str, Any]] = [
        {"url": url + "/a", "queue": "mail", **dies},
        {"url": f"http://{host}/b", "headers": headers, **dies},
        {"url": "c", "queue": "mail", **dies},
        {"url": url + "/fine", "on_success": dies["roll_back"]},
    ]
    for push in pushes:
        ask("POST", "/", push)
    tasks = ask("POST", "/batch", pushes).json()["ids"]
    ask("POST", "/tasks/push/", {"url": url + "/d", "max_retries": 0})
    ask("POST", "/", {"url": url, "schedule": "@every 1h", "name": "s"})
    later = ask("POST", "/", {"url": url, "headers": headers, "countdown": 3600})
    id = later.headers["Poussetaches-Task-Id"]
    shown = ask("GET", f"/task/{id}").json()
    ask("GET", f"/task/{id}/why")
    masked = {"url": shown["url"], "headers": shown["headers"]}
    assert ask("PUT", f"/task/{id}", masked).status_code == 200
    edited = {"headers": {"Authorization": SECRETS["edited"]}}
    assert ask("PUT", f"/task/{id}", edited).status_code == 200
    # What cannot be taken, with a secret in it.
    bad: list[dict[str, Any]] = [
        {"url": url.replace("http:", "ftp:")},
        {"url": url + ":x/"},
        {"url": f"http://u:{SECRETS['url']}%zz@{host}"},
        {"url": f"http://{host}", "headers": {"Cookie": SECRETS["cookie"] + "\n"}},
        {"url": f"http://{host}", "headers": {"Cookie": [SECRETS["cookie"]]}},
    ]
    for push in bad:
        assert ask("POST", "/", push).status_code == 400
        ask("PUT", f"/task/{id}", push)
    # All have failed, or succeeded.
    wait_until(lambda: ask("GET", "/dead").json()["total"] == 7, 30)
    for task in tasks:
        ask("GET", f"/task/{task}")
    ask("POST", f"/task/{tasks[0]}/retry")
    ask("POST", f"/task/{id}/run")
    for path in (
        *("/", "/stats", "/metrics", "/health", "/ready", "/origins", "/openapi.json"),
        *("/waiting", "/success", "/dead", "/cron", "/expired", "/schedules", "/tasks"),
        *("/dead/groups", "/schedule/s", "/schedule/s/next", f"/tasks/push/{id}"),
    ):
        ask("GET", path)
    ask("GET", "/tasks?state=dead,waiting", Accept="application/x-ndjson")
    for wrong in (
        f"Bearer {KEY}x",
        f"Basic {_basic('me', SECRETS['password'] + 'x')}",
        f"Digest {KEY}",
        f"Bearer {SECRETS['read_key']}",
    ):
        assert ask("POST", "/pause", Authorization=wrong).status_code in (401, 403)
    with Connection(service.port) as client:
        line = f"GET /stats HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n"
        client.send(f"{line}Host: a\r\nX: \0\r\n\r\n".encode())
        seen["a bad request"] = str(client.answer())
    return seen


def _commands(service: Service) -> dict[str, str]:
    """What commands say of it."""
    seen = {}
    environment = {**os.environ, **ENVIRONMENT, "POUSSETACHES_API_KEY": KEY}
    environment["PYTHONPATH"] = str(CHECKOUT)
    for words in (
        ["check-config"],
        ["check-config", "--api-keys", "short"],
        ["status", "--url", service.url],
        ["status", "--url", f"http://u:{KEY}x@127.0.0.1:{service.port}"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "poussetaches", *words],
            cwd=service.data_dir.parent,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        seen[" ".join(words[:1])] = done.stdout + done.stderr
        assert json.dumps(seen)
    return seen
