"""The trace that a push belongs to (W3C Trace Context): ``traceparent`` and
``tracestate`` travel with the task and are sent along with each of its deliveries.

They are passed on as they came, and no span of ours is put in between: who looks at the
trace sees the caller's span and the target's, and the time that the task waited.
"""

from __future__ import annotations

import re

from poussetaches.model.headers import LONGEST_HEADERS, MOST_HEADERS, Headers
from poussetaches.schema.how import USUAL
from poussetaches.schema.push import PushRequest

PARENT, STATE = "traceparent", "tracestate"

#: Characters of a tracestate, and members of it: more need not be passed on.
LONGEST_STATE = 512
MOST_MEMBERS = 32

# A later version may say more behind a dash, version 00 may not; ff is none.
_parent = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<more>-[!-~]{0,200})?"
).fullmatch
_is_member = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
).fullmatch


def read_trace(parent: str, state: str) -> Headers:
    """The headers to send along for those that came with a push ("": none did).

    What is malformed is left out, as the standard asks for: a trace is never a reason
    to refuse a task. Without a parent, a state has no meaning.
    """
    found = _parent(parent)
    if not found or (found["more"] and parent.startswith("00")):
        return ()
    if not _is_state(state):
        return ((PARENT, parent),)
    return ((PARENT, parent), (STATE, state))


def with_trace(asked: PushRequest, trace: Headers) -> PushRequest:
    """``asked``, of whose deliveries each carries ``trace``.

    Not a schedule: its runs go on long after the request that set it up has ended, and
    for ever under one trace they would be of no use to anybody. A task that has a
    traceparent of its own among its headers keeps that, and its state.
    """
    if asked.schedule or not trace:
        return asked
    how = asked.spec.how or USUAL
    if any(name.lower() in (PARENT, STATE) for name, _ in how.headers):
        return asked
    headers = how.headers + trace
    length = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MOST_HEADERS or length > LONGEST_HEADERS:
        return asked  # the room for headers is the task's own
    spec = asked.spec._replace(how=how._replace(headers=headers))
    return asked._replace(spec=spec)


def _is_state(state: str) -> bool:
    if not 0 < len(state) <= LONGEST_STATE:
        return False
    members = [one.strip(" \t") for one in state.split(",")]
    named = [one for one in members if one]
    if not 0 < len(named) <= MOST_MEMBERS or not all(map(_is_member, named)):
        return False
    keys = [one.partition("=")[0] for one in named]
    return len(keys) == len(set(keys))
