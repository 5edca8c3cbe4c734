"""The overview: who is shown it, what it says, and what can be done on it."""

from __future__ import annotations

import json
import re

import pytest

from poussetaches.api.web.done import DONE
from poussetaches.api.web.overview import MANY_QUEUES, MOST_QUEUES
from poussetaches.errors import ChannelError, NotFound, PousseTachesError, StoreFull
from tests.api.web.scripted import Gateway, child, origin, queue
from tests.api.web.site import HOSTILE, Page, Site, check

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def overview(site: Site, query: str = "") -> Page:
    answer = site.get("/tasks" + query)
    assert answer.status == 200
    check(answer.page, site.prefix)
    return answer.page


# --- who is shown it ------------------------------------------------------------------


def test_a_browser_sees_the_page_and_a_client_the_list() -> None:
    site = Site(Gateway())
    shown = site.get("/tasks")
    assert shown.page.one("h1").text == "Overview"
    assert shown.headers["vary"] == "Accept"
    listed = site.get("/tasks", accept="*/*")
    assert json.loads(listed.body)["tasks"] == []
    assert listed.headers["vary"] == "Accept"


def test_with_a_query_a_list_is_asked_for_by_browsers_too() -> None:
    answer = Site(Gateway()).get("/tasks?state=dead")
    assert json.loads(answer.body)["tasks"] == []


@pytest.mark.parametrize("path", ["/ui", "/ui/"])
def test_the_short_address_leads_there(path: str) -> None:
    answer = Site(Gateway(), prefix="/jobs").get(path)
    assert (answer.status, answer.headers["location"]) == (303, "/jobs/tasks")


@pytest.mark.parametrize("path", ["/tasks", "/ui/live", "/ui/nothing"])
def test_headers_keep_strangers_out(path: str) -> None:
    headers = Site(Gateway()).get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


# --- what it says ---------------------------------------------------------------------


def test_what_is_wrong_stands_on_top_and_in_the_title() -> None:
    gateway = Gateway(
        origin(), held_origins=1, queues={"mail": queue(oldest_due=240.0)}
    )
    page = overview(Site(gateway))
    troubles = [one.text for one in page.all("li", class_="bad")]
    assert troubles[0].startswith("Problem Queue mail: the oldest task that is due")
    assert page.one("title").text == "(2) Overview - poussetaches"
    assert page.html.index("Queue mail") < page.html.index('<dl class="tiles">')


def test_a_service_that_is_well_is_said_to_be() -> None:
    page = overview(Site(Gateway()))
    assert page.one("p", class_="well").text.startswith("All is well")
    assert page.one("title").text == "Overview - poussetaches"


def test_queues_and_processes_are_told_of() -> None:
    queues = {"a": queue(waiting=5), "b": queue(waiting=9, paused=True, in_flight=2)}
    children = [child("worker-1", in_flight=32), child("worker-2", ready=False)]
    gateway = Gateway(
        queues=queues,
        children=children,
        other_queues=queue(waiting=77),
        restarts_by_role={"worker": 4},
    )
    page = overview(Site(gateway))
    rows = [one.text for one in page.all("tr")]
    assert "b paused 9 2 2.5 1.0 0.25 3" in rows
    assert rows.index("b paused 9 2 2.5 1.0 0.25 3") < rows.index(
        "a open 5 0 2.5 1.0 0.25 3"
    )
    assert "77 waiting" in page.html
    assert "worker-1 ready 32 32 of 128 7 1 0.5 % 40 MB 2 h" in rows
    assert "worker-2 starting" in " ".join(rows)
    assert "worker 4" in page.html
    meter = page.one("meter", aria_label="Load of worker-1").attributes
    assert (meter["value"], meter["max"]) == ("32", "128")


def test_of_many_queues_those_are_shown_that_have_most_trouble() -> None:
    queues = {f"q{n}": queue(waiting=n) for n in range(MANY_QUEUES)}
    page = overview(Site(Gateway(queues=queues | {"late": queue(oldest_due=1.0)})))
    shown = [one.text for one in page.all("th", scope="row")][:MOST_QUEUES]
    assert shown[:3] == ["late", f"q{MANY_QUEUES - 1}", f"q{MANY_QUEUES - 2}"]
    assert all(name == "late" or name[0] == "q" for name in shown)
    assert f"{MANY_QUEUES + 1 - MOST_QUEUES} more queues" in page.html
    poll = page.one("div", id="now").attributes
    assert poll["hx-trigger"] == "every 5s, refresh"


def test_a_moment_is_in_words_and_exact() -> None:
    page = overview(Site(Gateway(origin(next_probe=None))))
    since = page.all("time", datetime="2001-09-09T01:46:40Z")[0]
    assert since.attributes["title"] == "2001-09-09 01:46:40 UTC"
    assert since.text.endswith(" d ago")


def test_a_young_service_has_no_dump_and_unknown_memory() -> None:
    store = Gateway().told["store"] | {
        "dumped_at": None,
        "dump_bytes": None,
        "last_dump_seconds": None,
        "syncs": {"count": 0, "sum": 0.0, "buckets": []},
    }
    children = [child("worker-1", cpu=None, memory=None, uptime=0.0)]
    page = overview(Site(Gateway(store=store, children=children, queues={})))
    assert "none yet" in page.html


def test_whatever_strangers_call_things_is_text() -> None:
    hostile = {HOSTILE: queue(waiting=3, paused=True), "b": queue(oldest_due=99.0)}
    gateway = Gateway(
        origin(f"http://{HOSTILE}:80", reason=HOSTILE),
        queues=hostile,
        complaints=[HOSTILE],
        children=[child("worker-1") | {"name": HOSTILE}],
    )
    for path in ("/tasks", "/ui/live"):
        page = Site(gateway).get(path).page
        check(page)
        assert page.html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
        assert "\\u202etxt\\u2066\\x00\\x1b[2J&amp;amp;" in page.html
        assert "{{7*7}}" in page.html and "49%" not in page.html


def test_live_is_the_changing_part_of_the_page() -> None:
    gateway = Gateway(origin(), held_origins=1)
    page, live = overview(Site(gateway)), Site(gateway).get("/ui/live").page
    check(live)
    poll = page.one("div", id="now").attributes
    assert (poll["hx-get"], poll["hx-trigger"]) == ("/ui/live", "every 2s, refresh")
    assert live.one("div", id="rest").attributes["hx-swap-oob"] == "innerHTML"
    for part in ("tiles", "facts"):
        (there,), (here,) = page.all("dl", class_=part), live.all("dl", class_=part)
        assert there.text == here.text
    assert live.one("title").text == page.one("title").text


def test_many_open_pages_cost_no_more_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("poussetaches.api.web.overview.FRESH", 3600.0)
    gateway = Gateway()
    site = Site(gateway)
    first = site.get("/ui/live")
    gateway.told["waiting"] = 4711
    assert site.get("/ui/live").body == first.body
    # But who did something sees what came of it.
    site.post("/ui/pause")
    assert "4,711" in site.get("/ui/live").page.html
    monkeypatch.setattr("poussetaches.api.web.overview.FRESH", 0.0)
    gateway.told["waiting"] = 4712
    assert "4,712" in site.get("/ui/live").page.html


def test_focus_outlives_what_is_live() -> None:
    """Who stands on a link or a button there still does when it is read again."""
    gateway = Gateway(origin(), origin("http://b:80"), held_origins=2, paused=True)
    for element in Site(gateway).get("/ui/live").page.elements:
        if element.tag in {"a", "button"}:
            assert "id" in element.attributes, element


# --- below a prefix, and for those who may only read ----------------------------------


def test_all_links_are_below_the_prefix() -> None:
    site = Site(Gateway(origin()), prefix="/jobs/é".encode().decode("latin-1"))
    check(Site(Gateway(origin()), prefix="/jobs").get("/tasks").page, "/jobs")
    answer = Site(Gateway(), prefix="/jobs").post("/ui/pause", back="/ui/tasks?a=1")
    assert answer.headers["location"] == "/jobs/ui/tasks?a=1&did=paused&count=1"
    assert site.get("/tasks").status == 200


def test_who_may_only_read_is_offered_nothing_else() -> None:
    gateway = Gateway(origin(), origin("http://b:80"), held_origins=2)
    assert len(overview(Site(gateway)).forms) == 4
    page = overview(Site(gateway, read_only=True))
    assert page.forms == []
    assert "Your key may read" in page.html
    assert Site(gateway, read_only=True).get("/ui/live").page.forms == []


# --- what can be done -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields", "did", "said"),
    [
        ("/ui/pause", {}, ("pause",), "did=paused&count=1"),
        ("/ui/resume", {}, ("resume",), "did=resumed&count=1"),
        ("/ui/origins/lift", {}, ("lift", None), "did=lifted&count=3"),
        (
            "/ui/origins/lift",
            {"origin": "http://a.example:80"},
            ("lift", "http://a.example:80"),
            "did=lifted&count=3",
        ),
    ],
)
def test_a_button_does_what_the_service_does(
    path: str, fields: dict[str, str], did: tuple[str, ...], said: str
) -> None:
    gateway = Gateway()
    answer = Site(gateway).post(path, **fields)
    assert gateway.did == [did]
    assert (answer.status, answer.headers["location"]) == (303, f"/tasks?{said}")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("nothing waits for http://a:80"), 404),
        (StoreFull("the disk is full"), 503),
    ],
)
def test_what_cannot_be_done_is_said_on_the_page(
    error: PousseTachesError, status: int
) -> None:
    gateway = Gateway()
    gateway.error = error
    answer = Site(gateway).post("/ui/origins/lift", origin="http://a:80")
    assert answer.status == status
    check(answer.page)
    alert = answer.page.one("p", role="alert").text
    assert alert.lower() == f"{error.message}."


def test_what_is_no_origin_is_refused_on_the_page() -> None:
    gateway = Gateway()
    answer = Site(gateway).post("/ui/origins/lift", origin=HOSTILE)
    assert (answer.status, gateway.did) == (400, [])
    check(answer.page)


def test_what_was_done_is_said_by_a_word_and_never_by_text_from_the_address() -> None:
    site = Site(Gateway())

    def said(query: str) -> list[str]:
        return [one.text for one in overview(site, query).all("p", class_="message")]

    assert said("?did=lifted&count=3") == ["3 origins are tried again now."]
    for query in ("?did=<b>x</b>", "?count=3", "?did=", "?did=__class__"):
        assert said(query) == []
    for count in ("<b>", "-1", "%C2%B2", "9" * 5000):
        assert said(f"?did=lifted&count={count}") == ["The origin is tried again now."]


def test_words_for_what_was_done_are_sentences() -> None:
    for word, sentences in DONE.items():
        assert re.fullmatch(r"[a-z_-]+", word)
        for sentence in sentences:
            assert sentence.format(n=2)[-1] == "."


# --- what goes wrong ------------------------------------------------------------------


def test_an_unknown_page_is_told_of_on_one() -> None:
    answer = Site(Gateway()).get("/ui/nothing")
    assert answer.status == 404
    check(answer.page)
    assert answer.page.one("h1").text == "Not found"
    assert Site(Gateway()).get("/nothing").headers["content-type"] == "application/json"


def test_a_form_is_not_read_again_as_a_page() -> None:
    answer = Site(Gateway()).get("/ui/pause")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    check(answer.page)


def test_without_the_supervisor_there_is_a_page_that_says_so() -> None:
    class Gone(Gateway):
        def stats(self) -> dict[str, object]:
            raise ChannelError("the supervisor is gone")

    answer = Site(Gone()).get("/tasks")
    assert answer.status == 500
    check(answer.page)
    assert "The supervisor is gone." in answer.page.html
