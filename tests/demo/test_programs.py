"""The demo's child processes: none outlives it, whatever happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.demo.failing import DemoFailed
from bridge.demo.programs import Programs, signals_held_back
from tests.processes import is_alive

#: Says that it lives, and then does what its first argument says.
PROGRAM = """
import signal, sys, time
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("lives", flush=True)
if sys.argv[1] == "ends":
    sys.exit("has no configuration")
time.sleep(60)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "program.py").write_text(PROGRAM)
    programs = Programs(tmp_path, {"PYTHONPATH": str(tmp_path)}, stop_seconds=0.5)
    with programs:
        yield programs


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("manner", ["obedient", "stubborn"])
def test_stop_ends_also_who_does_not_listen(tmp_path: Path, programs: Programs, manner: str) -> None:
    programs.start("one", "program", manner)
    wait_until(lambda: "lives" in (tmp_path / "one.log").read_text())
    pid = programs.pid("one")
    programs.stop()
    programs.stop()
    assert not is_alive(pid)


def test_a_killed_one_starts_again_as_it_was(tmp_path: Path, programs: Programs) -> None:
    programs.start("one", "program", "obedient")
    before = programs.pid("one")
    programs.kill("one")
    assert not is_alive(before)
    programs.start_again("one")
    assert programs.pid("one") != before
    programs.require_running()


def test_one_that_ended_is_named_with_what_it_wrote(programs: Programs) -> None:
    programs.start("one", "program", "ends")
    wait_until(lambda: not is_alive(programs.pid("one")))
    with pytest.raises(DemoFailed, match=r"(?s)one ended with 1.*has no configuration"):
        programs.require_running()


def test_a_signal_waits_until_a_started_program_is_known() -> None:
    known: list[str] = []

    def start_interrupted() -> None:
        with signals_held_back():
            signal.raise_signal(signal.SIGINT)
            known.append("one")

    with pytest.raises(KeyboardInterrupt):
        start_interrupted()
    assert known == ["one"]
