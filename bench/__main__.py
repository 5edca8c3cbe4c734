"""``python -m bench throughput``."""

from __future__ import annotations

import argparse

from bench import throughput

parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
commands = parser.add_subparsers(required=True)
command = commands.add_parser("throughput", description=throughput.__doc__)
command.add_argument("--tasks", type=int, default=20_000)
command.add_argument("--connections", type=int, default=16)
command.add_argument("--workers", type=int, default=2)
command.add_argument("--concurrency", type=int, default=16)
command.add_argument("--durability", default="always")
command.add_argument("--json", metavar="FILE", help="Write the figures here, too.")
command.set_defaults(main=throughput.main)
arguments = parser.parse_args()
arguments.main(arguments)
