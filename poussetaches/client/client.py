"""The client an application pushes and handles tasks with.

It runs in the application's own process. It has the interface of the client published
on PyPI as ``poussetaches`` 0.2.0, down to the names and the order of the fields, so
that replacing that dependency changes nothing in an application. The public words of
that client (``tries``, ``next_run``, ``success``, ``req_id``) are kept for the same
reason.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import requests

from poussetaches.client.service_url import authentication, http_url
from poussetaches.client.session import ProcessSession


class _Headers(Protocol):
    def get(self, key: str, /) -> str | None: ...


class _Request(Protocol):
    """What ``parse`` needs of a request; Flask's and Werkzeug's have it."""

    @property
    def headers(self) -> _Headers: ...

    @property
    def data(self) -> bytes: ...


@dataclass
class Task:
    """One delivery, as the handler of the application receives it."""

    #: Names the attempt: another one for each.
    req_id: str
    #: Which attempt this is, from 1.
    tries: int
    #: What was pushed; ``None`` if nothing was.
    payload: Any


@dataclass
class GetTask:
    """A task as the listings of the service show it."""

    #: What was pushed: a JSON value; else text; else bytes; ``None`` if nothing was.
    payload: Any
    #: The status by which the application says that the task is done.
    expected: int
    #: The recurring rule, "" for a task that runs once.
    schedule: str
    task_id: str
    #: When it is, or was last, due: local time, without a zone.
    next_run: datetime
    #: Attempts so far.
    tries: int
    #: The target.
    url: str
    #: Status of the last failed attempt; 0 if none failed, -1 if nothing answered.
    last_error_status_code: int
    #: What the last failed attempt brought; ``None`` if none failed.
    last_error_body: str | None


class PousseTaches:
    """Pushes tasks to the service, and reads the tasks the service delivers.

    ``api_url`` is the service (``http://127.0.0.1:7991``, or its Unix socket:
    ``unix:/run/poussetaches/api.sock``; a name and a password may stand before a host,
    for the service or for a proxy that asks for them). ``base_url`` is the application,
    as the service reaches it, and is put before each pushed ``path``. ``timeout`` is in
    seconds, for connecting and for each wait for an answer. ``auth_key`` is what
    deliveries must carry, ``api_key`` what the service wants to see; by default
    ``POUSSETACHES_AUTH_KEY`` and ``POUSSETACHES_API_KEY`` are read from the environment
    each time.

    Every method that asks the service raises a ``requests.RequestException`` if it
    cannot: ``requests.HTTPError``, with the reason the service gave, when it said no,
    ``requests.ConnectionError`` or ``requests.Timeout`` when it said nothing. A push
    that ended with one of these two may have been accepted all the same.
    """

    def __init__(
        self,
        api_url: str,
        base_url: str,
        *,
        timeout: float = 10.0,
        auth_key: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self.api_url = api_url
        self.base_url = base_url
        self.timeout = timeout
        self.auth_key = auth_key
        self.api_key = api_key
        self._session = ProcessSession()

    def push(
        self,
        payload: Any,
        path: str,
        expected: int = 200,
        schedule: str = "",
        delay: int = 0,
    ) -> str:
        """Push a task and return its id, once the service has it safe.

        ``payload`` is any JSON value, ``path`` follows ``base_url``, ``delay`` is in
        minutes. With a ``schedule`` the task recurs; pushing the same one again, from
        any number of processes, changes nothing and returns the same id.
        """
        response = self._ask(
            "POST",
            self.api_url,
            json={
                "url": self.base_url + path,
                "payload": base64.b64encode(json.dumps(payload).encode()).decode(),
                "expected": expected,
                "schedule": schedule,
                "delay": delay,
            },
        )
        task_id = response.headers.get("Poussetaches-Task-ID")
        if task_id is None:
            raise requests.RequestException(
                f"the answer {response.status_code} for {_asked(response)} names no "
                "task: is api_url the address of poussetaches?",
                response=response,
            )
        return task_id

    def parse(self, req: _Request) -> Task:
        """Read the delivery in ``req``, the request the application is handling.

        Raises ``ValueError("Bad auth key")`` if it does not carry the auth key, and
        another ``ValueError`` if it is no delivery. With no key configured, none is
        required.
        """
        given = req.headers.get("Poussetaches-Auth-Key") or ""
        if not hmac.compare_digest(_key_bytes(given), _key_bytes(self._expected_key())):
            raise ValueError("Bad auth key")
        envelope = json.loads(req.data)
        try:
            return Task(
                req_id=envelope["req_id"],
                tries=envelope["tries"],
                payload=_decode_payload(envelope["payload"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not the envelope of a task") from error

    def pause(self) -> None:
        """Have the service deliver nothing until ``resume``."""
        self._ask("POST", self._url_of("pause"))

    def resume(self) -> None:
        """Have the service deliver again."""
        self._ask("POST", self._url_of("resume"))

    def get_cron(self) -> list[GetTask]:
        """The recurring tasks, the next to run first."""
        return self._listing("cron")

    def get_success(self) -> list[GetTask]:
        """The tasks that succeeded and are still remembered."""
        return self._listing("success")

    def get_waiting(self) -> list[GetTask]:
        """The tasks to be delivered, recurring and in-flight ones included."""
        return self._listing("waiting")

    def get_dead(self) -> list[GetTask]:
        """The tasks given up after their last attempt."""
        return self._listing("dead")

    def _listing(self, name: str) -> list[GetTask]:
        """All of a list. Its pages are read while the queue goes on, so a task may be
        met again further down; only where it was last counts."""
        tasks: dict[str, GetTask] = {}
        for fields in self._pages(name):
            task = _read_task(fields)
            tasks.pop(task.task_id, None)
            tasks[task.task_id] = task
        return list(tasks.values())

    def _pages(self, name: str) -> Iterator[dict[str, Any]]:
        url = self._url_of(name)
        cursor = None
        while True:
            params = None if cursor is None else {"cursor": cursor}
            response = self._ask("GET", url, params=params)
            page = response.json()
            yield from page["tasks"]
            # The service that came before answers everything at once, with no cursor.
            following = page.get("cursor")
            if following is None:
                return
            if following == cursor:
                raise requests.RequestException(
                    f"the answer for {_asked(response)} leads back to itself: "
                    "does something on the way drop the query string?",
                    response=response,
                )
            cursor = following

    def _url_of(self, name: str) -> str:
        return f"{http_url(self.api_url).rstrip('/')}/{name}"

    def _ask(self, method: str, url: str, **content: Any) -> requests.Response:
        session = self._session.get()
        response = session.request(
            method,
            http_url(url),
            timeout=self.timeout,
            auth=authentication(url, self.api_key),
            **content,
        )
        if response.status_code >= 400:
            raise requests.HTTPError(_refusal(response), response=response)
        return response

    def _expected_key(self) -> str:
        key = self.auth_key
        if key is None:
            key = os.environ.get("POUSSETACHES_AUTH_KEY", "")
        # No header can carry blanks around its value, and the service sends none.
        return key.strip()


def _asked(response: requests.Response) -> str:
    """The request, without the host: no message shows credentials in ``api_url``."""
    return f"{response.request.method} {response.request.path_url}"


def _refusal(response: requests.Response) -> str:
    """Why the service said no, in its own words (which name the field), if any."""
    said = f"{response.status_code} {response.reason} for {_asked(response)}"
    try:
        reason = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return said
    return f"{said}: {reason}"


def _key_bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _decode_payload(encoded: str | None) -> Any:
    """JSON if it is; pushed by others it may be text, or bytes; or nothing."""
    if encoded is None:
        return None
    raw = base64.b64decode(encoded)
    # JSON nested too deeply to decode is text: one such task must not cost a list.
    with suppress(ValueError, RecursionError):
        return json.loads(raw)
    with suppress(UnicodeDecodeError):
        return raw.decode()
    return raw


def _read_task(fields: dict[str, Any]) -> GetTask:
    body = fields["last_error_body"]
    if body:
        body = base64.b64decode(body).decode(errors="replace")
    return GetTask(
        payload=_decode_payload(fields["payload"]),
        expected=fields["expected"],
        schedule=fields["schedule"],
        task_id=fields["id"],
        # Nanoseconds since the epoch on the wire.
        next_run=datetime.fromtimestamp(fields["next_run"] / 1e9),
        tries=fields["tries"],
        url=fields["url"],
        last_error_status_code=fields["last_error_status_code"],
        last_error_body=body,
    )
