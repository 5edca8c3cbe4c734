"""Pushes that say everything there is to say."""

from __future__ import annotations

import base64
import time
from typing import Any

from hypothesis import strategies as st

from poussetaches.model.request_head import METHODS
from poussetaches.schema import PushRequest, TaskView

URL = "http://127.0.0.1:5000/task"

#: JSON as it stands in a body: no lone surrogates, which nobody can send.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)
#: One moment for all that is drawn: or the same seed would draw something else later.
NOW = int(time.time())
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
_statuses = st.integers(200, 599) | st.sampled_from(["2xx", "3xx", "4xx", "5xx"])
_month = st.floats(0, 30 * 86_400.0)
_header_names = st.from_regex(r"X-[A-Za-z0-9]{1,10}", fullmatch=True)
_header_values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30
)


def _are_different(headers: dict[str, str]) -> bool:
    """Whether no name is there twice, in two spellings."""
    return len({name.lower() for name in headers}) == len(headers)


@st.composite
def _growth(draw: st.DrawFn) -> dict[str, Any]:
    least = draw(st.floats(0, 1000.0))
    rule: dict[str, Any] = {"min": least}
    if draw(st.booleans()):
        rule["max"] = draw(st.floats(least, 2000.0))
    if draw(st.booleans()):
        rule["doublings"] = draw(st.integers(0, 1000))
    return rule


def _common() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "expected": _statuses | st.lists(_statuses, min_size=1, max_size=5),
        "max_retries": st.integers(-1, 1_000_000),
        "queue": st.sampled_from(["default", "mail", "a:b"]),
        "backoff": _growth() | st.lists(_month, min_size=1, max_size=5),
        "timeout": st.floats(0.01, 30 * 86_400.0),
        "roll_back": st.just("http://127.0.0.1:5001/back"),
        "on_success": st.just("https://h.example/done?x=1"),
        "metadata": values.filter(lambda value: value is not None),
        "method": st.sampled_from(sorted(METHODS - {"GET", "HEAD", "OPTIONS"})),
        "headers": st.dictionaries(_header_names, _header_values, max_size=4).filter(
            _are_different
        ),
        "format": st.sampled_from(["envelope", "raw"]),
        "group": names,
    }


_payloads: dict[str, st.SearchStrategy[Any]] = {
    "payload": st.binary(max_size=50).map(lambda data: base64.b64encode(data).decode()),
    "json": values.filter(lambda value: value is not None),
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a push that is accepted, of a task or of a schedule."""
    fields = _common()
    field = draw(st.sampled_from(["payload", "json", ""]))
    if field:
        fields[field] = _payloads[field]
    if draw(st.booleans()):
        fields["name"] = st.text(
            st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20
        )
        fields["timezone"] = st.sampled_from(["UTC", "Europe/Paris", "Asia/Kathmandu"])
        fields["missed"] = st.sampled_from(["one", "none", "all"])
        fields["overlap"] = st.sampled_from(["skip", "queue"])
        schedule = {"schedule": draw(st.sampled_from(["@daily", "*/5 * * * *"]))}
    else:
        schedule = {}
        fields["key"] = names
        # To the second: as a double has it, whoever writes it.
        eta = NOW + draw(st.integers(-10_000, 10_000))
        fields["eta"] = st.just(float(eta))
        fields["expires"] = st.integers(eta, eta + 10_000).map(float)
    given = draw(st.fixed_dictionaries({}, optional=fields))
    return {"url": URL, **given, **schedule}


def view_of(request: PushRequest) -> TaskView:
    """The task that a push becomes, as the supervisor shows it."""
    return TaskView(
        request.id,
        request.spec,
        request.schedule,
        slot=0.0,
        eta=0.0,
        attempts=0,
        last_run_at=0.0,
        error=None,
        error_status=0,
        state="waiting",
        terms=request.terms,
    )
