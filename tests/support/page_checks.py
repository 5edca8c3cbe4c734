"""What any page has to be, as questions to one that is open: each gives what is wrong
with it, and nothing if all is well."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Every rule that stands for a success criterion of WCAG 2.2 AA, and good habits.
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

#: What sticks out to the right of the window, but for what scrolls in a box of its own.
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const boxed = (element) => {
    for (let box = element.parentElement; box; box = box.parentElement)
      if (box !== document.body && box !== document.documentElement
          && getComputedStyle(box).overflowX !== "visible"
          && box.getBoundingClientRect().right <= width + 1) return true;
    return false;
  };
  const found = [...document.body.querySelectorAll("*")].filter((element) => {
    const { right, height } = element.getBoundingClientRect();
    return height && right > width + 1 && !boxed(element);
  }).map((element) => NAME(element));
  if (document.documentElement.scrollWidth > width) found.push("the page scrolls");
  return found;
}"""

#: What the keyboard has to reach: whatever acts, and is seen.
_ACTORS = """() => [...document.querySelectorAll(
    "a[href], button, input, select, textarea, summary, [tabindex='0']"
  )].filter((element) => !element.disabled && element.type !== "hidden"
    && element.checkVisibility({ visibilityProperty: true })
  ).map((element) => NAME(element))"""

#: Where the keyboard is, and whether one sees it.
_FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const { width, height, left, right, top, bottom } = element.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const there = width > 1 && height > 1 && right > 0 && bottom > 0
    && left < innerWidth && top < innerHeight;
  return [NAME(element), there && (outlined || style.boxShadow !== "none")];
}"""

#: The path to an element, as short as a person can find it by.
_NAME = """((element) => {
  const path = [];
  for (let one = element; one && one !== document.documentElement;
       one = one.parentElement) {
    if (one.id) { path.unshift("#" + one.id); break; }
    const same = [...(one.parentElement?.children ?? [])].filter(
      (other) => other.tagName === one.tagName);
    const place = same.length > 1 ? `:nth-of-type(${same.indexOf(one) + 1})` : "";
    path.unshift(one.tagName.toLowerCase() + place);
  }
  return path.join(" > ");
})"""


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def _ask(page: Page, question: str) -> Any:
    return page.evaluate(question.replace("NAME", _NAME))


def barriers(page: Page) -> list[str]:
    """What axe-core finds: a sentence for each rule that is broken, and where. Where
    no script may run it comes to no end."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(_axe())
    found = page.evaluate(
        "(rules) => axe.run({runOnly: rules, preload: false,"
        " resultTypes: ['violations']})",
        list(_RULES),
    )
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: "
        + ", ".join(" ".join(map(str, node["target"])) for node in rule["nodes"])
        for rule in found["violations"]
    ]


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways, or is cut off."""
    found: list[str] = _ask(page, _TOO_WIDE)
    return found


def unreachable(page: Page) -> list[str]:
    """What acts and cannot be reached by Tab, or where one does not see that one is
    there. It goes once through the whole page, from its top."""
    page.evaluate("document.activeElement?.blur()")
    missed: list[str] = _ask(page, _ACTORS)
    unseen = []
    for name, is_seen in _tabs(page, 2 * len(missed) + 20):
        if name in missed:
            missed.remove(name)
        if not is_seen:
            unseen.append(name)
    return [f"Tab does not reach {name}" for name in missed] + [
        f"focus is not seen on {name}" for name in unseen
    ]


def _tabs(page: Page, most: int) -> Iterator[tuple[str, bool]]:
    """Every stop of the Tab key, once; at most so many."""
    first = None
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = _ask(page, _FOCUS)
        if stop is None or stop[0] == first:
            return
        first = first or stop[0]
        yield stop[0], stop[1]
    raise AssertionError(f"Tab comes to no end in {most} steps")
