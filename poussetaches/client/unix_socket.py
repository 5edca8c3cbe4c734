"""Requests over a Unix socket: ``http+unix://%2Frun%2Fapi.sock/path``."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import unquote, urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

#: What such a URL begins with; the path of the socket, quoted, stands for the host.
SCHEME = "http+unix://"


class UnixAdapter(HTTPAdapter):
    """To be mounted in a session for ``SCHEME``. ``size``: connections to one socket
    that are kept open for reuse."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._pools: dict[str, _Pool] = {}

    def get_connection_with_tls_context(
        self,
        request: PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> HTTPConnectionPool:
        path = unquote(urlsplit(request.url or "").netloc)
        pool = self._pools.get(path)
        if pool is None:
            # Of two threads, one makes a pool for nothing.
            pool = self._pools.setdefault(path, _Pool(path, self._size))
        return pool

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        super().close()


class _Pool(HTTPConnectionPool):
    def __init__(self, path: str, size: int) -> None:
        super().__init__("localhost", maxsize=size)
        self._path = path

    def _new_conn(self) -> HTTPConnection:
        return _Connection(self._path)


class _Connection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def _new_conn(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            # urllib3 has said by now how long that may take.
            sock.settimeout(self.timeout)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        return sock
