"""One owner per data directory."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poussetaches.errors import StoreError, StoreLocked
from poussetaches.store.dirlock import DirLock
from tests.support.faults import fail
from tests.support.service import CHECKOUT

#: Takes the lock, says so, and holds it until its input ends.
OWNER = """
import sys
from poussetaches.store.dirlock import DirLock
DirLock(sys.argv[1]).acquire(0.0)
print("mine", flush=True)
sys.stdin.read()
"""


@contextmanager
def owned(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process has the lock of ``directory``."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        try:
            yield process
        finally:
            process.kill()


def is_free(directory: Path) -> bool:
    lock = DirLock(str(directory))
    try:
        lock.acquire(0.0)
    except StoreLocked:
        return False
    finally:
        lock.release()
    return True


def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    lock = DirLock(str(directory))
    lock.acquire(0.0)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "lock").stat().st_mode & 0o777 == 0o600
    assert (directory / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


@pytest.mark.parametrize("before", ["", "4294967295\n", "1\n"])
def test_the_number_of_the_owner_is_all_there_is(tmp_path: Path, before: str) -> None:
    (tmp_path / "lock").write_text(before)
    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


@pytest.mark.parametrize("call", ["pwrite", "ftruncate"])
def test_a_lock_can_be_taken_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Who has it is said if there is room for that; never who had it."""
    (tmp_path / "lock").write_text("4294967295\n")
    lock = DirLock(str(tmp_path))
    with monkeypatch.context() as patch:
        fail(patch, call, errno.ENOSPC, once=True)
        lock.acquire(0.0)
    assert (tmp_path / "lock").read_text() == ""
    with pytest.raises(StoreLocked, match=r"process unknown"):
        DirLock(str(tmp_path)).acquire(0.0)
    lock.release()


def test_a_second_owner_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    with owned(tmp_path) as owner:
        lock = DirLock(str(tmp_path))
        with pytest.raises(StoreLocked) as caught:
            lock.acquire(0.0)
        lock.release()
        assert caught.value.message == (
            f"data_dir: {tmp_path} is in use by another poussetaches "
            f"(process {owner.pid})"
        )


def test_a_second_owner_in_the_same_process_is_refused(tmp_path: Path) -> None:
    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    assert not is_free(tmp_path)
    lock.release()
    assert is_free(tmp_path)


def test_nothing_is_left_of_the_number_of_an_earlier_owner(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("12345678901234567890\n")
    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_an_owner_without_a_number_is_refused_too(tmp_path: Path) -> None:
    """It has the lock and has not yet said who it is."""
    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    (tmp_path / "lock").write_text("")
    other = DirLock(str(tmp_path))
    with pytest.raises(StoreLocked, match="process unknown"):
        other.acquire(0.0)
    other.release()
    lock.release()


def test_the_lock_is_waited_for(tmp_path: Path) -> None:
    with owned(tmp_path) as owner:
        stopping = threading.Timer(0.2, owner.kill)
        stopping.start()
        lock = DirLock(str(tmp_path))
        lock.acquire(30.0)
        stopping.join()
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
        lock.release()


def test_the_lock_is_not_waited_for_longer_than_asked(tmp_path: Path) -> None:
    with owned(tmp_path):
        lock = DirLock(str(tmp_path))
        began = time.monotonic()
        with pytest.raises(StoreLocked):
            lock.acquire(0.1)
        assert 0.1 <= time.monotonic() - began < 10.0
        lock.release()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, how: int) -> None:
    with owned(tmp_path) as owner:
        owner.send_signal(how)
        owner.wait()
        assert is_free(tmp_path)


def test_a_forked_child_keeps_the_lock_and_an_executed_one_does_not(
    tmp_path: Path,
) -> None:
    """The dump writer must have it, the others must not."""
    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    lock.release()
    assert not is_free(tmp_path)
    os.close(writer)
    os.waitpid(pid, 0)
    assert is_free(tmp_path)

    lock = DirLock(str(tmp_path))
    lock.acquire(0.0)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as process:
        lock.release()
        assert is_free(tmp_path)
        process.kill()


@pytest.mark.parametrize("what", ["a file", "the lock"])
def test_a_directory_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, what: str
) -> None:
    directory = tmp_path / "data"
    if what == "a file":
        directory.write_text("")
    else:
        (directory / "lock").mkdir(parents=True)
    with pytest.raises(StoreError, match=f"data_dir: cannot use {directory}: "):
        DirLock(str(directory))
