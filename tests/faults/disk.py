"""A disk that fails, that is slow, that is full: under the running service."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from tests.faults.fault import ServiceFault
from tests.faults.laboratory import Laboratory
from tests.faults.trial import Skipped, Trial
from tests.support.service import wait_until

#: One fdatasync fails while a file is there. What was written since the last one is
#: gone then, as after a real failure, when the system forgets what it could not write.
FAILING = """
import errno, os
unsynced = []
def pwrite(fd, data, offset, pwrite=os.pwrite):
    written = pwrite(fd, data, offset)
    unsynced.append((fd, offset, written))
    return written
def fdatasync(fd, fdatasync=os.fdatasync, pwrite=os.pwrite):
    if os.path.exists({path!r}):
        os.unlink({path!r})
        for dirty, offset, size in unsynced:
            if dirty == fd:
                pwrite(fd, bytes(size), offset)
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    fdatasync(fd)
    unsynced.clear()
os.pwrite, os.fdatasync = pwrite, fdatasync
"""
#: One fdatasync takes long while a file is there.
SLOW = """
import os, time
def slowly(fd, fdatasync=os.fdatasync):
    if os.path.exists({path!r}):
        os.unlink({path!r})
        time.sleep(0.5)
    fdatasync(fd)
os.fdatasync = slowly
"""
#: Size of the small disk.
SMALL = "32m"
#: The service must take pushes again so many seconds after there is room.
HEALED = 5.0


class SyncFails(ServiceFault):
    name = "fsync fails once (EIO)"
    times = 3
    pause = (0.2, 0.6)

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"supervisor": FAILING.format(path=str(folder / "eio"))}

    def inject(self, lab: Laboratory) -> None:
        """Nothing of what was not written may be acknowledged; the service ends."""
        with lab.interruption():
            (lab.trial.folder / "eio").touch()
            status = lab.service.wait(10)
            lab.service.start()
            lab.wait_until_replaced(0)
        lab.trial.expect(status == 1, f"exit status {status} after a failed fsync")


class SyncIsSlow(ServiceFault):
    name = "fsync takes half a second"
    times = 4
    pause = (0.6, 0.9)

    def sites(self, folder: Path) -> Mapping[str, str]:
        return {"supervisor": SLOW.format(path=str(folder / "slow"))}

    def inject(self, lab: Laboratory) -> None:
        slow = lab.trial.folder / "slow"
        slow.touch()
        wait_until(lambda: not slow.exists())


class DiskFull(ServiceFault):
    name = "disk full"
    times = 2
    settings: ClassVar[Mapping[str, object]] = {"dump_interval": "2s"}
    #: Keeps the mount namespace while nobody else is in it.
    _holder: subprocess.Popen[bytes] | None = None

    def launcher(self, folder: Path) -> list[str]:
        """On a small disk, in a mount namespace that only the service and a holder are
        in: nobody has to be root for that."""
        for needed in ("unshare", "nsenter"):
            if shutil.which(needed) is None:
                raise Skipped(f"there is no {needed}")
        disk = folder / "disk"
        disk.mkdir()
        mount = f'mount -t tmpfs -o size={SMALL} tmpfs "$1" && echo mounted && exec cat'
        self._holder = holder = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", disk],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != b"mounted\n":
            raise Skipped("this user may not mount a small disk (unshare -rm)")
        self._disk = Path(f"/proc/{holder.pid}/root{disk}")
        enter = ["nsenter", "--target", str(holder.pid), "--user", "--mount"]
        # Entering leaves one in the root directory.
        home = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder / "home")]
        return [*enter, "--preserve-credentials", *home]

    def laboratory(self, trial: Trial) -> Laboratory:
        lab = super().laboratory(trial)
        lab.service.data_dir = trial.folder / "disk" / "data"
        return lab

    def run(self, trial: Trial) -> None:
        try:
            super().run(trial)
        finally:
            if self._holder is not None:
                self._holder.communicate(timeout=10)

    def inject(self, lab: Laboratory) -> None:
        refused = lab.load.refusals["store_full"]
        ballast = self._disk / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(65536))
        # What was allocated ahead is filled up.
        while (answer := lab.push(payload="YWFh" * 20_000)).status == 201:
            pass
        code = answer.json["error"]["code"]
        lab.trial.expect(
            (answer.status, code) == (503, "store_full"), f"full, and answered {answer}"
        )
        wait_until(lambda: lab.load.refusals["store_full"] > refused)
        accepted = lab.stats()["accepted"]
        # What was accepted is delivered meanwhile.
        wait_until(
            lambda: lab.ended() >= accepted,
            20,
            lambda: f"{accepted} tasks done on a full disk\n{lab.last_words()}",
        )
        ballast.unlink()
        began = time.monotonic()
        wait_until(lambda: lab.push().status == 201, 20, "room again, and no 201")
        took = time.monotonic() - began
        lab.trial.expect(took < HEALED, f"pushes were refused {took:.1f} s too long")
