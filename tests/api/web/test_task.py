"""One task: its story, and what is done to it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from poussetaches.api.web import story
from poussetaches.errors import StoreFull
from tests.api.web.house import BEGIN, IDS, House
from tests.api.web.site import HOSTILE, Page, Site, check
from tests.support.dead_letters import die

ID = IDS[0]


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def site(house: House) -> Site:
    return Site(house.gateway)


def shown(site: Site, id: str = ID) -> Page:
    answer = site.get(f"/ui/task/{id}")
    assert answer.status == 200
    check(answer.page, site.prefix)
    return answer.page


def told(page: Page) -> dict[str, str]:
    """The facts, by their names."""
    names = [one.text for one in page.all("dt")]
    texts = [one.text for one in page.all("dd")]
    return dict(zip(names, texts, strict=True))


# --- its story ------------------------------------------------------------------------


def test_a_task_that_waits(house: House, site: Site) -> None:
    house.push(
        ID,
        delay=600.0,
        queue="mail",
        method="PUT",
        payload=b'{"to":"anna"}',
        expected=201,
        max_retries=7,
        group="customer 4",
        key="order-17",
        metadata='{"tenant":["Acme"]}',
        expires=BEGIN + 9000.0,
    )
    page = shown(site)
    facts = told(page)
    assert facts["Target"] == "PUT http://a:80/task"
    assert (facts["Queue"], facts["Group"], facts["Key"]) == (
        "mail",
        "customer 4",
        "order-17",
    )
    assert (facts["Attempts"], facts["Retries at most"]) == ("0", "7")
    assert facts["Expected answer"] == "201"
    assert {"Due", "Pushed", "Expires"} <= facts.keys()
    payload, metadata = page.all("pre")
    assert payload.text == '{ "to": "anna" }'
    assert metadata.text == '{ "tenant": [ "Acme" ] }'
    assert "It is due" in page.one("ul", class_="why").text
    assert page.one("div", id="story").attributes["hx-get"] == f"/ui/task/{ID}/live"
    assert page.one("a", href=f"/task/{ID}").text == "JSON"


def test_every_attempt_with_what_was_answered(house: House, site: Site) -> None:
    task = die(house.queue, ID, "first of all", status=503)
    (one,) = task.past
    task.past = tuple(
        one._replace(number=n, excerpt=f"answer {n}".encode(), request="req-9")
        for n in (1, 5, 6)
    )
    task.dropped = 3
    page = shown(site)
    rows = [one.text for one in page.all("tr")][1:]
    assert len(rows) == 3
    for row, number in zip(rows, (1, 5, 6), strict=True):
        assert f"answer {number}" in row and "503" in row and "req-9" in row
    assert "3 more after the first one are not kept." in page.html
    assert page.one("h3").text == "Last error: answered 503 text"
    assert page.one("pre").text == "first of all"
    assert not page.all("div", id="story")[0].attributes.keys() - {"id"}


def test_a_live_task_is_read_again_until_it_is_gone(house: House, site: Site) -> None:
    house.push(ID)
    fragment = site.get(f"/ui/task/{ID}/live").page
    check(fragment)
    assert "waiting" in fragment.html and not fragment.all("html")
    house.gateway.cancel(ID)
    answer = site.get(f"/ui/task/{ID}/live")
    assert answer.status == 200
    assert "not there any more" in answer.page.one("p").text
    assert site.get(f"/ui/task/{ID}").status == 404


def asked(**fields: Any) -> dict[str, Any]:
    """A task as JSON."""
    usual = {
        "url": "http://a/",
        "payload": None,
        "expected": 200,
        "schedule": "",
        "next_run": 0,
        "last_run": 0,
        "tries": 0,
        "last_error_body": None,
        "last_error_status_code": 0,
        "queue": "default",
        "state": "waiting",
    }
    return usual | fields


@pytest.mark.parametrize(
    ("payload", "form", "text"),
    [
        (b"plain words", "text", "plain words"),
        ("Grüße".encode(), "text", "Grüße"),
        (b'{"a":1}', "JSON", '{\n  "a": 1\n}'),
        (b'{"a":', "text", '{"a":'),
        (b"[" * 5000, "text", "[" * 5000),
        (b"17", "text", "17"),
        (b"", "text", "empty"),
        (b"\xff\x00\x01", "bytes", "3 bytes that are no text: ff 00 01"),
        (b"\xff" * 70, "bytes", f"70 bytes that are no text: {'ff ' * 64}..."),
    ],
)
def test_a_payload_is_decoded_as_far_as_it_can_be(
    payload: bytes, form: str, text: str
) -> None:
    (block,) = story.blocks(asked(payload=b64encode(payload).decode()))
    assert (block.form, block.text) == (form, text)


def test_what_is_very_long_is_cut_and_says_so() -> None:
    for payload in (b"x" * 1_000_000, b'["' + b"x" * 1_000_000 + b'"]'):
        (block,) = story.blocks(asked(payload=b64encode(payload).decode()))
        assert len(block.text) < story.LONGEST + 100
        assert "characters, the JSON has them all" in block.text


def test_fields_that_are_not_known_yet_are_told_too() -> None:
    fields = {fact.name: fact.text for fact in story.facts(asked(new_field=[1], b="x"))}
    assert fields["B"] == "x"
    (block,) = story.blocks(asked(new_field=[1]))
    assert (block.name, block.form) == ("New field", "JSON")
    long = asked(words="w " * 100)
    assert [one.name for one in story.blocks(long)] == ["Words"]


# --- what is done ---------------------------------------------------------------------


def test_it_is_run_now(house: House, site: Site) -> None:
    house.push(ID, delay=600.0)
    (form,) = [one for one in shown(site).forms if one.text == "Run now"]
    answer = site.post(form.attributes["action"])
    assert answer.headers["location"] == f"/ui/task/{ID}?did=run&count=1"
    assert [*house.queue.leased] == [ID]
    refused = site.post(form.attributes["action"])
    assert refused.status == 409
    check(refused.page)
    assert "under way" in refused.page.one("p", role="alert").text


def test_a_dead_letter_is_retried(house: House, site: Site) -> None:
    die(house.queue, ID)
    (form,) = [one for one in shown(site).forms if one.text == "Retry"]
    answer = site.post(form.attributes["action"])
    assert answer.headers["location"] == f"/ui/task/{ID}?did=retried&count=1"
    assert [*house.queue.tasks] == [ID]
    assert site.post(form.attributes["action"]).status == 409


@pytest.mark.parametrize("deed", ["cancel", "delete"])
def test_it_is_done_without_after_a_question(
    house: House, site: Site, deed: str
) -> None:
    if deed == "cancel":
        house.push(ID)
    else:
        die(house.queue, ID)
    (button,) = shown(site).all("button", class_="danger")
    assert (button.attributes["value"], button.text) == (deed, deed.title())
    back = "/ui/tasks" if deed == "cancel" else "/ui/dead/groups"
    fields = {"id": ID, "do": deed, "back": back}
    question = site.post("/ui/tasks/change", **fields)
    assert question.page.one("h1").text == f"{deed.title()} 1 task?"
    answer = site.post("/ui/tasks/change", **fields, sure="1")
    past = "cancelled" if deed == "cancel" else "deleted"
    assert answer.headers["location"] == f"{back}?did={past}&count=1"
    assert not house.queue.tasks and not house.queue.dead


def test_it_is_changed(house: House, site: Site) -> None:
    house.push(ID, delay=600.0, payload=b"stays")
    fields = {
        "countdown": "30",
        "queue": " mail ",
        "max_retries": "2",
        "timeout": "1.5",
    }
    answer = site.post(f"/ui/task/{ID}/edit", **fields)
    assert answer.headers["location"] == f"/ui/task/{ID}?did=edited&count=1"
    task = house.queue.tasks[ID]
    assert task.eta == house.clock.now() + 30.0
    assert (task.terms.queue, task.terms.max_retries) == ("mail", 2)
    assert task.terms.special is not None and task.terms.special.timeout == 1.5
    assert b"stays" in task.spec
    site.post(f"/ui/task/{ID}/edit", queue="default", countdown="", timeout="")
    assert house.queue.tasks[ID].eta == task.eta


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Nothing is filled in."),
        ({"countdown": "soon"}, "Countdown: must be a number."),
        ({"countdown": "inf"}, "Countdown: must be a number."),
        ({"timeout": "-1"}, "imeout"),
        ({"max_retries": "1.5"}, "ax_retries"),
        ({"queue": "not a name!"}, "ueue"),
    ],
)
def test_what_cannot_be_is_said_beside_what_was_filled_in(
    house: House, site: Site, fields: dict[str, str], said: str
) -> None:
    house.push(ID)
    answer = site.post(f"/ui/task/{ID}/edit", **fields)
    assert answer.status == 400
    check(answer.page)
    assert said in answer.page.one("p", role="alert").text
    for name, given in fields.items():
        field = answer.page.one("input", name=name, id=f"e-{name}")
        assert field.attributes["value"] == given


def test_what_has_begun_meanwhile_is_not_changed(house: House, site: Site) -> None:
    house.push(ID)
    house.gateway.run(ID)
    answer = site.post(f"/ui/task/{ID}/edit", queue="mail")
    assert answer.status == 409
    assert not [one for one in shown(site).forms if "edit" in one.attributes["action"]]


def test_a_full_disk_is_said(house: House, site: Site) -> None:
    die(house.queue, ID)

    def full() -> None:
        raise StoreFull("The disk is full.", retry_after=5)

    house.full = full
    answer = site.post(f"/ui/task/{ID}/retry")
    assert answer.status == 503
    assert answer.page.one("p", role="alert").text == "The disk is full."


# --- who is shown what ----------------------------------------------------------------


def test_a_key_that_may_only_read_sees_no_form(house: House) -> None:
    house.push(ID)
    die(house.queue, IDS[1])
    site = Site(house.gateway, read_only=True)
    for id in (ID, IDS[1]):
        assert not shown(site, id).forms


def test_below_a_prefix(house: House) -> None:
    house.push(ID)
    site = Site(house.gateway, prefix="/jobs")
    shown(site)
    answer = site.post(f"/ui/task/{ID}/run")
    assert answer.headers["location"].startswith(f"/jobs/ui/task/{ID}?")


def test_what_strangers_wrote_is_text(house: House, site: Site) -> None:
    house.push(
        ID,
        url="http://a/<script>alert(1)</script>",
        payload=HOSTILE.encode(),
        key=HOSTILE,
        group=HOSTILE,
        headers=(("X-<script>", HOSTILE),),
        metadata='{"<script>alert(1)</script>":"<script>alert(1)</script>"}',
    )
    page = shown(site)
    assert "<script>alert(1)</script>" in page.all("pre")[0].text
    task = die(house.queue, IDS[1], HOSTILE)
    (one,) = task.past
    hostile = one._replace(outcome=HOSTILE, excerpt=HOSTILE.encode(), request=HOSTILE)
    task.past = (hostile,)
    shown(site, IDS[1])


def test_secrets_are_masked(house: House, site: Site) -> None:
    headers = (("Authorization", "Bearer s3cret"), ("X-Seen", "seen"))
    house.push(ID, url="http://anna:hunter2@a/", headers=headers)
    page = shown(site)
    assert "hunter2" not in page.html and "s3cret" not in page.html
    assert "http://***@a/" in page.html and "seen" in page.html


@pytest.mark.parametrize(
    "id", ["nothing", "%3Cscript%3Ealert(1)", "%E2%80%AE", "0" * 32]
)
def test_a_task_that_is_not_there_is_a_page_too(site: Site, id: str) -> None:
    for answer in (site.get(f"/ui/task/{id}"), site.post(f"/ui/task/{id}/run")):
        assert answer.status == 404
        check(answer.page)
        assert "no task" in answer.page.one("main").text
