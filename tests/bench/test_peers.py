"""What the comparison with the peers ends, and what it says."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from bench.peers.processes import family, running
from bench.peers.table import medians, ratios

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_whatever_a_program_started_is_ended_with_it(tmp_path: Path) -> None:
    """A child of the program is in its family, and is gone when the block is left."""
    output = tmp_path / "output"
    with running([sys.executable, "-c", PARENT], {}, output) as pid:
        give_up = time.monotonic() + 30
        while not output.read_text().endswith("\n"):
            assert time.monotonic() < give_up
            time.sleep(0.01)
        child = int(output.read_text())
        assert family(pid) == [pid, child]
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or " Z " in stat.read_text()


def test_a_program_that_ends_by_itself_is_an_error(tmp_path: Path) -> None:
    """Its figures would be worth nothing: it is said, with what it printed."""
    output = tmp_path / "output"
    command = [sys.executable, "-c", "print('no such setting')"]
    with (
        pytest.raises(RuntimeError, match="no such setting"),
        running(command, {}, output) as pid,
    ):
        give_up = time.monotonic() + 30
        while " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < give_up
            time.sleep(0.01)


def test_ratios_are_ours_over_theirs() -> None:
    """The medians of the runs are compared, each figure with its own."""
    run = {
        "end_to_end_rate": 3000.0,
        "drain_rate": 9000.0,
        "cpu": 200.0,
        "cpu_client": 30.0,
        "latency": {"p50": 2.0, "p99": 4.0},
    }
    slow = {**run, "end_to_end_rate": 1000.0, "cpu": 800.0}
    found = ratios(medians([run, run, slow]), medians([slow]))
    assert found["end to end"] == 3.0
    assert found["CPU a task"] == 0.25
    assert found["draining"] == 1.0
