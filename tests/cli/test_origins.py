"""``origins`` and what is under it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from poussetaches.cli.main import cli


@pytest.mark.parametrize("option", [["--url", "http://127.0.0.1:9"], ["--json"]])
def test_an_option_before_the_subcommand_is_refused_and_not_ignored(
    option: list[str],
) -> None:
    """Else another service than the one that was named would be told to lift."""
    result = CliRunner().invoke(cli, ["origins", *option, "lift"])
    assert result.exit_code == 2
    assert "options come after the subcommand" in result.output
