"""``python -m poussetaches``: the command line."""

from poussetaches.cli.main import main

main()
