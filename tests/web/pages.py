"""Every page, for the tests of what holds for all of them."""

from __future__ import annotations

#: Path, and what is there once all of it is.
PAGES = {"/tasks": "#charts canvas"}
