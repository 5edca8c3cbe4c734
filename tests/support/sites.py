"""Code that runs in an interpreter before the program: how a test breaks a process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.service import CHECKOUT

#: What the arguments of an interpreter have in them, by the role of its process.
ARGUMENTS = {
    "supervisor": "serve",
    "api": "poussetaches.api",
    "worker": "poussetaches.worker",
}


def with_site(folder: Path, role: str, code: str) -> dict[str, str]:
    """An environment in which every process of ``role`` runs ``code`` at its start."""
    return with_sites(folder, {role: code})


def with_sites(folder: Path, codes: Mapping[str, str]) -> dict[str, str]:
    """As ``with_site``, with a code for each role."""
    site = folder / "site"
    site.mkdir()
    lines = ["import sys"]
    for role, code in codes.items():
        lines.append(f'if "{ARGUMENTS[role]}" in sys.orig_argv:')
        lines += ["    " + one for one in code.split("\n")]
    (site / "sitecustomize.py").write_text("\n".join(lines) + "\n")
    path = [str(site), str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path)}
