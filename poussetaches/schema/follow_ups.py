"""Follow-up tasks: what a target may push with its answer to a task."""

from __future__ import annotations

import msgspec

from poussetaches.errors import InvalidInput, TooLarge
from poussetaches.model.rules import Rules
from poussetaches.schema.batch import parse_batch
from poussetaches.schema.json import decoded
from poussetaches.schema.push import PushRequest, Queues


class _Tasks(msgspec.Struct, forbid_unknown_fields=True):
    tasks: list[msgspec.Raw]


_decode = msgspec.json.Decoder(list[msgspec.Raw] | _Tasks).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def parse_follow_ups(
    body: bytes, rules: Rules, max_payload: int, queues: Queues, *, most: int
) -> list[PushRequest]:
    """The pushes in an answer, at most ``most``: one of them, an array, or ``{"tasks":
    [...]}``. None is as good as any number.

    Raises InvalidInput as ``parse_batch``.
    """
    given = _array(body)
    if len(given) > most:
        raise TooLarge(f"There are {len(given)}, more than {most}.")
    if not given:
        return []
    array = b"[" + b",".join(map(bytes, given)) + b"]"
    return list(parse_batch(array, rules, max_payload, queues))


def _array(body: bytes) -> list[msgspec.Raw]:
    try:
        given = decoded(_decode, body, "The body")
    except msgspec.ValidationError:
        pass  # one push, or nothing that makes sense
    else:
        return given.tasks if isinstance(given, _Tasks) else given
    try:
        one = decoded(_decode_object, body, "The body")
    except msgspec.ValidationError:
        raise InvalidInput(
            'The body must be a push, a JSON array of pushes, or {"tasks": [...]}.'
        ) from None
    if "tasks" in one:
        raise InvalidInput("tasks: must be an array of pushes, beside nothing else")
    return [msgspec.Raw(body)]
