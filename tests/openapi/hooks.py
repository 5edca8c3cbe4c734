"""What schemathesis does not know of by itself: which URLs there are, and that a path
should lead to something, half of the time. It loads this file."""

from __future__ import annotations

from itertools import count
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.core.parameters import ParameterLocation

#: Nobody is there; and the service is told not to look.
ORIGIN = "http://127.0.0.1:9"

_url = st.text("abcXYZ019-._~/%é", max_size=20).map(f"{ORIGIN}/{{}}".format)
schemathesis.openapi.format("uri", _url)
schemathesis.openapi.format("uri-reference", _url)

_turns = count()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Have the path of every second request lead to something that is there."""
    part = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
    if part is None or part.mode is not GenerationMode.POSITIVE or next(_turns) % 2:
        return
    base = (case.operation.base_url or "").rstrip("/")
    if "id" in case.path_parameters:
        pushed = _ask("POST", f"{base}/", {"url": ORIGIN, "eta": 2e9})
        case.path_parameters["id"] = pushed.headers["Poussetaches-Task-Id"]
    elif case.path.startswith("/queue/"):
        case.path_parameters["name"] = "mail"
        _ask("PUT", f"{base}/queue/mail", {})
    elif case.path.startswith("/schedule/"):
        case.path_parameters["name"] = "nightly"
        push = {"url": ORIGIN, "schedule": "@daily", "name": "nightly"}
        _ask("POST", f"{base}/", push)


def _ask(method: str, url: str, body: Any) -> requests.Response:
    answer = requests.request(method, url, json=body, timeout=15)
    answer.raise_for_status()
    return answer
