"""`bridge demo` as a newcomer runs it: what it says, how it ends, and what it leaves behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from tests.journeys.lying_demo import FORGOTTEN
from tests.processes import BridgeFolder, Running, is_alive

SECONDS = 90


class Demo:
    """A demo that runs in a folder of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.left_behind = folder / "tmp"
        self.left_behind.mkdir(parents=True)
        # Somebody else's bridge is configured here: the demo may not find it.
        surroundings = {
            "TMPDIR": str(self.left_behind),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "BRIDGE_CONFIG": "nowhere.toml",
            "HTTP_PROXY": "http://127.0.0.1:1",
        }
        self._bridge = BridgeFolder(folder, surroundings)
        self.running: Running = self._bridge.start_python("-m", *command)

    def children(self) -> list[int]:
        return [pid for pid in self.running.tree() if pid != self.running.pid]

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.running.code is None:
            self.running.kill()


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Demo]]:
    """They all run at the same time: each takes a while, and most of it is waiting."""
    folder = tmp_path_factory.mktemp("demos")
    with (
        Demo(folder / "honest", "bridge.cli", "demo", "--json") as honest,
        Demo(folder / "told", "bridge.cli", "demo", "--keep") as told,
        Demo(folder / "lying", "tests.journeys.lying_demo") as lying,
    ):
        yield {"honest": honest, "told": told, "lying": lying}


def test_it_ends_with_0_and_every_id_accounted_for(demos: dict[str, Demo]) -> None:
    demo = demos["honest"].running
    assert demo.wait(seconds=SECONDS) == 0, demo.output()
    account = json.loads(demo.output())
    assert account["sent"] == account["acknowledged"] + account["duplicates_refused"] + account["forged_refused"]
    assert account["recorded"] == account["acknowledged"]
    assert account["recorded"] == account["delivered"] + account["superseded"] + account["replayed"]
    assert (account["lost"], account["doubled"], account["out_of_order"], account["faults"]) == (0, 0, 0, [])
    assert account["sent"] > 50
    assert min(account[name] for name in ("superseded", "replayed", "duplicates_refused", "forged_refused")) > 0
    assert account["repeats_recognised"] > 0
    assert (account["commands"], account["carried_out"]) == (4, 4)


def test_it_leaves_nothing_behind(demos: dict[str, Demo]) -> None:
    demo = demos["honest"]
    demo.running.wait(seconds=SECONDS)
    assert list(demo.left_behind.iterdir()) == []


def test_it_tells_its_claims_in_plain_lines_within_80_columns(demos: dict[str, Demo]) -> None:
    demo = demos["told"]
    assert demo.running.wait(seconds=SECONDS) == 0, demo.running.output()
    told = demo.running.output()
    assert "\x1b" not in told
    assert "✗" not in told
    assert told.count("✓") > 20
    kept = [line for line in told.splitlines() if line.startswith("Kept: ")]
    assert all(len(line) <= 80 for line in told.splitlines() if line not in kept)
    [folder] = demo.left_behind.iterdir()
    assert str(folder) in kept[0]
    assert (folder / "bridge.db").stat().st_size > 0


def test_a_receiver_that_drops_one_id_is_found_out(demos: dict[str, Demo]) -> None:
    demo = demos["lying"].running
    assert demo.wait(seconds=SECONDS) == 1, demo.output()
    assert f"change 1 of {FORGOTTEN}: is called delivered, and erp never took it" in demo.output()
    assert list(demos["lying"].left_behind.iterdir()) == []


def test_ctrl_c_in_the_middle_of_the_story_leaves_nothing_behind(tmp_path: Path) -> None:
    with Demo(tmp_path, "bridge.cli", "demo") as demo:
        demo.running.wait_output("The ERP goes down", seconds=SECONDS)
        children = demo.children()
        assert len(children) > 2
        assert_ends_cleanly(demo, signal.SIGINT, children)


def test_a_demo_that_is_told_to_stop_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with Demo(tmp_path, "bridge.cli", "demo") as demo:
        demo.running.wait_until(lambda: len(demo.children()) > 2, "having started its processes", seconds=SECONDS)
        assert_ends_cleanly(demo, signal.SIGTERM, demo.children())


def assert_ends_cleanly(demo: Demo, number: signal.Signals, children: list[int]) -> None:
    demo.running.signal(number)
    assert demo.running.wait(seconds=SECONDS) == 1
    assert [pid for pid in children if is_alive(pid)] == []
    assert list(demo.left_behind.iterdir()) == []
    assert "Traceback" not in demo.running.output()
