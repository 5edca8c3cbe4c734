"""Whatever strangers wrote stays text, on every page and in every place of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
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
    " [hx-post='/ui/pause'], style, base, a[href^='javascript:'],"
    " main b[data-live], pre i"
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
        schedule = {"url": target.url("/"), "schedule": "@daily", "name": HOSTILE[:100]}
        #: By what it is: the dead one, one that waits, and a schedule.
        self.ids = {
            "dead": self._push(service, told),
            "waiting": self._push(service, told | {"key": None, "countdown": 86_400}),
            "schedule": self._push(service, schedule),
        }
        wait_until(lambda: service.get("/stats").json()["dead"])

    def _push(self, service: Service, told: dict[str, Any]) -> str:
        answer = service.post("/", told)
        assert answer.status_code == 201, answer.text
        return answer.headers["Poussetaches-Task-Id"]


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
    "/tasks?did={said}&count={said}",
    "/ui/{said}",
    "/ui/tasks?text={said}",
    "/ui/tasks?state={said}&queue={said}&url={said}&cursor={said}",
    "/ui/tasks/all?do=cancel&state=waiting&text=x",
    "/ui/tasks/all?do={said}&back={said}",
    "/ui/task/{dead}",
    "/ui/task/{waiting}",
    "/ui/task/{said}",
    "/ui/dead/groups",
    "/ui/dead/groups?queue={said}",
    "/ui/queues?did={said}",
    "/ui/queue/{said}",
    "/ui/schedules",
    "/ui/schedules?cursor={said}",
    "/ui/schedule/{schedule}",
    "/ui/schedule/{schedule}/cancel",
    "/ui/schedule/{said}",
    "/ui/push?like={waiting}",
    "/ui/push?queue={said}",
)


@pytest.mark.parametrize("path", PAGES)
def test_what_strangers_wrote_is_text(
    service: Service, stranger: Stranger, visitor: Visitors, path: str
) -> None:
    visit = visitor(service)
    # Of the page itself, where there is none of that name.
    visit.allow("status of 400", "status of 404")
    answer = visit.go(path.format(**stranger.ids, said=quote(HOSTILE + REVERSED, "")))
    assert answer.headers["content-type"].startswith("text/html")
    assert look_for_life(visit) == []
    assert not service.get("/stats").json()["paused"]
