"""What a running service answers is what ``/openapi.json`` says, whatever it is asked:
a short campaign, of always the same requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.openapi import campaign

pytestmark = pytest.mark.process

#: For each operation, after those at the limits of each field.
EXAMPLES = 15


@pytest.mark.timeout(300)
def test_every_answer_is_as_described(tmp_path: Path) -> None:
    found = campaign.run(tmp_path, examples=EXAMPLES, seed=None, timeout=280)
    assert found.well, found.report
