"""``python -m bench rates``, ``million``, ``attack`` and ``charts``: see
docs/performance.md, and docs/security.md for attacks."""

from __future__ import annotations

import argparse
import signal
import sys

from bench import suite
from bench.settings import Settings


def _draw(arguments: argparse.Namespace) -> None:
    # Only here: what measures does not need matplotlib.
    from bench import charts

    charts.main(arguments)


parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
commands = parser.add_subparsers(required=True, metavar="COMMAND")
defaults = Settings()
for name, parts in suite.SUITES.items():
    command = commands.add_parser(name, help=", ".join(parts))
    command.add_argument("--only", nargs="+", choices=parts, metavar="PART")
    command.add_argument("--json", metavar="FILE", help="Write here, too.")
    command.add_argument("--workers", type=int, default=defaults.workers)
    command.add_argument("--concurrency", type=int, default=defaults.concurrency)
    command.add_argument("--durability", default=defaults.durability)
    command.add_argument("--connections", type=int, default=defaults.connections)
    command.add_argument("--rounds", type=int, default=defaults.rounds)
    command.set_defaults(main=suite.main, suite=name)
command = commands.add_parser("charts", help="draw what was measured into docs/")
command.add_argument("--source", metavar="DIRECTORY", default=".bench")
command.add_argument("--target", metavar="DIRECTORY", default="docs")
command.set_defaults(main=_draw)
arguments = parser.parse_args()
# As for Ctrl-C: everything that was started is ended on the way out.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
arguments.main(arguments)
