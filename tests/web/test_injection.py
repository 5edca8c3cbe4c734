"""Whatever strangers wrote stays text, on every page and in every place of it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.service import Service, wait_until
from tests.support.target import ScriptedTarget, answering
from tests.support.visit import Visit
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser]

#: Each would call it, or pause the service, or be something else than it reads.
HOSTILE = (
    "<script>owned()</script>"
    "<img src=x onerror=owned()>"
    "<svg onload=owned()>"
    "\"'` onfocus=owned() onmouseover=owned() autofocus x=\"'"
    "</textarea></title></pre></script></option>--><script>owned()</script>"
    '<b hx-post="/ui/pause" hx-trigger="load" data-live>b</b>'
    "<style>main{display:none}</style><base href=//other.test>"
    "<a href=javascript:owned()>a</a>"
    "{{7*7}} {{!owned()}} <% owned() %> &lt;i&gt;"
)
#: Reads as another name: what turns the text round is not seen.
REVERSED = "invoice\u202efdp.exe\u2066\u200f"
LONG = "w" * 600

#: What of the above would be if it were not text.
_ALIVE = (
    "script:not([src]), img[src=x], svg[onload], [onfocus], [onmouseover], [autofocus],"
    " [hx-post], style, base, a[href^='javascript:'], main b[data-live], pre i"
)
#: What turns round the text that follows.
_TURNING = (
    "[...document.body.textContent].some("
    "one => /[\u202a-\u202e\u2066-\u2069\u200e\u200f]/.test(one))"
)


class Stranger:
    """One task that says it everywhere, and has died of an answer that does too."""

    def __init__(self, service: Service, target: ScriptedTarget) -> None:
        said = HOSTILE + REVERSED
        told = {
            "url": target.url(f"/x?{quote(said)}#{quote(said)}"),
            "json": {said: [said, LONG]},
            "metadata": {said: REVERSED},
            "headers": {"X-Said": HOSTILE, "X-Long": LONG},
            "key": said[:255],
            "group": said[-100:],
            "max_retries": 0,
        }
        answer = service.post("/", told)
        assert answer.status_code == 201, answer.text
        self.id = answer.headers["Poussetaches-Task-Id"]
        waiting = service.post("/", told | {"key": None, "countdown": 86_400})
        assert waiting.status_code == 201
        self.waiting_id = waiting.headers["Poussetaches-Task-Id"]
        schedule = {"url": target.url("/"), "schedule": "@daily", "name": HOSTILE[:100]}
        scheduled = service.post("/", schedule)
        assert scheduled.status_code == 201, scheduled.text
        wait_until(lambda: service.get("/stats").json()["dead"])


@pytest.fixture(scope="module")
def stranger(service: Service) -> Iterator[Stranger]:
    body = (HOSTILE + REVERSED + LONG).encode()
    headers = {"Content-Type": "text/html", "X-Answer": HOSTILE}
    with ScriptedTarget(answering(500, body, headers.items())) as target:
        yield Stranger(service, target)


def look_for_life(visit: Visit) -> list[str]:
    """What of a page came of the text; each thing but a script that the browser
    complains of anyway."""
    found: list[str] = visit.page.evaluate(
        "(alive) => [...document.querySelectorAll(alive)].map(one => one.outerHTML)",
        _ALIVE,
    )
    if visit.page.evaluate(_TURNING):
        found.append("text that turns round")
    if not visit.page.locator("main").is_visible():
        found.append("a style")
    return found


PAGES = (
    "/tasks",
    "/tasks?did={said}&count={said}",
    "/ui/{said}",
)


@pytest.mark.parametrize("path", PAGES)
def test_what_strangers_wrote_is_text(
    service: Service, stranger: Stranger, visitor: Visitors, path: str
) -> None:
    visit = visitor(service)
    # Of the page itself, where there is none of that name.
    visit.allow("status of 404")
    told = {"said": quote(HOSTILE + REVERSED, ""), "id": stranger.id}
    answer = visit.go(path.format(**told, waiting_id=stranger.waiting_id))
    assert answer.headers["content-type"].startswith("text/html")
    assert look_for_life(visit) == []
    assert not service.get("/stats").json()["paused"]
