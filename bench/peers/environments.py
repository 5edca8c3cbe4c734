"""A virtual environment for each family of peers, below ``.bench/``, from PyPI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.peers.processes import ROOT

REQUESTS = "requests>=2.32,<3"
GEVENT = ["gevent>=25.8.1,<27", "geventhttpclient>=2.3,<3", REQUESTS]
#: By family. Floors are old enough, caps the next releases that may change what the
#: settings mean.
REQUIREMENTS = {
    "celery": [
        "celery>=5.6,<6",
        *GEVENT,
    ],
    "dramatiq": [
        "dramatiq[gevent,rabbitmq,redis]>=2,<3",
        "hiredis>=3,<4",
        *GEVENT,
    ],
    "huey": [
        "huey>=3,<4",
        "redis>=6,<9",
        "hiredis>=3,<4",
        *GEVENT,
    ],
    "rq": [
        "rq>=2.3,<3",
        "hiredis>=3,<4",
        REQUESTS,
    ],
}


def directory(family: str) -> Path:
    """Where the programs of a family are."""
    return ROOT / ".bench" / family / "bin"


def make(family: str) -> None:
    """Make the environment of a family, unless it was made for these requirements."""
    requirements = REQUIREMENTS[family]
    made_for = directory(family).parent / "requirements.json"
    if made_for.exists() and json.loads(made_for.read_text()) == requirements:
        return
    venv = [sys.executable, "-m", "venv", "--clear", str(directory(family).parent)]
    subprocess.run(venv, check=True)
    pip = [str(directory(family) / "python"), "-m", "pip", "--quiet"]
    pip += ["--disable-pip-version-check", "install", *requirements]
    subprocess.run(pip, check=True)
    made_for.write_text(json.dumps(requirements))


def versions(family: str) -> dict[str, str]:
    """What is installed, by name."""
    pip = [str(directory(family) / "python"), "-m", "pip"]
    pip += ["--disable-pip-version-check", "list", "--format", "json"]
    listed = subprocess.run(pip, check=True, capture_output=True).stdout
    return {each["name"]: each["version"] for each in json.loads(listed)}
