"""The listening socket that is a file: whose it is, from the first to the last."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from poussetaches.errors import StartupError
from poussetaches.supervisor.socket_file import SocketFile


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


def at(path: Path, mode: int = 0o600, group: str = "") -> SocketFile:
    return SocketFile(str(path), mode, group)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_is_as_asked_whatever_the_umask(path: Path, mode: int) -> None:
    for umask in (0o000, 0o077, 0o777):
        usual = os.umask(umask)
        try:
            file = at(path, mode)
            with file.listen(patience=0.0):
                assert mode_of(path) == mode
                assert os.umask(umask) == umask
        finally:
            os.umask(usual)
        file.remove()


def test_nobody_is_let_near_it_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is made nor when its group is changed."""
    seen = []
    chown, chmod = os.chown, os.chmod

    def see_chown(*arguments: int) -> None:
        seen.append(mode_of(path))
        chown(*arguments)

    def see_chmod(*arguments: int) -> None:
        seen.append(mode_of(path))
        chmod(*arguments)

    monkeypatch.setattr(os, "chown", see_chown)
    monkeypatch.setattr(os, "chmod", see_chmod)
    file = at(path, 0o666, str(os.getgid()))
    with file.listen(patience=0.0):
        assert seen == [0, 0]
    assert path.stat().st_gid == os.getgid()


def test_what_a_dead_service_left_is_replaced(path: Path) -> None:
    at(path).listen(patience=0.0).close()
    assert path.is_socket()
    file = at(path)
    with file.listen(patience=0.0), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    file.remove()
    assert not path.exists()
    file.remove()


def test_somebody_who_listens_there_is_left_alone(path: Path) -> None:
    first = at(path)
    with first.listen(patience=0.0) as taken:
        with pytest.raises(StartupError, match=r"somebody listens at .*api\.sock alre"):
            at(path).listen(patience=0.0)
        # Also if so many wait, unasked, that there is room for nobody.
        taken.listen(0)
        for _ in range(3):
            with pytest.raises(StartupError, match="somebody listens"):
                at(path).listen(patience=0.0)
        assert path.is_socket()


def test_one_that_is_about_to_leave_is_waited_for(path: Path) -> None:
    taken = at(path).listen(patience=0.0)
    timer = threading.Timer(0.1, taken.close)
    timer.start()
    with at(path).listen(patience=10.0):
        assert path.is_socket()
    timer.join()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(StartupError, match="is there, and is no socket"):
        at(path).listen(patience=0.0)
    assert path.read_text() == "precious"
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(StartupError, match="is there, and is no socket"):
        at(path).listen(patience=0.0)


def test_the_file_of_another_is_not_removed(path: Path) -> None:
    file = at(path)
    with file.listen(patience=0.0):
        path.unlink()
        with at(path).listen(patience=0.0):
            file.remove()
            assert path.is_socket()


def test_a_place_where_it_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        at(tmp_path / "none" / "api.sock").listen(patience=0.0)
    assert caught.value.message == (
        f"bind: cannot listen at {tmp_path}/none/api.sock: No such file or directory"
    )


def test_a_group_that_it_cannot_have(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartupError, match="there is no group no-such-group"):
        at(path, group="no-such-group")

    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(StartupError, match="socket_group: the service is not in this"):
        at(path, group="0").listen(patience=0.0)
    assert not path.exists()
