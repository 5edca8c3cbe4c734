"""The direction of imports, as tables; the doors of libraries; the shape of files.

What a rule means stands in the comment above it. To allow something new, change the
table in the same commit and say why there.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Every part of the package, and the parts it may import besides itself. A module
#: belongs to the part with the longest name that begins its own.
MAY_IMPORT = {
    "errors": "",
    "log": "",
    "title": "",
    "patch": "",
    # How moments, spans and strange text are told to people, by whoever does.
    "when": "",
    "plain": "",
    "usage": "",
    "lifeline": "",
    "allocator": "",
    "bind": "",
    "api_keys": "",
    # A list of targets is read by what it is later applied with.
    "setting": "bind api_keys model errors",
    "queue_section": "setting model errors",
    "push_text": "errors",
    # Files of others, and ours.
    "taskqueue_ini": "queue_section model errors",
    "config_file": "taskqueue_ini queue_section model errors",
    "config": "config_file queue_section setting bind model errors",
    # What a task is. The public names of its fields are the business of schema alone.
    "model": "errors",
    # A callback is told about another task, whose spec comes to it sealed.
    "schema": "channel.messages model errors",
    # As schema, for files: the lines of an export, the first ancestor's tasks. It opens
    # and seals specs, as whoever makes public JSON of them has to.
    "archive": "channel.messages schema model errors",
    # Only the supervisor opens the store while the service runs.
    "store": "model allocator errors log",
    # These two turn what a stopped store holds into files for others, and back.
    "store.interchange": "store archive model errors",
    "store.adoption": "store archive schema model errors",
    "channel.frames": "errors",
    "channel.messages": "channel.frames model errors",
    "channel.server": "channel.messages channel.frames model errors log",
    "channel.client": "channel.messages channel.frames model errors log usage",
    "supervisor": "store channel.server channel.messages channel.frames model config"
    " bind log usage lifeline errors",
    # The children know the supervisor by the channel only, and each other not at all.
    "api": "child patch schema channel.client channel.messages model config log"
    " push_text when plain errors",
    "worker": "child patch schema channel.client channel.messages model config bind log"
    " errors",
    "child": "channel.client channel.messages config log lifeline title errors",
    # What applications import: no server code.
    "client": "schema model errors",
    "cli": "supervisor store store.interchange store.adoption schema client model"
    " config queue_section push_text setting log title when plain lifeline errors",
    "__main__": "cli",
}

#: Libraries that are not Python's own, and the parts or modules that may import each.
DOORS = {
    "bottle": "api",
    "click": "cli",
    "croniter": "model.schedule",
    "gevent": "api worker channel.client patch",
    "httptools": "api.request worker.reply",
    "msgpack": "store.format",
    "msgspec": "schema archive api channel.messages",
    "prometheus_client": "api.metrics api.families",
    "requests": "client cli",
    "setproctitle": "title",
    # requests has no way of its own to a Unix socket.
    "urllib3": "client.unix_socket",
}

#: Python's own modules that would break a promise of the part.
NOT_IN = {
    # No I/O and no clock: everything it decides can be replayed.
    "model": "asyncio http io logging multiprocessing os pathlib select selectors"
    " shutil signal socket subprocess tempfile threading time",
    # One thread, one loop: it forks.
    "supervisor": "asyncio concurrent http multiprocessing threading",
}

#: Names that say nothing about what is inside.
NO_NAMES = {"common", "helper", "helpers", "misc", "tools", "util", "utils"}

#: How the outermost ``__init__`` may begin an import; nothing else may follow it.
TYPES_ONLY = "if TYPE_CHECKING:\n    from poussetaches.client.client import "

#: Packages whose ``__init__`` passes on what their own files have: whoever reads or
#: writes public JSON needs all of it, and need not know which noun is in which file.
ONE_DOOR = {"poussetaches.schema.__init__", "poussetaches.archive.__init__"}

#: Lines of a file that is still one noun.
LONGEST = 350


def imports(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported, anywhere in a module.

    ``module`` is its dotted name, a package's ending in ``__init__``.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and node.args:
            function = ast.unparse(node.func).rpartition(".")[2]
            if function in {"import_module", "__import__"}:
                yield node.lineno, ast.unparse(node.args[0]).strip("'\"")


def within(name: str, parts: Iterable[str]) -> str | None:
    """The longest of ``parts`` that dotted ``name`` is or lies in."""
    found = [part for part in parts if f"{name}.".startswith(f"{part}.")]
    return max(found, key=len, default=None)


def import_faults(module: str, source: str) -> Iterator[str]:
    """A sentence for each import that the tables do not allow."""
    inside = module.removeprefix("poussetaches.")
    part = within(inside, MAY_IMPORT)
    if part is None:
        yield f"{module} is in no part of the house"
        return
    for line, name in imports(module, source):
        where = f"{module}:{line}"
        top = name.partition(".")[0]
        if name in {"poussetaches", "poussetaches.__version__"}:
            continue
        if top == "poussetaches":
            target = within(name.removeprefix("poussetaches."), MAY_IMPORT)
            if target not in {part, *MAY_IMPORT[part].split()} or target is None:
                yield f"{where}: {part} may not import {name}"
        elif top in sys.stdlib_module_names | {"_typeshed"}:
            if within(name, NOT_IN.get(part, "").split()):
                yield f"{where}: {part} may not import {name}"
        elif not within(inside, DOORS.get(top, "").split()):
            yield f"{where}: {top} may not come in here"


def package_faults(module: str, source: str) -> Iterator[str]:
    """Whether an ``__init__.py`` is empty, a docstring, or (the outermost) lazy."""
    tree = ast.parse(source)
    for node in tree.body[ast.get_docstring(tree) is not None :]:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if module in ONE_DOOR and _passes_on(module, node):
            continue
        if module == "poussetaches.__init__":
            if isinstance(node, ast.Assign):
                continue
            if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
                continue
            alone = isinstance(node, ast.If) and len(node.body + node.orelse) == 1
            if alone and ast.unparse(node).startswith(TYPES_ONLY):
                continue
        yield f"{module}:{node.lineno}: a package's __init__ does nothing"


def _passes_on(module: str, node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        own = module.removesuffix("__init__")
        return node.level == 0 and (node.module or "").startswith(own)
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def faults(modules: Mapping[str, str]) -> list[str]:
    """Everything wrong with these modules: their dotted names and their sources."""
    found: list[str] = []
    for module, source in modules.items():
        check = package_faults if module.endswith(".__init__") else import_faults
        # Once for a line, however many names it imports.
        found += dict.fromkeys(check(module, source))
        found += [
            f"{module}: call it what it is" for _ in NO_NAMES & {*module.split(".")}
        ]
        lines = source.count("\n")
        if lines > LONGEST:
            found.append(f"{module}: {lines} lines, more than {LONGEST}")
    return found


def package() -> dict[str, str]:
    """The sources of poussetaches."""
    paths = sorted((ROOT / "poussetaches").rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
        for path in paths
    }


def test_the_house_is_as_drawn() -> None:
    modules = package()
    assert {"poussetaches.__init__", "poussetaches.errors"} <= set(modules)
    found = faults(modules)
    assert not found, "\n".join(["", *found])


def test_every_directory_of_modules_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "poussetaches").rglob("*.py")}
    assert not [f for f in sorted(folders) if not (f / "__init__.py").exists()]


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("errors", "import poussetaches.log", "errors may not import poussetaches.log"),
        (
            "model.task",
            "from poussetaches.store import disk",
            "poussetaches.store.disk",
        ),
        (
            "model.task",
            "from poussetaches import store",
            "may not import poussetaches.st",
        ),
        (
            "model.task",
            "from ..store.disk import Store",
            "poussetaches.store.disk.Store",
        ),
        ("model.task", "from time import time", "model may not import time.time"),
        (
            "model.task",
            "def f():\n    import os.path",
            ":2: model may not import os.path",
        ),
        ("model.task", "import croniter", "croniter may not come in here"),
        ("worker.pool", "import poussetaches.api.app", "worker may not import pous"),
        ("api.app", "from poussetaches import worker", "api may not import pous"),
        ("api.app", "from poussetaches.supervisor.loop import x", "may not import"),
        (
            "api.app",
            "if TYPE_CHECKING:\n  import poussetaches.store.disk",
            ":2: api may",
        ),
        (
            "api.app",
            "importlib.import_module('poussetaches.worker.pool')",
            "api may not",
        ),
        ("api.app", "import_module(name)", "name may not come in here"),
        ("api.app", "import sqlalchemy.orm as x", "sqlalchemy may not come in here"),
        ("api.app", "import httptools", "httptools may not come in here"),
        ("supervisor.loop", "from gevent import socket", "gevent may not come in here"),
        (
            "supervisor.loop",
            "from poussetaches.channel import client",
            "channel.client",
        ),
        ("supervisor.loop", "import threading", "supervisor may not import threading"),
        (
            "channel.server",
            "from poussetaches.channel.client import x",
            "channel.client",
        ),
        ("channel.messages", "import msgpack", "msgpack may not come in here"),
        (
            "client.client",
            "from poussetaches.channel.client import x",
            "client may not",
        ),
        (
            "cli.serve",
            "from poussetaches import PousseTaches",
            "poussetaches.PousseTach",
        ),
        ("plugins.mail", "", "poussetaches.plugins.mail is in no part of the house"),
        ("model.utils", "", "poussetaches.model.utils: call it what it is"),
        ("log", "\n" * 351, "poussetaches.log: 351 lines, more than 350"),
        (
            "model.__init__",
            "from .task import Task",
            "a package's __init__ does nothing",
        ),
        ("model.__init__", "X = 1", "poussetaches.model.__init__:1: a package's"),
        ("schema.__init__", "X = 1", "a package's __init__ does nothing"),
        ("schema.__init__", "from poussetaches.errors import X", "does nothing"),
        ("__init__", "from poussetaches.client.client import Task", "does nothing"),
        ("__init__", "if TYPE_CHECKING:\n  import x", "does nothing"),
        ("__init__", f"{TYPES_ONLY}Task\nelse:\n    import y", "does nothing"),
    ],
)
def test_a_broken_rule_is_found(module: str, source: str, fault: str) -> None:
    found = faults({f"poussetaches.{module}": source})
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("model.task", "from __future__ import annotations\nimport enum, re"),
        ("model.schedule", "from croniter import croniter"),
        ("model.queue", "from .task import Task\nfrom . import events"),
        ("store.disk", "import os, time\nfrom poussetaches.store import format"),
        ("api.app", "import bottle\nfrom gevent.server import StreamServer"),
        ("api.app", "from poussetaches import __version__\nimport poussetaches"),
        ("worker.reply", "import httptools.parser"),
        ("cli.main", "import click\nfrom poussetaches.supervisor.loop import run"),
        ("__main__", "from poussetaches.cli.main import main"),
        (
            "schema.__init__",
            "from poussetaches.schema.json import encode\n__all__ = ['encode']",
        ),
        ("model.__init__", '"""What a task is."""\nfrom __future__ import annotations'),
        (
            "__init__",
            '"""Doc."""\n__version__ = "1"\nif TYPE_CHECKING:\n'
            "  from poussetaches.client.client import Task\n"
            "def __getattr__(name):\n  import y",
        ),
    ],
)
def test_what_the_rules_allow_passes(module: str, source: str) -> None:
    assert faults({f"poussetaches.{module}": source}) == []


def loaded_by(statements: str) -> set[str]:
    """What a fresh interpreter has loaded more after these statements."""
    program = (
        f"import sys; before = set(sys.modules)\n{statements}\n"
        "print(*set(sys.modules) - before)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_by("import poussetaches") <= {"poussetaches", "__future__"}


def test_the_supervisor_loads_nothing_of_its_children() -> None:
    """It forks: half of an event loop or of a client in it would be in every child."""
    modules = [
        module.removesuffix(".__init__")
        for module in package()
        if within(module.removeprefix("poussetaches."), ["supervisor"])
    ]
    loaded = {
        name.partition(".")[0] for name in loaded_by(f"import {', '.join(modules)}")
    }
    assert loaded & set(DOORS) <= {"croniter", "msgpack", "msgspec"}
