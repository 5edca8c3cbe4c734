"""A long campaign: ``python -m tests.openapi``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.openapi.campaign import run


def main() -> int:
    """Run it and print the report; 1 if an answer was not as described."""
    parser = argparse.ArgumentParser(prog="python -m tests.openapi")
    parser.add_argument("--examples", type=int, default=500, help="for each operation")
    parser.add_argument("--seed", type=int, help="of a campaign that is to be repeated")
    given = parser.parse_args()
    seed = given.seed
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    print(f"--seed {seed}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="poussetaches-openapi-") as folder:
        found = run(Path(folder), examples=given.examples, seed=seed, timeout=12 * 3600)
    print(found.report)  # noqa: T201
    return 0 if found.well else 1


if __name__ == "__main__":
    sys.exit(main())
