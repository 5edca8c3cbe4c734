"""A disk that fails: nothing in doubt is acknowledged, and the end is a clear one."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from tests.support.ledger import settled
from tests.support.receiver import Receiver
from tests.support.service import Service, wait_until
from tests.support.sites import with_site

pytestmark = pytest.mark.process

#: In the supervisor: a call of ``os`` fails once when there is an order to, which is a
#: file that says which call, with which error, and for what in the data directory. What
#: is not for a dump is not for the writer of one.
FAILING = """
import fnmatch, json, os
supervisor = os.getpid()
def failing(name, call):
    def failing_once(*arguments, **keywords):
        if os.path.exists({order!r}):
            with open({order!r}) as file:
                ordered, number, about = json.load(file)
            place = arguments[0]
            if isinstance(place, int):
                place = os.readlink("/proc/self/fd/%d" % place)
            place = os.path.relpath(place, {data!r})
            meant = (os.getpid() == supervisor) == (about != "dump*")
            if meant and name == ordered and fnmatch.fnmatch(place, about):
                os.rename({order!r}, {order!r} + "-done")
                raise OSError(number, os.strerror(number))
        return call(*arguments, **keywords)
    return failing_once
for name in ("fdatasync", "fsync", "posix_fallocate", "pwrite", "unlink"):
    setattr(os, name, failing(name, getattr(os, name)))
"""


class Fault(NamedTuple):
    """What fails, and how the name begins of what is complained of."""

    call: str
    number: int
    about: str
    named: str


#: Some pushes are accepted; then one more meets the error. Between, the service is
#: started again.
AT_A_COMMIT = [
    Fault("pwrite", errno.EIO, "journal*", "journal-00000001.msgpack"),
    Fault("pwrite", errno.ENOSPC, "journal*", "journal-00000001.msgpack"),
    Fault("fdatasync", errno.EIO, "journal*", "journal-00000001.msgpack"),
    Fault("fdatasync", errno.ENOSPC, "journal*", "journal-00000001.msgpack"),
]
#: A dump begins with the next journal, and with the name of that.
AT_A_ROTATION = [
    Fault("fsync", errno.EIO, "journal-*.tmp", "journal-"),
    Fault("fsync", errno.EIO, ".", ""),
    Fault("fsync", errno.ENOSPC, ".", ""),
]
#: What the dump writer meets.
AT_A_DUMP = [
    Fault("pwrite", errno.EIO, "dump*", "dump-"),
    Fault("fsync", errno.EIO, "dump*", "dump-"),
    Fault("pwrite", errno.ENOSPC, "dump*", "dump-"),
]


class Ordered:
    """A service whose disk fails on order, and a target."""

    def __init__(
        self, folder: Path, receiver: Receiver, *, dump_interval: str = "5m"
    ) -> None:
        settings = {"workers": 1, "dump_interval": dump_interval}
        self.service = Service(folder, settings=settings)
        self.receiver = receiver
        self._order = folder / "order"
        code = FAILING.format(order=str(self._order), data=str(self.service.data_dir))
        self.service.environment |= with_site(folder, "supervisor", code)
        self.accepted: set[str] = set()

    def fail(self, fault: Fault) -> None:
        """The next call of that kind does."""
        written = self._order.with_suffix(".new")
        written.write_text(json.dumps([fault.call, fault.number, fault.about]))
        written.rename(self._order)

    def push(self) -> bool:
        """Whether a task is accepted."""
        try:
            answer = self.service.post("/", {"url": self.receiver.url()})
        except requests.RequestException:
            return False
        assert answer.status_code in (201, 503)
        if answer.status_code == 503:
            return False
        self.accepted.add(answer.headers["Poussetaches-Task-Id"])
        return True

    def wait_for_line(self, text: str, times: int) -> None:
        """Until it stands so often in the log."""
        wait_until(lambda: self.service.log.count(text) >= times)

    def assert_ended(self, fault: Fault) -> None:
        """By itself, with one line that says why."""
        assert self.service.wait(10) == 1
        path = f"{self.service.data_dir}{os.sep if fault.named else ''}{fault.named}"
        reason = rf"\[Errno {fault.number}\] [\w /]+: '{path}[\w.]*'"
        last = self.service.log.splitlines()[-1]
        sentence = f"poussetaches: the service had to stop: {reason}"
        assert re.fullmatch(sentence, last), last
        assert "Traceback" not in self.service.log
        assert not self._order.exists()

    def assert_whole(self, *, in_doubt: int) -> None:
        """All that was accepted is delivered, and of the rest not more than that."""
        stats = settled(self.service)
        assert {one.task for one in self.receiver.arrivals()} >= self.accepted
        assert 0 <= stats["succeeded"] - len(self.accepted) <= in_doubt
        assert stats["accounting_difference"] == 0


def test_what_a_commit_that_fails_was_for_is_not_acknowledged(
    tmp_path: Path, receiver: Receiver
) -> None:
    ordered = Ordered(tmp_path, receiver)
    with ordered.service as service:
        # It is for the very first push that room is made.
        fault = Fault("posix_fallocate", errno.EIO, "journal*", "journal-00000001")
        ordered.fail(fault)
        assert not ordered.push()
        ordered.assert_ended(fault)
        for number, fault in enumerate(AT_A_COMMIT, start=1):
            service.start()
            for _ in range(3):
                assert ordered.push()
            ordered.assert_whole(in_doubt=number)
            ordered.fail(fault)
            assert not ordered.push()
            ordered.assert_ended(fault)
        service.start()
        ordered.assert_whole(in_doubt=number)


def test_a_rotation_that_fails_ends_the_service_and_loses_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    ordered = Ordered(tmp_path, receiver, dump_interval="0.2s")
    with ordered.service as service:
        for number, fault in enumerate(AT_A_ROTATION, start=1):
            ordered.fail(fault)

            def over() -> bool:
                ordered.push()
                return not service.is_running()

            wait_until(over)
            ordered.assert_ended(fault)
            service.start()
            ordered.assert_whole(in_doubt=number)


def test_a_dump_that_fails_ends_nothing_but_itself(
    tmp_path: Path, receiver: Receiver
) -> None:
    ordered = Ordered(tmp_path, receiver, dump_interval="0.1s")
    with ordered.service as service:
        for number, fault in enumerate(AT_A_DUMP, start=1):
            ordered.fail(fault)
            assert ordered.push()
            ordered.wait_for_line(" no dump: ", number)
            dumps = service.log.count(" INFO dumped ")
            # It is tried again, if there is news.
            assert ordered.push()
            ordered.wait_for_line(" INFO dumped ", dumps + 1)
            *_, line = re.findall(".* no dump: .*", service.log)
            path = service.data_dir / fault.named
            assert re.search(rf"\[Errno {fault.number}\] .*: '{path}\d+.*\.tmp'", line)
            assert line.endswith("; the next attempt is made in 0 s")
            assert not list(service.data_dir.glob("*.tmp"))
        # Old files that cannot be removed stay until the next dump.
        fault = Fault("unlink", errno.EIO, "dump*", "")
        ordered.fail(fault)
        assert ordered.push()
        ordered.wait_for_line("a superfluous file cannot be removed: ", 1)
        assert ordered.push()
        wait_until(lambda: len(list(service.data_dir.iterdir())) == 3)
        ordered.assert_whole(in_doubt=0)
        service.kill()
        service.wait()
        service.start()
        ordered.assert_whole(in_doubt=0)
    assert "Traceback" not in service.log
