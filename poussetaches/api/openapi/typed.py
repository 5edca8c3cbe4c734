"""The schema of a type that msgspec reads, field by field, with what the type does not
say of them: limits that are checked after reading, and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from poussetaches.api.openapi.parts import Json

#: By field, by kind of JSON value.
Limits = Mapping[str, Mapping[str, Json]]


def schema_of(
    kind: type[msgspec.Struct],
    limits: Limits,
    descriptions: Mapping[str, str],
    *,
    is_open: bool = False,
) -> Json:
    """``kind`` as an object. Raises KeyError for a limit of a field or of a kind of
    value that it does not have, and for a field without a sentence.

    ``is_open``: unknown fields are ignored, not refused.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if unknown := {*limits} - {*fields}:
        raise KeyError(f"{kind.__name__} has no {', '.join(unknown)}")
    schemas, _ = msgspec.json.schema_components(
        [field.type for field in fields.values()],
        ref_template="#/components/schemas/{name}",
    )
    properties: dict[str, Json] = {}
    for name, one in zip(fields, schemas, strict=True):
        shape = _limited(name, one, limits.get(name, {}))
        properties[name] = {**shape, "description": descriptions[name]}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, field in fields.items() if field.required],
        "additionalProperties": is_open,
    }


def _limited(name: str, shape: Json, limits: Mapping[str, Json]) -> Json:
    """``shape`` with the limits of each kind of value that it allows."""
    left = dict(limits)
    branches: list[Json] = []
    for branch in shape.get("anyOf", [shape]):
        kind: Any = branch.get("type")
        branches.append({**branch, **left.pop(kind, {})})
    if left:
        raise KeyError(f"{name} is no {', '.join(left)}")
    return branches[0] if len(branches) == 1 else {"anyOf": branches}
