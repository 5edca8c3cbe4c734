"""The real program behind keys, a Unix socket, a prefix and a proxy."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result

from poussetaches import PousseTaches
from poussetaches.cli.main import cli
from poussetaches.cli.service import Service as Asker
from poussetaches.errors import PousseTachesError, Unavailable
from tests.support.connection import Connection
from tests.support.guarded import KEY, READ, Guarded, bearer
from tests.support.processes import processes
from tests.support.receiver import Receiver
from tests.support.service import Service, free_port, wait_until

pytestmark = pytest.mark.process

OTHER = "s3cret-" + "o" * 16
TOMORROW = 86_400


class AtSocket(Service):
    """A service that listens at a Unix socket."""

    def _answers(self) -> bool:
        assert self.process is not None
        status = self.process.poll()
        assert status is None, f"the service ended with status {status}\n{self.log}"
        try:
            ready: bool = Asker(str(self.settings["bind"])).get("/ready")["ready"]
            return ready
        except Unavailable:
            return False


def push(service: Service, key: str | None = None, **options: Any) -> int:
    """The status of a push that can wait."""
    task = {"url": "http://127.0.0.1:1/", "payload": "eA==", "countdown": TOMORROW}
    headers = bearer(key) if key else {}
    return service.post("/", task, headers=headers, **options).status_code


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(
        cli, arguments, env=environment, standalone_mode=False, catch_exceptions=True
    )


def test_keys_are_taken_anew_at_sighup_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "p.ini"
    path.write_text(f"[poussetaches]\nlog_level = debug\napi_keys = {KEY}\n")
    settings = {"workers": 1, "config": path}

    def reload(text: str, said: str) -> None:
        before = len(service.log)
        path.write_text(f"[poussetaches]\nlog_level = debug\n{text}\n")
        service.kill(signal.SIGHUP)
        wait_until(lambda: said in service.log[before:], 10, lambda: service.log)

    with Guarded(tmp_path, settings=settings) as service:
        assert [push(service), push(service, OTHER), push(service, KEY)] == [
            *(401, 401, 201)
        ]
        # Both are good while clients go over from one to the other.
        reload(f"api_keys = {KEY} {OTHER}\nread_keys = {READ}", "configuration taken")
        wait_until(lambda: push(service, OTHER) == 201)
        assert [push(service, KEY), push(service, READ)] == [201, 403]
        assert service.get("/waiting", headers=bearer(READ)).json()["total"] == 3
        reload(f"api_keys = {OTHER}", "configuration taken")
        wait_until(lambda: push(service, KEY) == 401)
        # What cannot be meant changes nothing, and an api that is replaced is told.
        reload("api_keys = s3cret-short", "the configuration was not taken")
        (api,) = service.children("api")
        os.kill(api, signal.SIGKILL)
        wait_until(lambda: api not in service.children("api"))
        service.wait_until_it_answers()
        assert [push(service, KEY), push(service, OTHER)] == [401, 201]
        # Wherever people look.
        words = [
            word
            for one in processes()
            if service.pid in (one.pid, one.parent)
            for word in one.words
        ]
        checked = run("check-config", "--config", str(path))
        state = json.dumps(service.get("/stats", headers=bearer(OTHER)).json())
        assert isinstance(checked.exception, PousseTachesError)
        for text in (service.log, " ".join(words), state, str(checked.exception)):
            assert "s3cret" not in text
        assert "need a restart" not in service.log


def test_health_is_open_and_tells_strangers_only_the_gist(tmp_path: Path) -> None:
    environment = {"POUSSETACHES_API_KEYS": KEY, "POUSSETACHES_READ_KEYS": READ}
    with Guarded(tmp_path, environment=environment) as service:
        assert service.get("/health").json() == {"healthy": True}
        assert service.get("/ready").json() == {"ready": True}
        for key in (KEY, READ):
            told = service.get("/health", headers=bearer(key)).json()
            assert told["healthy"] and "complaints" in told
        for path in ("/", "/stats", "/waiting", "/nothing-here"):
            answer = service.get(path)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "unauthorized"
            challenges = answer.headers["WWW-Authenticate"]
            assert "Basic" in challenges and "Bearer" in challenges


def test_the_client_and_the_command_line_have_a_key(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"basicauth": "ada:pw-s3cret", "workers": 1}
    environment = {"POUSSETACHES_READ_KEYS": READ}
    with Guarded(tmp_path, settings=settings, environment=environment) as service:
        url = service.url.replace("http://", "http://ada:pw-s3cret@")
        monkeypatch.delenv("POUSSETACHES_API_KEY", raising=False)
        client = PousseTaches(url, receiver.url(""))
        client.push({"n": 1}, "/")
        wait_until(lambda: len(client.get_success()) == 1)
        with pytest.raises(requests.HTTPError, match="401"):
            PousseTaches(service.url, receiver.url("")).push({"n": 2}, "/")
        assert run("queue", "ls", "--url", url).exit_code == 0
        known = {"POUSSETACHES_URL": service.url, "POUSSETACHES_API_KEY": READ}
        assert run("queue", "ls", "--json", **known).exit_code == 0
        refused = run("pause", **known)
        assert isinstance(refused.exception, PousseTachesError)
        assert "may read" in refused.exception.message
        assert isinstance(run("pause", "--url", service.url).exception, Exception)
        known["POUSSETACHES_API_KEY"] = "ada:pw-s3cret"
        assert run("pause", **known).exit_code == 0
        assert "s3cret" not in service.log


@pytest.mark.parametrize("bind", ["0.0.0.0", "[::]"])
def test_it_does_not_listen_beyond_this_machine_without_a_key(
    tmp_path: Path, bind: str
) -> None:
    service = Service(tmp_path, settings={"bind": f"{bind}:{free_port()}"})
    with service.launched():
        assert service.wait(30) == 1
        (line,) = service.log.splitlines()
        assert line.startswith(f"poussetaches: bind: {bind}:")
        assert "--insecure" in line
        assert not service.data_dir.exists()


def test_insecure_is_said_in_the_log(tmp_path: Path) -> None:
    service = Service(tmp_path, settings={"insecure": True})
    service.settings["bind"] = f"0.0.0.0:{service.port}"
    with service:
        assert push(service) == 201
        assert "everybody who reaches this address may do everything" in service.log


def test_keys_are_not_given_up_while_others_can_reach_it(tmp_path: Path) -> None:
    """A file that says another address by now, which is not yet listened at."""
    path = tmp_path / "p.ini"
    path.write_text(f"[poussetaches]\napi_keys = {KEY}\n")
    service = Guarded(tmp_path, settings={"config": path})
    path.write_text(
        f"[poussetaches]\nbind = 0.0.0.0:{service.port}\napi_keys = {KEY}\n"
    )
    # The command line would win.
    service.settings["bind"] = ""
    service.command = lambda: [  # type: ignore[method-assign]
        *(sys.executable, "-m", "poussetaches", "serve", "--config", str(path)),
        *("--data-dir", str(service.data_dir)),
    ]
    with service:
        path.write_text("[poussetaches]\n")
        service.kill(signal.SIGHUP)
        wait_until(lambda: "the configuration was not taken" in service.log)
        assert [push(service), push(service, KEY)] == [401, 201]


# --- a Unix socket --------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody can enter, with a short name."""
    path = Path(f"/tmp/poussetaches-test-{os.getpid()}")
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


def connect_as(user: int, groups: list[int], path: Path) -> str:
    """What somebody else gets who tries to connect there."""
    program = (
        "import os, socket, sys\n"
        f"os.setgroups({groups}); os.setgid({user}); os.setuid({user})\n"
        "sock = socket.socket(socket.AF_UNIX)\n"
        "try:\n"
        f"    sock.connect({str(path)!r})\n"
        "    print('connected')\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return told.stdout.strip()


def test_a_unix_socket_serves_whom_its_mode_lets(
    tmp_path: Path, folder: Path, receiver: Receiver
) -> None:
    path = folder / "api.sock"
    url = f"unix:{path}"
    group = os.getgid() if os.getuid() else 4242
    settings = {"bind": url, "socket_mode": "0660", "socket_group": group}
    with AtSocket(tmp_path, settings=settings) as service:
        found = path.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)
        assert f"listening on {url}" in service.log
        client = PousseTaches(url, receiver.url(""))
        client.push({"n": 1}, "/")
        wait_until(lambda: len(client.get_success()) == 1)
        assert run("queue", "ls", POUSSETACHES_URL=url).exit_code == 0
        if os.getuid() == 0:
            assert connect_as(4243, [], path) == "Permission denied"
            assert connect_as(4243, [group], path) == "connected"
        # A dead one leaves its socket behind; the next one takes its place.
        service.kill(signal.SIGKILL)
        service.wait()
        assert path.is_socket()
        service.start()
        assert Asker(url).get("/success")["total"] == 1
        second = Service(tmp_path / "second", settings=settings)
        (tmp_path / "second").mkdir()
        with second.launched():
            assert second.wait(30) == 1
            assert f"somebody listens at {path} already" in second.log
        assert Asker(url).get("/ready") == {"ready": True, "complaints": []}
        assert service.stop() == 0
        assert not path.exists()


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl_reaches_a_unix_socket(tmp_path: Path, folder: Path) -> None:
    path = folder / "api.sock"
    settings = {"bind": f"unix:{path}", "api_keys": KEY, "url_prefix": "/q"}
    service = AtSocket(tmp_path, settings=settings)
    with service.launched():
        url = f"unix:{path}:/q"

        def answers() -> bool:
            try:
                return bool(Asker(url).get("/ready")["ready"])
            except Unavailable:
                return False

        wait_until(answers, 30, lambda: service.log)
        assert f"listening on {url}\n" in service.log
        told = subprocess.run(
            [
                *("curl", "-sS", "--unix-socket", str(path)),
                *("-H", f"Authorization: Bearer {KEY}", "http://localhost/q/waiting"),
            ],
            capture_output=True,
            timeout=30,
            check=True,
        )
        assert json.loads(told.stdout)["total"] == 0


# --- behind a proxy -------------------------------------------------------------------


def test_everything_is_below_the_prefix_and_nothing_elsewhere(tmp_path: Path) -> None:
    service = Guarded(tmp_path, settings={"url_prefix": "/q", "api_keys": KEY})
    with service.launched():
        wait_until(lambda: "ready" in service.log, 30)
        mine = {"headers": bearer(KEY)}
        task = {"url": "http://127.0.0.1:1/", "countdown": TOMORROW}
        made = service.post("/q", task, **mine)
        assert made.status_code == 201
        id = made.headers["Poussetaches-Task-Id"]
        assert service.post("/q/", task, **mine).status_code == 201
        assert service.get(f"/q/task/{id}", **mine).json()["id"] == id
        assert service.get("/q/ready").json() == {"ready": True}
        for path in ("/", f"/task/{id}", "/qq", "/Q/", "/q/nothing"):
            assert service.get(path, **mine).status_code == 404
        asker = Asker(service.url.replace("http://", f"http://x:{KEY}@") + "/q/")
        assert asker.get("/waiting")["total"] == 2


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream queue {{ server {upstream}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location /queue/ {{
      proxy_pass http://queue;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[int]:
    """In front of ``upstream``; the port of it."""
    port = free_port()
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(path)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, 30)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx")
def test_behind_a_real_nginx(tmp_path: Path, folder: Path) -> None:
    """Over a Unix socket, below a prefix, with what a browser would say."""
    path = folder / "api.sock"
    settings = {
        "bind": f"unix:{path}",
        "url_prefix": "/queue",
        "allowed_hosts": "queue.example",
        "socket_mode": "666",
    }
    service = AtSocket(tmp_path, settings=settings)
    with service.launched(), nginx(folder, f"unix:{path}") as port:
        wait_until(lambda: "ready" in service.log, 30)
        base = f"http://127.0.0.1:{port}"
        client = PousseTaches(f"{base}/queue/", "http://127.0.0.1:1")
        client.push({"n": 1}, "/", delay=60)
        assert len(client.get_waiting()) == 1
        assert requests.get(base, timeout=10).status_code == 404

        def status(method: str, path: str, **headers: str) -> int:
            lines = [f"{name.replace('_', '-')}: {v}" for name, v in headers.items()]
            head = [f"{method} {path} HTTP/1.1", *lines, "Content-Length: 0", "", ""]
            with Connection(port) as connection:
                connection.send("\r\n".join(head).encode())
                return connection.answer().status

        own = {"Host": "queue.example", "Origin": "http://queue.example"}
        assert status("POST", "/queue/pause", **own) == 200
        assert status("POST", "/queue/resume", **own, Sec_Fetch_Site="same-origin") == (
            200
        )
        foreign = own | {"Origin": "https://evil.example"}
        assert status("POST", "/queue/pause", **foreign) == 403
        rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert status("POST", "/queue/pause", **rebound) == 403
        assert status("GET", "/queue/", Host="evil.example") == 200


def test_a_page_of_another_site_cannot_pause_it(tmp_path: Path) -> None:
    with Service(tmp_path, settings={"workers": 1}) as service:
        form = {
            "Origin": "https://evil.example",
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "no-cors",
            "Content-Type": "text/plain",
        }
        for path in ("/pause", "/", "/batch", "/tasks/push/"):
            answer = service.request("POST", path, headers=form, data=b"{}")
            assert answer.status_code == 403, path
            assert answer.json()["error"]["code"] == "forbidden"
        assert service.get("/").json()["paused"] is False
        token = base64.b64encode(b"x:y").decode()
        # A link is followed; a proxy in front may have a key that means nothing here.
        link = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Authorization": f"Basic {token}",
        }
        assert service.get("/", headers=link).status_code == 200
