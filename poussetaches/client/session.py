"""The connections of a client: kept, reused, and never shared by two processes.

All threads and greenlets of a process use the same :class:`requests.Session`. That is
safe because its pool of connections is locked, and because it refuses cookies, the one
thing that sending a request would change in it. A forked child notices that the session
is its parent's and makes its own.

The environment diverts nothing: proxies and ``.netrc`` are ignored, since an
application that reaches the internet through a proxy still has its queue on loopback.
``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` are honoured, for a service behind https.
"""

from __future__ import annotations

import os
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter

from poussetaches.client.unix_socket import SCHEME, UnixAdapter

#: Connections to the service one process keeps open for reuse. Past it, more are opened
#: and closed again after their request.
_POOL_SIZE = 100


class ProcessSession:
    """The session of whichever process asks for it."""

    def __init__(self) -> None:
        #: The process that made the session, and the session: one tuple, so that no
        #: thread ever sees half of a change.
        self._owned: tuple[int, requests.Session] | None = None

    def get(self) -> requests.Session:
        """Two threads may both make the first one; the one not kept serves its request
        and is forgotten."""
        process = os.getpid()
        owned = self._owned
        if owned is None or owned[0] != process:
            owned = self._owned = (process, _make_session())
        return owned[1]


def _make_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = (
        os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_maxsize=_POOL_SIZE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.mount(SCHEME, UnixAdapter(_POOL_SIZE))
    return session
