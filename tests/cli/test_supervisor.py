"""The supervisor over small real programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.supervisor import Program, ProgramEnded, Supervisor, restart_wait
from tests.processes import is_alive

#: Writes its pid into the file named first, then waits for SIGTERM; `--lifeline N` comes last.
PATIENT = """
import os, signal, sys
from bridge.supervisor import hold_lifeline
hold_lifeline(int(sys.argv[-1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()} {os.getpgid(0)}\\n")
while True:
    signal.pause()
"""
DEAF = PATIENT.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")


class Told:
    """What a supervisor said."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def __call__(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture
def told() -> Told:
    return Told()


def program(tmp_path: Path, source: str = PATIENT, name: str = "patient") -> Program:
    return Program(name=name, command=[sys.executable, "-c", source, str(tmp_path / name)])


@contextmanager
def watched(tree: Supervisor) -> Iterator[None]:
    """`tree.watch()` in a thread while the block runs; then it is stopped."""
    with tree:
        watching = threading.Thread(target=tree.watch)
        watching.start()
        try:
            yield
        finally:
            tree.stop()
            watching.join()


def test_a_program_that_is_killed_starts_again_and_this_is_said(tmp_path: Path, told: Told) -> None:
    with watched(Supervisor([program(tmp_path)], told)):
        (first,) = wait_for_pids(tmp_path / "patient", 1)
        os.kill(first, signal.SIGKILL)
        _, second = wait_for_pids(tmp_path / "patient", 2)
        assert is_alive(second)
    assert told.sentences == ["patient was ended by SIGKILL; it starts again in 1 s"]


def test_programs_that_keep_ending_wait_longer_and_longer_to_start() -> None:
    assert [restart_wait(quick) for quick in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]


def test_stopping_ends_every_program_by_sigterm(tmp_path: Path, told: Told) -> None:
    with watched(Supervisor([program(tmp_path), program(tmp_path, name="other")], told)):
        pids = [*wait_for_pids(tmp_path / "patient", 1), *wait_for_pids(tmp_path / "other", 1)]
    assert not any(is_alive(pid) for pid in pids)
    assert told.sentences == []


def test_a_signal_is_passed_on_to_every_program(tmp_path: Path, told: Told) -> None:
    listening = "import os, signal, sys\nsignal.signal(signal.SIGHUP, lambda *_: os.remove(sys.argv[1]))" + PATIENT
    tree = Supervisor([program(tmp_path, listening), program(tmp_path, listening, name="other")], told)
    with watched(tree):
        for name in ("patient", "other"):
            wait_for_pids(tmp_path / name, 1)
        tree.pass_on(signal.SIGHUP)
        wait_until(lambda: not any((tmp_path / name).exists() for name in ("patient", "other")))
    assert told.sentences == []


def test_being_told_to_stop_twice_kills_what_does_not_listen(tmp_path: Path, told: Told) -> None:
    tree = Supervisor([program(tmp_path, DEAF)], told)
    with tree:
        (pid,) = wait_for_pids(tmp_path / "patient", 1)
        tree.stop()
        tree.stop()
    wait_until(lambda: not is_alive(pid))
    assert told.sentences == ["patient did not stop in time and is killed"]


def test_a_program_that_ends_before_all_are_ready_ends_the_start(tmp_path: Path, told: Told) -> None:
    broken = program(tmp_path, "raise SystemExit(3)", "broken")
    with pytest.raises(ProgramEnded, match="broken ended with exit code 3"), Supervisor([broken], told) as tree:
        tree.wait_until(lambda: False, seconds=20)


def test_not_being_ready_in_time_ends_the_start(tmp_path: Path, told: Told) -> None:
    with pytest.raises(ProgramEnded, match="not ready after"), Supervisor([program(tmp_path)], told) as tree:
        tree.wait_until(lambda: False, seconds=0.2)


def test_programs_are_out_of_reach_of_the_terminals_ctrl_c(tmp_path: Path, told: Told) -> None:
    with Supervisor([program(tmp_path)], told):
        (pid,) = wait_for_pids(tmp_path / "patient", 1)
        assert os.getpgid(pid) == pid != os.getpgid(0)


def test_programs_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    supervising = textwrap.dedent(
        """
        import sys
        from bridge.supervisor import Program, Supervisor
        command = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
        with Supervisor([Program(name="patient", command=command)], print) as tree:
            tree.watch()
        """
    )
    supervisor = subprocess.Popen([sys.executable, "-c", supervising, str(tmp_path / "patient"), PATIENT])
    try:
        (pid,) = wait_for_pids(tmp_path / "patient", 1)
    finally:
        supervisor.kill()
        supervisor.wait()
    wait_until(lambda: not is_alive(pid))


def wait_for_pids(file: Path, count: int) -> list[int]:
    """The pids that programs have written into `file`, once there are `count`."""

    def lines() -> list[str]:
        return file.read_text().splitlines() if file.exists() else []

    wait_until(lambda: len(lines()) >= count)
    return [int(line.split()[0]) for line in lines()]


def wait_until(true: Callable[[], bool], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
