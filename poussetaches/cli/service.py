"""The service, as the command line talks to it: HTTP, with its errors made
sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import click
import requests
from requests.exceptions import InvalidHeader, InvalidURL

from poussetaches.client.service_url import (
    KEY_VARIABLE,
    authentication,
    http_url,
    user_of,
)
from poussetaches.client.unix_socket import SCHEME, UnixAdapter
from poussetaches.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    PousseTachesError,
    Unauthorized,
    Unavailable,
)

DEFAULT_URL = "http://127.0.0.1:7991"
#: See Service.
TIMEOUT = 10.0
#: What a list has at once, at most.
LONGEST_PAGE = 1000


#: What the status of a refusal says; any other one is just a no.
REFUSALS: Mapping[int, type[PousseTachesError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    503: Unavailable,
}


def with_url(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the option that says where the service is."""
    return click.option(
        "--url",
        envvar="POUSSETACHES_URL",
        default=DEFAULT_URL,
        show_default=True,
        show_envvar=True,
        help="Where the service is: http://HOST:PORT, or unix:/PATH of its socket"
        " (with a prefix unix:/PATH:/PREFIX)."
        " A key stands before the host (http://USER:KEY@HOST), or, better, in"
        " POUSSETACHES_API_KEY.",
    )(command)


class Service:
    """Raises Unavailable if it cannot be reached or do it now, another
    PousseTachesError (``REFUSALS``) if it says no. ``timeout``: seconds to connect, and
    between two bytes of an answer."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        try:
            self._url = http_url(url).rstrip("/")
        except InvalidURL as error:
            raise InvalidInput(str(error), field="url") from error
        self._user = user_of(url)
        try:
            self._auth = authentication(url)
        except InvalidHeader as error:
            raise InvalidInput(f"{KEY_VARIABLE}: {error}") from error
        self._shown = self._without_user(url.rstrip("/"))
        self._timeout = timeout
        self._session = requests.Session()
        self._session.mount(SCHEME, UnixAdapter(1))
        # The service is a neighbour: the proxies of the environment do not lead to it.
        self._session.trust_env = False

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at ``path``."""
        return self.ask("GET", path, params=query)

    def post(self, path: str) -> None:
        """Have done what ``path`` stands for."""
        self._request("POST", path)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Have what is at ``path`` be as ``body`` says; the JSON of the answer."""
        return self.ask("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """Do without what is at ``path``."""
        self._request("DELETE", path)

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """Have something done; the JSON of the answer."""
        try:
            return self._request(method, path, **given).json()
        except ValueError as error:
            raise self._stranger() from error

    def push(self, body: dict[str, Any]) -> str:
        """Push a task; its id."""
        return self.made("/", json=body)

    def made(self, path: str, **given: Any) -> str:
        """The id of the task that a POST to ``path`` makes."""
        answer = self._request("POST", path, **given)
        try:
            return answer.headers["Poussetaches-Task-Id"]
        except KeyError as error:
            raise self._stranger() from error

    def push_batch(self, body: bytes) -> None:
        """Push many tasks, as JSON."""
        self._request("POST", "/batch", data=body)

    def task(self, id: str) -> Any:
        """A task, as JSON."""
        return self.get(f"/task/{quote(id, safe='')}")

    def tasks(self, which: str, limit: int | None) -> Iterator[dict[str, Any]]:
        """The tasks of a list, page by page, ``limit`` at most."""
        return self.listed(f"/{which}", "tasks", limit)

    def listed(
        self, path: str, what: str, limit: int | None = None, **query: Any
    ) -> Iterator[dict[str, Any]]:
        """What the pages at ``path`` have as their ``what``, ``limit`` at most. One may
        be empty and not the last: so far has been searched."""
        if limit is not None:
            query["limit"] = max(1, min(limit, LONGEST_PAGE))
        seen = 0
        while seen != limit:
            page = self.get(path, **query)
            for one in page[what]:
                if seen == limit:
                    return
                seen += 1
                yield one
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def _without_user(self, text: str) -> str:
        """``text`` without what nobody may see."""
        return text.replace(f"{self._user}@", "") if self._user else text

    def _stranger(self) -> Unavailable:
        return Unavailable(f"what answers at {self._shown} is no poussetaches")

    def _request(self, method: str, path: str, **given: Any) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                self._url + path,
                timeout=self._timeout,
                auth=self._auth,
                **given,
            )
        except requests.RequestException as error:
            reason = self._without_user(_cause(error))
            raise Unavailable(
                f"the service at {self._shown} cannot be reached: {reason}"
            ) from error
        if answer.ok:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: requests.Response) -> PousseTachesError:
        status = answer.status_code
        if status == 401:
            # Perhaps it is a proxy before it that says so.
            said = f"wants a key: give it in {KEY_VARIABLE}"
            if self._user or self._auth:
                where = "in the URL" if self._user else f"in {KEY_VARIABLE}"
                said = f"does not know the key {where}"
            return Unauthorized(f"the service at {self._shown} {said}")
        try:
            reason = str(answer.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            return Unavailable(
                f"what answers at {self._shown} is no poussetaches: it said {status}"
            )
        return REFUSALS.get(status, PousseTachesError)(reason)


def _cause(error: BaseException) -> str:
    """The deepest reason of a chain of exceptions: what people can act on."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
