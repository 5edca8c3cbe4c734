"""Forms of pages: how a browser sends one, and what is said beside its fields."""

from __future__ import annotations

from collections.abc import Mapping

from tests.api.web.site import Element, Page


def filled_in(page: Page, action: str, **others: str) -> Mapping[str, str]:
    """The fields of the form that leads to ``action``, as a browser sends them, with
    some filled in otherwise."""
    form = page.one("form", action=action)
    start = page.elements.index(form)
    sent: dict[str, str] = {}
    for one in page.elements[start + 1 :]:
        known = one.attributes
        if one.tag == "form":
            break
        if one.tag == "input" and (
            known.get("type") != "checkbox" or "checked" in known
        ):
            sent[known["name"]] = known.get("value", "")
        elif one.tag == "textarea":
            sent[known["name"]] = "".join(one.words).removeprefix("\n")
        elif one.tag == "select":
            sent[known["name"]] = _chosen(page, one)
    return {name: text for name, text in {**sent, **others}.items() if text is not None}


def _chosen(page: Page, select: Element) -> str:
    options: list[dict[str, str]] = []
    for one in page.elements[page.elements.index(select) + 1 :]:
        if one.tag != "option":
            break
        options.append(one.attributes)
    chosen = next((one for one in options if "selected" in one), options[0])
    return chosen["value"]


def beside(page: Page, name: str) -> str:
    """What stands beside a field as wrong, and is said to."""
    (field,) = [one for one in page.elements if one.attributes.get("name") == name]
    assert field.attributes["aria-invalid"] == "true"
    told = field.attributes["aria-describedby"].split()[-1]
    return page.one("strong", id=told).text
