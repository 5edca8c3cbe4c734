"""What the HTTP server says no to, before or instead of the application."""

from __future__ import annotations

from collections.abc import Sequence

from poussetaches.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    PousseTachesError,
    TooLarge,
    TooSlow,
    Unauthorized,
    Unavailable,
)

#: The ways to say who one is. Browsers take the first that they know, and ask people.
CHALLENGES = (
    ("WWW-Authenticate", 'Basic realm="poussetaches", charset="UTF-8"'),
    ("WWW-Authenticate", 'Bearer realm="poussetaches"'),
)


class Refused(Exception):
    """A request that is answered with an error of ours; its connection ends with it."""

    def __init__(
        self,
        status: str,
        error: PousseTachesError,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, error)
        #: Code and reason, as in the first line of the answer.
        self.status = status
        #: What the body of the answer says.
        self.error = error
        #: What its head says beyond what all do.
        self.headers = headers


def bad_request(message: str) -> Refused:
    return Refused("400 Bad Request", InvalidInput(message))


def unauthorized(message: str) -> Refused:
    return Refused("401 Unauthorized", Unauthorized(message), CHALLENGES)


def forbidden(message: str) -> Refused:
    return Refused("403 Forbidden", Forbidden(message))


def not_found(message: str) -> Refused:
    return Refused("404 Not Found", NotFound(message))


def too_slow(part: str) -> Refused:
    return Refused(
        "408 Request Timeout", TooSlow(f"The {part} of the request took too long.")
    )


def body_too_large(limit: int) -> Refused:
    return Refused(
        "413 Content Too Large", TooLarge(f"The body is larger than {limit} bytes.")
    )


def unexpected() -> Refused:
    return Refused(
        "417 Expectation Failed", InvalidInput("Only 100-continue can be expected.")
    )


def head_too_large(limit: int, unit: str) -> Refused:
    message = f"Request line and headers have more than {limit} {unit}."
    return Refused("431 Request Header Fields Too Large", TooLarge(message))


def failed() -> Refused:
    message = "The request failed; the log of the service says why."
    return Refused("500 Internal Server Error", PousseTachesError(message))


def not_implemented(message: str) -> Refused:
    return Refused("501 Not Implemented", InvalidInput(message))


def no_room() -> Refused:
    message = "Too many large requests are under way."
    return Refused("503 Service Unavailable", Unavailable(message))


def too_many_connections() -> Refused:
    message = "Too many connections are open."
    return Refused("503 Service Unavailable", Unavailable(message))


def other_version() -> Refused:
    return Refused(
        "505 HTTP Version Not Supported",
        InvalidInput("Only HTTP/1.1 and HTTP/1.0 are spoken here."),
    )
