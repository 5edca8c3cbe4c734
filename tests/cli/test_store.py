"""The ``store`` commands: what they say, what they leave, and how they end."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from poussetaches.channel.messages import seal
from poussetaches.cli import store as command
from poussetaches.cli.main import cli
from poussetaches.cli.progress import progress
from poussetaches.errors import (
    ConfigError,
    InvalidInput,
    StoreBroken,
    StoreDamaged,
    StoreError,
    StoreLocked,
)
from poussetaches.model.events import (
    Died,
    Event,
    Failed,
    Leased,
    Paused,
    Pushed,
    Recurred,
    Scheduled,
    Succeeded,
)
from poussetaches.model.queue import TaskQueue
from poussetaches.model.task import Spec, Terms
from poussetaches.store import stopped
from poussetaches.store.disk import Store
from tests.support.ancestor_directory import AncestorDirectory
from tests.support.queues import NOW, ranked
from tests.support.stores import opened, recovered, take

SPEC = seal(Spec("http://127.0.0.1:1/x", b"\0\xff"))
TERMS = Terms(origin="http://127.0.0.1:1")
RECORDS: list[list[Event]] = [
    [Pushed("a", NOW, NOW, SPEC, TERMS)],
    [Pushed("b", NOW, NOW + 60.0, SPEC, TERMS)],
    [Leased("a", NOW, 1)],
    [Scheduled("s", NOW, "@hourly", SPEC, TERMS), Recurred("s", NOW, NOW, NOW)],
    [Failed("a", NOW + 1, 1, 500, b"no", NOW + 2)],
    [Leased("a", NOW + 2, 2)],
    [Leased("s", NOW + 2, 1)],
    [Died("a", NOW + 3, 2, -1, b"")],
    [Succeeded("s", NOW + 3, 1, 200), Recurred("s", NOW + 3, NOW + 9, NOW + 9)],
    [Paused(NOW + 4)],
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("POUSSETACHES_"):
            monkeypatch.delenv(name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of a stopped service."""
    return filled(tmp_path / "data")


@pytest.fixture
def running(data: Path) -> Iterator[Path]:
    """The same while the service runs."""
    store, _ = Store.open(str(data), "always", TaskQueue(), patience=0.0)
    yield data
    store.close()


def filled(directory: Path) -> Path:
    store, queue = opened(directory)
    for record in RECORDS:
        take(store, queue, record)
        store.commit()
    store.close()
    return directory


def run(name: str, *arguments: object, stdin: bytes = b"") -> Result:
    """A command that ends by itself, well or not."""
    result = CliRunner().invoke(cli, ["store", name, *map(str, arguments)], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(name: str, *arguments: object, stdin: bytes = b"", status: int = 0) -> str:
    result = run(name, *arguments, stdin=stdin)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def content(directory: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in directory.iterdir()}


def journal(directory: Path) -> Path:
    return directory / "journal-00000001.msgpack"


def damage(directory: Path, offset: int = 270) -> None:
    path = journal(directory)
    changed = bytearray(path.read_bytes())
    changed[offset] ^= 1
    path.write_bytes(changed)


def of(directory: Path) -> dict[str, object]:
    """What a service finds there, but for what is each queue's own."""
    queue, _ = recovered(directory)
    assert queue.difference() == 0
    return ranked(queue) | {"counts": (), "latest": 0.0}


# --- check --------------------------------------------------------------------------


def test_check_describes_a_whole_store(data: Path) -> None:
    before = content(data)
    text = said("check", "--data-dir", data)
    for part in (
        str(data),
        "journal-00000001.msgpack",
        "format 1 10 records in 11 blocks",
        "waiting 2",
        "in flight 0",
        "succeeded 1 (1 kept)",
        "dead 1 (1 kept)",
        "accepted 4 (accounting difference 0)",
        "schedules 1",
        "paused yes",
        "replayed 10 records",
        "whole: a service can start on it",
    ):
        assert part in text
    assert content(data) == before


def test_check_names_damage_with_file_and_offset_and_fails(data: Path) -> None:
    damage(data)
    before = content(data)
    text = said("check", "--data-dir", data, status=1)
    assert re.search(r"DAMAGED byte \d+ to \d+ \(\d+ bytes\): the checksum", text)
    assert re.search(rf"WRONG {journal(data)}: damaged at byte \d+: the check", text)
    assert "`poussetaches store repair`" in text
    assert "whole" not in text
    assert content(data) == before


def test_check_shows_the_first_of_many_damages(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poussetaches.cli.store_report.GAPS", 1)
    ends = [
        end.start() for end in re.finditer(rb"\xc1\xc1PT", journal(data).read_bytes())
    ]
    for number in (1, 3, 5):
        damage(data, ends[number])
    assert "and at 2 more places" in said("check", "--data-dir", data, status=1)


def test_check_tells_what_else_is_there(data: Path) -> None:
    (data / "dump-00000002.msgpack.tmp").touch()
    (data / "quarantine").mkdir()
    path = journal(data)
    path.write_bytes(path.read_bytes()[:-15] + bytes(20_000_000))
    (data / "journal-00000000.msgpack").write_bytes(b"rubbish")
    text = said("check", "--data-dir", data)
    assert "dump-00000002.msgpack.tmp unfinished: it goes at the next start" in text
    assert "quarantine not of the store" in text
    assert "20 MB allocated ahead" in text
    assert re.search(r"a torn tail of \d+ bytes, which the next start cuts off", text)
    assert "superfluous" in text
    assert "format ?" in text


def test_check_looks_at_a_running_service_without_disturbing_it(running: Path) -> None:
    text = said("check", "--data-dir", running)
    assert f"in use by a service (process {os.getpid()})" in text
    assert "whole" in text


def test_check_of_a_copy_leaves_no_lock(data: Path) -> None:
    (data / "lock").unlink()
    said("check", "--data-dir", data)
    assert not (data / "lock").exists()


def test_check_of_an_empty_directory_is_well(tmp_path: Path) -> None:
    assert "empty: a service can begin here" in said("check", "--data-dir", tmp_path)


def test_check_keeps_a_service_from_starting_meanwhile(data: Path) -> None:
    with stopped.kept_from_starting(str(data)) as owner:
        assert owner is None
        with pytest.raises(StoreLocked):
            Store.open(str(data), "always", TaskQueue(), patience=0.0)
    assert recovered(data)


# --- which directory ----------------------------------------------------------------


def test_the_directory_is_that_of_the_service(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "poussetaches.ini"
    config.write_text(f"[poussetaches]\ndata_dir = {data}\n")
    assert str(data) in said("check", "--config", config)
    monkeypatch.setenv("POUSSETACHES_DATA_DIR", str(data))
    assert str(data) in said("check")
    monkeypatch.setenv("POUSSETACHES_DATA_DIR", str(tmp_path))
    assert str(data) in said("check", "--data-dir", data)
    with pytest.raises(ConfigError):
        run("check", "--config", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["check", "export", "repair", "adopt"])
def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path, name: str) -> None:
    nowhere = tmp_path / "nowhere"
    more = {"repair": [tmp_path / "new"], "adopt": [tmp_path / "old"]}.get(name, [])
    with pytest.raises(StoreError, match=r"nowhere|old"):
        run(name, *more, "--data-dir", nowhere)
    assert not nowhere.exists()


@pytest.mark.parametrize("name", ["export", "repair", "import", "adopt"])
def test_a_running_service_is_left_alone(
    running: Path, tmp_path: Path, name: str
) -> None:
    export = tmp_path / "export"
    export.write_text('{"kind": "task", "id": "x", "url": "http://h/"}')
    old = AncestorDirectory(tmp_path / "old")
    more = {
        "repair": [tmp_path / "new"],
        "import": [export],
        "adopt": [old.path],
    }.get(name, [])
    before = content(running)
    with pytest.raises(StoreLocked, match=f"in use by .*process {os.getpid()}"):
        run(name, *more, "--data-dir", running)
    assert content(running) == before


def test_a_file_that_cannot_be_used_is_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere: No such file or directory"):
        run("import", tmp_path / "nowhere", "--data-dir", data)
    with pytest.raises(StoreError, match=r"nowhere/x.tmp: No such file or directory"):
        run("export", "-o", tmp_path / "nowhere" / "x", "--data-dir", data)


# --- repair -------------------------------------------------------------------------


def test_repair_saves_the_rest_into_a_new_directory(data: Path, tmp_path: Path) -> None:
    damage(data)
    before = content(data)
    new = tmp_path / "new"
    text = said("repair", new, "--data-dir", data)
    assert "saved 2 waiting, 0 in flight, 1 succeeded, 1 dead, 1 schedules" in text
    assert re.search(rf"unreadable {journal(data)}, byte \d+ to \d+", text)
    assert f"next mv {data} {data}.damaged && mv {new} {data}" in text
    assert content(data) == before
    assert "whole: a service can start on it" in said("check", "--data-dir", new)
    assert of(new)["paused"]


def test_repair_of_a_whole_store_says_so(data: Path, tmp_path: Path) -> None:
    text = said("repair", tmp_path / "new", "--data-dir", data)
    assert "nothing was lost" in text
    assert of(tmp_path / "new") == of(data)


def test_repair_tells_everything_that_it_could_not_save(
    data: Path, tmp_path: Path
) -> None:
    path = journal(data)
    ends = [mark.start() for mark in re.finditer(rb"\xc1\xc1PT", path.read_bytes())]
    damage(data, ends[0])
    damage(data, ends[6])
    path.write_bytes(path.read_bytes()[:-2])
    path.rename(data / "journal-00000003.msgpack")
    text = said("repair", tmp_path / "new", "--data-dir", data)
    for part in (
        f"missing {data}/dump-00000003.msgpack",
        "the header says generation 1",
        "torn tail",
        "skipped 4 events (",
        "made up what must have come before 1 events",
        "delivered again",
    ):
        assert part in text


def test_repair_tells_of_schedules_counts_and_tasks(tmp_path: Path, data: Path) -> None:
    store, queue = opened(data)
    for number in range(7):
        queue.apply(Scheduled(f"s{number}", NOW, "@daily", SPEC))
    queue.apply(Scheduled("bad", NOW, "61 * * * *", SPEC))
    queue.counts.accepted += 5
    stopped.replace_queue(store, queue)
    store.append([Leased("unknown", NOW, 1)])
    store.close()
    text = said("repair", tmp_path / "new", "--data-dir", data)
    assert "lost unknown: of these, only what happened to them later" in text
    assert (
        "restarted schedules without a next run: s0, s1, s2, s3, s4 and 2 more" in text
    )
    assert "dropped schedules that cannot be read: bad" in text
    assert "settled the counts, which were off by 5" in text


@pytest.mark.parametrize("place", ["data/new", "data", "other"])
def test_repair_writes_into_no_directory_that_has_something(
    data: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").touch()
    before = content(data)
    with pytest.raises((InvalidInput, StoreError), match=r"is in the dir|is not empty"):
        run("repair", tmp_path / place, "--data-dir", data)
    assert content(data) == before


def test_a_result_that_is_not_whole_is_not_called_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(directory: str, queue: TaskQueue) -> None:
        damage(filled(Path(directory)))

    monkeypatch.setattr(command, "begin", begin)
    with pytest.raises(StoreError, match=r"what was saved into .* is not whole"):
        run("repair", tmp_path / "new", "--data-dir", data)


# --- export and import --------------------------------------------------------------


def test_an_export_is_imported_into_a_new_directory(data: Path, tmp_path: Path) -> None:
    before = content(data)
    exported = run("export", "--data-dir", data).stdout_bytes
    assert content(data) == before
    assert len(exported.splitlines()) == 6
    new = tmp_path / "new"
    text = said("import", "-", "--data-dir", new, stdin=exported)
    assert "imported 2 waiting, 0 in flight, 1 succeeded, 1 dead, 1 schedules" in text
    assert "paused as the other one was" in text
    assert of(new) == of(data)
    assert "whole" in said("check", "--data-dir", new)
    again = said("import", "-", "--data-dir", new, stdin=exported)
    assert "skipped 3 ids that are known here already" in again
    assert of(new) == of(data)


def test_an_export_can_go_to_a_file(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "export.jsonl"
    file.write_text("older")
    assert said("export", "-o", file, "--data-dir", data) == ""
    assert file.read_bytes() == run("export", "--data-dir", data).stdout_bytes
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "imported 2" in said("import", file, "--data-dir", tmp_path / "new")


def test_an_export_that_fails_leaves_no_file(data: Path, tmp_path: Path) -> None:
    store, queue = opened(data)
    take(store, queue, [Pushed("sealed otherwise", NOW, NOW, b"\xc1")])
    store.close()
    file = tmp_path / "export.jsonl"
    file.write_text("older")
    with pytest.raises(Exception, match="not a sealed spec"):
        run("export", "-o", file, "--data-dir", data)
    assert file.read_text() == "older"
    assert [one.name for one in tmp_path.glob("export*")] == ["export.jsonl"]


def test_a_reader_may_hang_up(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``poussetaches store export | head``"""

    def export(queue: TaskQueue, policy: object) -> Iterator[bytes]:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("poussetaches.store.interchange.export", export)
    assert said("export", "--data-dir", data, status=1) == ""


def test_a_damaged_store_is_not_exported(data: Path) -> None:
    damage(data)
    with pytest.raises(StoreDamaged, match="store repair"):
        run("export", "--data-dir", data)
    journal(data).rename(data / "journal-00000002.msgpack")
    with pytest.raises(StoreBroken, match="store repair"):
        run("export", "--data-dir", data)


def test_an_empty_directory_has_no_export(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        run("export", "--data-dir", tmp_path)


def test_a_bad_line_is_named_with_its_file_and_nothing_is_imported(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "export.jsonl"
    good = {"kind": "task", "id": "good", "url": "http://h/"}
    file.write_text(json.dumps(good) + "\n" + json.dumps(good | {"url": 7}) + "\n")
    before = of(data)
    with pytest.raises(InvalidInput) as caught:
        run("import", file, "--data-dir", data)
    assert caught.value.message.startswith(f"{file}: line 2: ")
    assert of(data) == before
    with pytest.raises(InvalidInput, match="there is nothing in it"):
        run("import", "-", "--data-dir", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_disk_that_fails_during_an_import_leaves_what_was(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of(data)
    export = run("export", "--data-dir", data).stdout_bytes.replace(b'"a"', b'"z"')
    rename = os.rename

    def fail(old: str, new: str) -> None:
        if "dump" in new:
            raise OSError(28, "No space left on device", new)
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail)
        with pytest.raises(StoreError, match="No space left on device"):
            run("import", "-", "--data-dir", data, stdin=export)
    assert not list(data.glob("*.tmp"))
    assert of(data) == before
    assert "imported 0 waiting, 0 in flight, 0 succeeded, 1 dead" in said(
        "import", "-", "--data-dir", data, stdin=export
    )


# --- adopt --------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> AncestorDirectory:
    """Something of everything."""
    old = AncestorDirectory(tmp_path / "poussetaches_data")
    old.put("waiting", "due", next_run=NOW, tries=2, last_run=NOW)
    old.put("waiting", "later", next_run=NOW * 2, expected=0)
    old.put("waiting", "nowhere", url="nowhere")
    (old.path / "waiting" / "torn").write_bytes(b'{"id": "to')
    old.put("success", "done", last_run=NOW)
    old.put("success", "older", last_run=NOW - 1)
    old.put("dead", "dead", last_run=NOW, tries=11)
    old.schedule("@every 1h", slot=NOW * 2)
    old.schedule("*/5 * * * *", slot=NOW * 2)
    return old


def test_adopting_takes_over_what_it_can_and_tells_the_rest(
    old: AncestorDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POUSSETACHES_RETAIN_SUCCEEDED", "1")
    data = tmp_path / "data"
    before = old.content()
    dry = said("adopt", old.path, "--dry-run", "--data-dir", data, status=1)
    assert not data.exists()
    assert old.content() == before
    text = said("adopt", old.path, "--data-dir", data, status=1)
    assert old.content() == before
    for part in (
        "adopted 4 waiting, 0 in flight, 1 succeeded, 1 dead, 2 schedules",
        "left out 1 older ones",
        "due 1 tasks",
        '"*/5 * * * *" had the second first there and goes on so, as "*/5 * * * * *"',
        "otherwise later: expected 0 there",
        "refused waiting/nowhere: The url must be a full URL",
        "refused waiting/torn: not whole JSON",
        f"quarantine 2 files are copied to {data}/quarantine",
    ):
        assert part in text
    expected = dry.replace("would adopt", "adopted").replace("would be cop", "are cop")
    assert expected == text
    assert (data / "quarantine" / "waiting" / "torn").read_bytes() == b'{"id": "to'
    assert "whole" in said("check", "--data-dir", data)
    found = of(data)
    again = said("adopt", old.path, "--data-dir", data, status=1)
    assert "adopted 0 waiting" in again
    assert "skipped 6 ids that are known here already" in again
    assert of(data) == found
    assert "skipped 6" in said(
        "adopt", old.path, "--dry-run", "--data-dir", data, status=1
    )


def test_adopting_all_there_is_ends_well(old: AncestorDirectory, data: Path) -> None:
    (old.path / "waiting" / "nowhere").unlink()
    (old.path / "waiting" / "torn").unlink()
    text = said("adopt", old.path, "--data-dir", data)
    assert "refused" not in text
    assert not (data / "quarantine").exists()
    exported = run("export", "--data-dir", data).stdout_bytes
    assert b'"id":"later"' in exported
    assert b'"id":"b"' in exported
    assert "imported" in said("import", "-", "--data-dir", data / "n", stdin=exported)


@pytest.mark.parametrize("place", ["poussetaches_data", "poussetaches_data/new"])
def test_the_old_directory_does_not_become_the_new_one(
    old: AncestorDirectory, tmp_path: Path, place: str
) -> None:
    before = old.content()
    with pytest.raises(InvalidInput, match="name another with --data-dir"):
        run("adopt", old.path, "--data-dir", tmp_path / place)
    assert old.content() == before


# --- progress -----------------------------------------------------------------------


def test_progress_shows_on_a_terminal_if_there_is_much_to_do(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("checking", 10**9, "bytes") as step:
        step(1)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("checking", 10, "bytes") as step:
        step(1)
    assert capsys.readouterr().err == ""
    with progress("checking", 10**9, "bytes") as step:
        step(10**9)
    assert "checking" in capsys.readouterr().err
