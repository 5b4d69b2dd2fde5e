"""The house, held by its imports: who may know whom, who may read the environment, who may ask the time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

BRIDGE = Path(__file__).parent.parent / "bridge"

#: From the ground up. An import goes down; on a staircase it may also go to a room that is listed before.
FLOORS = (
    ("errors", "clock", "settings"),
    ("events", "signals", "violations", "problems", "database", "genesys"),
    ("lists", "tables", "differences", "migrate", "chore_lease"),
    ("privacy", "audit"),
    ("intake", "outbox"),
    ("commands", "destinations", "telemetry", "keeping"),
    ("admin",),
    ("wiring", "reloading", "chores", "app", "worker", "web", "supervisor", "doctor"),
    ("serving", "wsgi", "demo", "cli"),
)
STAIRCASES = {0, 1, 2, 3, 7, 8}
#: Imports nothing of the rest; only the top floor may start it.
APART = "sandbox"

#: Who may touch os.environ beside settings, and why.
MAY_READ_ENVIRONMENT: dict[str, str] = {}
MAY_ASK_THE_TIME = {"clock.py", "database.py"}
#: Who may catch everything without raising it again, and why.
MAY_CATCH_EVERYTHING = {
    "outbox/dispatcher.py": "a bug in a destination must not cost its lane",
    "intake/shared_commits.py": "handed over to the thread that asked, which raises it again",
}

CATCH_ALL_NAMES = {
    *("utils", "util", "helpers", "helper", "common", "misc", "core"),
    *("manager", "service", "handler", "handlers", "data", "info", "process"),
}
TIME_OF_DAY = {"datetime": {"now", "utcnow", "today"}, "date": {"today"}, "time": {"time", "time_ns"}}
ENVIRONMENT = {"os": {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}}


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file of the package; `path` is relative to it, with slashes."""

    path: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.split("/", maxsplit=1)[0].removesuffix(".py")


@cache
def modules() -> tuple[Module, ...]:
    return tuple(
        _module(path.relative_to(BRIDGE).as_posix(), path.read_text()) for path in sorted(BRIDGE.rglob("*.py"))
    )


def test_imports_go_down_only() -> None:
    assert [fault for module in modules() for fault in upward_imports(module)] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {module.path for module in modules() if module.room != "settings" and _mentions(module, ENVIRONMENT)}
    assert readers <= MAY_READ_ENVIRONMENT.keys(), "read it in settings, or list the file with its reason"


def test_only_the_clock_and_the_database_ask_the_time() -> None:
    askers = {module.path for module in modules() if module.room != APART and _mentions(module, TIME_OF_DAY)}
    assert askers <= MAY_ASK_THE_TIME, "take a Clock"


def test_only_those_with_a_reason_catch_everything() -> None:
    catchers = {module.path for module in modules() if _catches_everything(module)}
    assert catchers <= MAY_CATCH_EVERYTHING.keys(), "catch what you mean, or end the clause with a bare `raise`"


def test_no_module_is_a_catch_all() -> None:
    names = {part.removesuffix(".py") for module in modules() for part in module.path.split("/")}
    assert {name for name in names if name.split("_")[-1] in CATCH_ALL_NAMES} == set(), "name what it is about"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tables.py", "from bridge.outbox.ledger import claim"),
        ("intake/recorder.py", "from bridge.outbox import append"),
        ("intake/recorder.py", "from bridge import outbox"),
        ("intake/formats/genesys.py", "from ...outbox import append"),
        ("errors.py", "import bridge.clock"),
        ("worker.py", "def run():\n    import bridge.web.serve"),
        ("worker.py", "from bridge import sandbox"),
        ("sandbox/app.py", "from bridge.clock import Clock"),
        ("attic.py", "import json"),
    ],
)
def test_an_upward_import_would_be_seen(path: str, source: str) -> None:
    assert len(list(upward_imports(_module(path, source)))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("outbox/ledger/claim.py", "from bridge.tables import LaneRow"),
        ("outbox/ledger/claim.py", "from ..contract import Outcome"),
        ("settings/load.py", "from bridge.errors import ConfigurationError"),
        ("cli/sandbox.py", "from bridge.sandbox.app import create_sandbox"),
        ("app.py", "from bridge import __version__"),
    ],
)
def test_a_downward_import_is_fine(path: str, source: str) -> None:
    assert list(upward_imports(_module(path, source))) == []


@pytest.mark.parametrize("source", ["os.environ['A']", "os.getenv('A')", "from os import environ"])
def test_reading_the_environment_would_be_seen(source: str) -> None:
    assert _mentions(_module("app.py", source), ENVIRONMENT)


@pytest.mark.parametrize(
    "source",
    ["datetime.now(UTC)", "dt.datetime.utcnow()", "field(default_factory=datetime.now)", "from time import time"],
)
def test_asking_the_time_would_be_seen(source: str) -> None:
    assert _mentions(_module("app.py", source), TIME_OF_DAY)


@pytest.mark.parametrize("clause", ["except Exception:", "except (OSError, BaseException):", "except:"])
def test_catching_everything_would_be_seen(clause: str) -> None:
    assert _catches_everything(_module("app.py", f"try:\n    f()\n{clause}\n    pass"))
    assert not _catches_everything(_module("app.py", f"try:\n    f()\n{clause}\n    g()\n    raise"))


def upward_imports(module: Module) -> Iterator[str]:
    """A sentence for each import that a room of this floor may not make."""
    if module.room == "__init__":
        return
    if module.room != APART and _place(module.room) is None:
        yield f"{module.path}: the room has no floor yet; give it one in {Path(__file__).name}"
        return
    for room in sorted(_imported_rooms(module) - {module.room}):
        if not _may_know(module.room, room):
            yield f"{module.path}: may not import bridge.{room}"


def _may_know(room: str, other: str) -> bool:
    mine, theirs = _place(room), _place(other)
    if mine is None:
        return False
    if theirs is None:
        return other == APART and mine[0] == len(FLOORS) - 1
    return theirs[0] < mine[0] or (theirs[0] in STAIRCASES and theirs < mine)


def _place(room: str) -> tuple[int, int] | None:
    """Floor and position on it."""
    for floor, rooms in enumerate(FLOORS):
        if room in rooms:
            return floor, rooms.index(room)
    return None


def _imported_rooms(module: Module) -> set[str]:
    names = {name for node in ast.walk(module.tree) for name in _imported_names(node, module.path)}
    rooms = {name.split(".")[1] for name in names if name.startswith("bridge.")}
    return {room for room in rooms if not room.startswith("__")}


def _imported_names(node: ast.AST, path: str) -> Iterator[str]:
    """Dotted names from the top: of what is imported, so also of names within a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = ["bridge", *path.split("/")[:-1]]
        above = package[: len(package) - node.level + 1] if node.level else []
        origin = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def _mentions(module: Module, names: dict[str, set[str]]) -> bool:
    """True where `owner.name` or `from owner import name` stands for one of `names`, called or not."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            owner_name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if node.attr in names.get(owner_name, ()):
                return True
        if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & names.get(
            node.module or "", set()
        ):
            return True
    return False


def _catches_everything(module: Module) -> bool:
    return any(
        isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _ends_in_raise(node)
        for node in ast.walk(module.tree)
    )


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(each) for each in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def _ends_in_raise(clause: ast.ExceptHandler) -> bool:
    last = clause.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _module(path: str, source: str) -> Module:
    return Module(path=path, tree=ast.parse(source))
