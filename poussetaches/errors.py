"""The one tree of errors.

Each class has a ``code`` for machines; the message is a sentence for people. Which HTTP
status a code becomes is the api's business (``api/direct.py``), which exit code the
command line's (``cli``).
"""

from __future__ import annotations


class PousseTachesError(Exception):
    """Anything poussetaches says no with."""

    #: What a program may branch on. Part of the public interface: never renamed.
    code = "error"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        #: The public name of the input at fault, if one is.
        self.field = field


class InvalidInput(PousseTachesError):
    """The caller gave something that can never be accepted; nothing was stored."""

    code = "invalid"


class TooLarge(InvalidInput):
    """The caller gave more than a limit allows."""

    code = "too_large"


class TooSlow(InvalidInput):
    """The caller did not finish its request in time."""

    code = "too_slow"


class NotFound(PousseTachesError):
    """There is no such path or thing."""

    code = "not_found"


class Conflict(PousseTachesError):
    """What is asked for does not fit what is there; nothing was changed."""

    code = "conflict"


class Unauthorized(PousseTachesError):
    """The caller has to say who it is, with a key that is known."""

    code = "unauthorized"


class Forbidden(PousseTachesError):
    """The caller, known or not, may not do this."""

    code = "forbidden"


class MethodNotAllowed(PousseTachesError):
    """The path exists, the method does not fit it."""

    code = "method_not_allowed"


class Unavailable(PousseTachesError):
    """The service cannot do it now; the caller may try again."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        #: Seconds after which trying again makes sense.
        self.retry_after = retry_after


class StoreFull(Unavailable):
    """The disk has no room for another task; what was accepted is safe."""

    code = "store_full"


class QueueFull(Unavailable):
    """The queue may hold no further task; what was accepted is safe."""

    code = "queue_full"


class ConfigError(PousseTachesError):
    """A setting, or two together, that make no sense."""

    code = "config"


class StoreError(PousseTachesError):
    """The store cannot be used."""

    code = "store"


class StoreLocked(StoreError):
    """Another supervisor owns the data directory."""

    code = "store_locked"


class StoreBroken(StoreError):
    """The store lacks something that was written to it."""

    code = "store_broken"
    #: What helps, for people.
    advice = (
        "`poussetaches store check` says what is readable, "
        "`poussetaches store repair` saves it into a new directory"
    )

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}; {self.advice}")
        #: The message without the advice.
        self.problem = problem


class StoreDamaged(StoreBroken):
    """A file of the store does not say what was written to it."""

    code = "store_damaged"

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at byte {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


class StoreTooNew(StoreDamaged):
    """A file of the store holds what this version does not know."""

    code = "store_too_new"
    advice = "start the version that wrote it"


class IllegalEvent(PousseTachesError):
    """An event that its task's state does not allow: a bug of ours, never input."""

    code = "illegal_event"


class ChannelError(PousseTachesError):
    """The other end of a channel broke the protocol, or is gone."""

    code = "channel"


class StartupError(PousseTachesError):
    """The service, or one of its children, cannot start."""

    code = "startup"
