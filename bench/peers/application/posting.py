"""What the task of a peer does: one POST over a connection that is kept.

With the cheapest client there is for each kind of worker, one per process:
geventhttpclient where greenlets share it, ``http.client`` where a process does one task
at a time. Or with requests, as most applications do: ``BENCH_CLIENT`` says which.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Session

HEADERS = {"Content-Type": "application/json"}
#: Tasks at once in a worker process with greenlets, each with its connection.
GREENLETS = 16
#: Seconds.
PATIENCE = 30.0


def with_geventhttpclient(payload: str) -> None:
    """Raises RuntimeError unless the answer is 200."""
    response = _geventhttpclient()("/task", _body(payload), HEADERS)
    response.read()
    _check(response.status_code)


def with_http_client(payload: str) -> None:
    """Raises RuntimeError unless the answer is 200."""
    connection = _http_client()
    connection.request("POST", "/task", _body(payload), HEADERS)
    response = connection.getresponse()
    response.read()
    _check(response.status)


def with_requests(payload: str) -> None:
    """Raises RuntimeError unless the answer is 200."""
    url = f"http://127.0.0.1:{_port()}/task"
    response = _session().post(
        url, data=_body(payload), headers=HEADERS, timeout=PATIENCE
    )
    _check(response.status_code)


_REQUESTS = os.environ["BENCH_CLIENT"] == "requests"
post_from_greenlet = with_requests if _REQUESTS else with_geventhttpclient
post_from_process = with_requests if _REQUESTS else with_http_client


# Only when they are used: the worker command patches first, and no environment has
# more than it needs.


@lru_cache
def _geventhttpclient() -> Callable[..., Any]:
    from geventhttpclient import HTTPClient

    post: Callable[..., Any] = HTTPClient(
        "127.0.0.1",
        _port(),
        concurrency=GREENLETS,
        connection_timeout=PATIENCE,
        network_timeout=PATIENCE,
    ).post
    return post


@lru_cache
def _http_client() -> HTTPConnection:
    return HTTPConnection("127.0.0.1", _port(), timeout=PATIENCE)


@lru_cache
def _session() -> Session:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    # No search for proxies and passwords with every request.
    session.trust_env = False
    session.mount("http://", HTTPAdapter(pool_maxsize=GREENLETS))
    return session


def _port() -> int:
    return int(os.environ["BENCH_TARGET"])


def _body(payload: str) -> bytes:
    return b'{"payload":"%b"}' % payload.encode()


def _check(status: int) -> None:
    if status != 200:
        raise RuntimeError(f"answered with {status}")
