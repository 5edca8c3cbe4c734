"""``python -m bench throughput`` and ``python -m bench scale``."""

from __future__ import annotations

import argparse

from bench import scale, throughput

parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
commands = parser.add_subparsers(required=True)
command = commands.add_parser("throughput", description=throughput.__doc__)
command.add_argument("--tasks", type=int, default=20_000)
command.add_argument("--connections", type=int, default=16)
command.add_argument("--workers", type=int, default=2)
command.add_argument("--concurrency", type=int, default=16)
command.add_argument("--durability", default="always")
command.set_defaults(main=throughput.main)
command = commands.add_parser("scale", description=scale.__doc__)
command.add_argument("--cold", type=int, default=1_000_000)
command.add_argument("--dumped", type=int, default=500_000)
command.add_argument("--rate", type=int, default=1000)
command.add_argument("--seconds", type=int, default=20)
command.set_defaults(main=scale.main)
for command in commands.choices.values():
    command.add_argument("--json", metavar="FILE", help="Write the figures here, too.")
arguments = parser.parse_args()
arguments.main(arguments)
