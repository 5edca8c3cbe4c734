"""The files of the page: as they are served, and what must hold of them."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from configparser import ConfigParser
from hashlib import sha384
from pathlib import Path

import pytest

from poussetaches.api.web import render, static
from tests.api.web.scripted import Gateway
from tests.api.web.site import Site

VENDOR = static.FOLDER / "vendor"
OURS = [
    *sorted(render.FOLDER.rglob("*.html")),
    *(path for path in sorted(static.FOLDER.iterdir()) if path.is_file()),
]

#: What a template may put out as it is: what was made from templates, or by those who
#: escape what they are given.
AS_IT_IS = re.compile(r"base|moment\(.*\)|value\(.*\)")


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_of_ours_names_an_address_of_others(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w.]+\.\w|@import", text)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_of_ours_evaluates_text(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\beval\(|new Function|\.innerHTML|insertAdjacent", text)
    assert not re.search(r"document\.write|hx-on|hx-vals|\bjs:", text)


def test_templates_escape_all_but_what_is_made_for_them() -> None:
    for path in render.FOLDER.rglob("*.html"):
        for expression in re.findall(r"\{\{!(.*?)\}\}", path.read_text()):
            assert AS_IT_IS.fullmatch(expression), (path.name, expression)


def test_what_is_not_ours_is_as_it_was_published() -> None:
    text = (VENDOR / "VENDORED.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \|.*`([^`]+)` \| `([^`]+)` \|$", text, re.M)
    files = {path.name for path in VENDOR.iterdir() if path.suffix in static.TYPES}
    assert {name for name, _, _ in rows} == files
    for name, licence, digest in rows:
        body = (VENDOR / name).read_bytes()
        assert b64encode(sha384(body).digest()).decode() == digest, name
        assert (VENDOR / licence).stat().st_size > 500


def test_a_file_is_kept_for_ever_as_its_address_changes_with_it() -> None:
    site = Site(Gateway())
    version = static.files()["style.css"].version
    answer = site.get(f"/ui/static/style.css?v={version}")
    assert (answer.status, answer.headers["content-type"]) == (
        200,
        "text/css; charset=utf-8",
    )
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == (static.FOLDER / "style.css").read_bytes()
    zipped = site.get("/ui/static/style.css", HTTP_ACCEPT_ENCODING="gzip, br")
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(zipped.body) == answer.body


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nothing.css",
        "../templates/base.html",
        "..%2F..%2Fconfig.py",
        "vendor/VENDORED.md",
        "vendor/htmx.LICENSE",
        "/etc/passwd",
        "vendor",
    ],
)
def test_nothing_else_is_served(name: str) -> None:
    assert Site(Gateway()).get(f"/ui/static/{name}").status == 404


def test_all_of_it_is_installed() -> None:
    """Python packages have other files only as far as setup.cfg names them."""
    package = render.FOLDER.parents[1]
    settings = ConfigParser()
    settings.read(package.parent / "setup.cfg")
    patterns = settings["options.package_data"]["poussetaches"].split()
    named = {path for pattern in patterns for path in package.glob(pattern)}
    there = {path for path in render.FOLDER.parent.rglob("*") if path.is_file()}
    assert there and there <= named


def test_the_page_is_light() -> None:
    """It loads at once: all that a browser is sent the first time, as it is sent."""
    assert sum(len(file.zipped) for file in static.files().values()) < 60_000
