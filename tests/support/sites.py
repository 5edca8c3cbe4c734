"""Code that runs in an interpreter before the program: how a test breaks a child."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.service import CHECKOUT


def with_site(folder: Path, role: str, code: str) -> dict[str, str]:
    """An environment in which the children of ``role`` run ``code`` at their start."""
    site = folder / "site"
    site.mkdir()
    condition = f'"poussetaches.{role}" in sys.orig_argv'
    lines = [
        "import sys",
        f"if {condition}:",
        *("    " + one for one in code.split("\n")),
    ]
    (site / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": os.pathsep.join([str(site), str(CHECKOUT)])}
