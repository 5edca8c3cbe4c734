"""What the tests of the pages look for is found on a page that has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.page_checks import barriers, too_wide, unreachable
from tests.support.target import ScriptedTarget, answering
from tests.support.visit import PHONE, Visit
from tests.web.conftest import Visitors

pytestmark = [pytest.mark.process, pytest.mark.browser]

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src *"
    " 'unsafe-inline'; connect-src *",
}
GOOD = """<!doctype html><html lang="en"><title>A page</title>
<meta name="viewport" content="width=device-width">
<style>:focus-visible { outline: 2px solid blue } nav { overflow-x: auto }</style>
<nav><p style="width: 600px"><a href="/">Wide, in a box of its own</a></p></nav>
<main><h1>A page</h1><button>Act</button> <button disabled>Later</button></main>"""

Check = Callable[[Visit], list[str]]


def complaints(visit: Visit) -> list[str]:
    found, visit.complaints = visit.complaints, []
    return found


def on_page(check: Callable[..., list[str]]) -> Check:
    return lambda visit: check(visit.page)


@pytest.fixture
def look_at(visitor: Visitors) -> Callable[[str, Check], list[str]]:
    def look_at(html: str, check: Check) -> list[str]:
        with ScriptedTarget(answering(200, html.encode(), HEADERS.items())) as target:
            visit = visitor(target.url(""), look=PHONE)
            visit.go("/")
            found = check(visit)
            # Before the target, which would be blamed for what then fails.
            visit.close()
        return found

    return look_at


LookAt = Callable[[str, Check], list[str]]


@pytest.mark.parametrize("check", [barriers, too_wide, unreachable])
def test_a_good_page_passes(look_at: LookAt, check: Callable[..., list[str]]) -> None:
    assert look_at(GOOD, on_page(check)) == []


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<script>1</script>", "Executing inline script violates"),
        ("<p onclick='alert(1)'>", "Executing inline event handler violates"),
        ("<img src='/logo.png'>", "Loading the image"),
        ("<link rel=stylesheet href=http://other.test/x>", "to http://other.test/x"),
    ],
)
def test_what_the_browser_refuses_is_a_complaint(
    look_at: LookAt, html: str, found: str
) -> None:
    assert found in str(look_at(GOOD + html, complaints))


def test_what_a_script_does_wrong_is_a_complaint(look_at: LookAt) -> None:
    def run(visit: Visit) -> list[str]:
        visit.page.evaluate("() => { setTimeout(() => alert('owned')) }")
        visit.page.evaluate("() => { setTimeout(() => undefined.x) }")
        visit.page.evaluate("() => console.error('no')")
        visit.page.evaluate("() => new Promise((done) => setTimeout(done))")
        return complaints(visit)

    found = str(look_at(GOOD, run))
    assert "a dialog: owned" in found
    assert "Cannot read properties of undefined" in found
    assert "no" in found


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<p style='color: #aaa; background: #fff'>Pale</p>", "color-contrast"),
        ("<input>", "label (critical)"),
        ("<h4>Too deep</h4>", "heading-order"),
    ],
)
def test_a_barrier_is_found(look_at: LookAt, html: str, found: str) -> None:
    assert found in str(look_at(GOOD + f"<main>{html}</main>", on_page(barriers)))


def test_what_sticks_out_is_found(look_at: LookAt) -> None:
    html = GOOD + "<div><p style='width: 600px'>Wide</p></div>"
    assert look_at(html, on_page(too_wide)) == ["body > div > p", "the page scrolls"]
    hidden = "<style>body { overflow-x: hidden }</style>"
    assert "body > div > p" in look_at(html + hidden, on_page(too_wide))


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<a href='/' tabindex=-1>x</a>", "Tab does not reach body > a"),
        ("<a href='/' style='outline: none'>x</a>", "focus is not seen on body > a"),
        (
            "<a href='/' style='position: absolute; left: -999px'>x</a>",
            "focus is not seen on body > a",
        ),
    ],
)
def test_what_the_keyboard_misses_is_found(
    look_at: LookAt, html: str, found: str
) -> None:
    assert look_at(GOOD + html, on_page(unreachable)) == [found]
