"""A browser for all tests of the pages, a profile of it for each, and a service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chromium import missing, started_chromium
from tests.support.receiver import Receiver
from tests.support.service import Service
from tests.support.shop import Shop
from tests.support.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if reason := missing():
        pytest.skip(reason)
    with started_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for the tests of a module, which find it as the one before has left it."""
    with Service(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture(scope="module")
def shop(service: Service) -> Iterator[Shop]:
    """Has its tasks in the service, in all states there are."""
    with Shop() as shop:
        shop.open(service)
        yield shop


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A target that does what the URL asks (see ``receiver_process.py``)."""
    with Receiver() as receiver:
        yield receiver


class Visitors:
    """Those who look at pages in one test."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._visits: list[Visit] = []

    def __call__(self, at: Service | str, **options: Any) -> Visit:
        """As ``Visit``, of a service or of the start of a URL."""
        url = at if isinstance(at, str) else at.url
        visit = Visit(self._browser, url, **options)
        self._visits.append(visit)
        return visit

    def leave(self) -> list[str]:
        for visit in self._visits:
            visit.close()
        return [one for visit in self._visits for one in visit.complaints]


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Visitors]:
    """Whatever the browser complains of fails the test, but for what a visit is to
    ``allow``."""
    visitors = Visitors(chromium)
    try:
        yield visitors
    finally:
        complaints = visitors.leave()
    assert not complaints, "\n".join(["the browser complains:", *complaints])
