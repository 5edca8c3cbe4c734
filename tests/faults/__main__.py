"""The fault campaign: everything that may befall the service, under load, many times.

Each fault is injected into the real program while clients push, and the whole history
is checked at its end: every task that was accepted was delivered, is dead, or waits;
none was delivered again without a reason; the numbers add up.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.faults import campaign, report
from tests.faults.fault import Fault
from tests.faults.trial import Skipped, Trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its table; 1 if anything is not as it should be."""
    given = _parser().parse_args(arguments)
    seed = (
        given.seed if given.seed is not None else random.SystemRandom().getrandbits(32)
    )
    faults = _chosen(given.only, soak=given.soak)
    progress = report.Progress([fault.name for fault in faults])
    progress.say(f"--seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="poussetaches-faults-"))
    began = time.monotonic()
    trials = []
    for number, fault in enumerate(faults):
        trial = Trial(
            name=fault.name,
            dice=random.Random(f"{seed} {fault.name}"),
            folder=folder / str(number),
            rounds=given.rounds,
            soak=given.soak,
            show=progress.show,
        )
        trials.append(trial)
        begun = time.monotonic()
        try:
            _try(fault, trial)
        except KeyboardInterrupt:
            trial.anomalies.append("it was not tried to its end")
            break
        progress.finish(trial, time.monotonic() - begun)
        if not trial.anomalies:
            shutil.rmtree(trial.folder)
    failed = any(trial.anomalies for trial in trials)
    if not failed:
        shutil.rmtree(folder)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    sys.stdout.write(
        f"\n{report.table(trials)}\n\n"
        f"{time.monotonic() - began:.0f} s on {machine},"
        f" Python {platform.python_version()}; --seed {seed}\n"
        f"{report.anomalies(trials)}\n"
    )
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        epilog="faults: " + "; ".join(fault.name for fault in campaign.FAULTS),
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="only faults with this in their name; may be given several times",
    )
    parser.add_argument(
        "--seed", type=int, help="of the last run, to throw the same dice again"
    )
    parser.add_argument(
        "--rounds", type=int, default=1, help="how many times everything is done"
    )
    parser.add_argument(
        "--soak",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="at last, everything at once for so long",
    )
    return parser


def _chosen(names: Sequence[str], *, soak: float) -> list[Fault]:
    faults = [*campaign.FAULTS, *([campaign.SOAK] if soak else [])]
    chosen = [
        fault for fault in faults if not names or any(n in fault.name for n in names)
    ]
    if not chosen:
        sys.exit(f"no fault has {' or '.join(names)} in its name")
    return chosen


def _try(fault: Fault, trial: Trial) -> None:
    trial.folder.mkdir()
    try:
        fault.run(trial)
    except Skipped as reason:
        trial.skipped = str(reason)
    except Exception as error:
        # One that cannot even be tried must not keep the others from being.
        trial.anomalies.append(f"{error!s}\n{traceback.format_exc()}")


if __name__ == "__main__":
    sys.exit(main())
