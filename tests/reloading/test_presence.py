"""Programs that run on one bridge.toml are found, killed ones are not, whoever has their pid now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bridge.reloading.presence import FOLDER, Presence, present

DYING = """
import os, sys
from pathlib import Path
from bridge.reloading.presence import Presence
Presence.sign_in(Path(sys.argv[1]), "web")
os._exit(9)
"""


def test_a_program_is_found_while_it_runs_with_what_its_reload_did(tmp_path: Path) -> None:
    presence = Presence.sign_in(tmp_path, "worker")
    (found,) = present(tmp_path)
    assert (found.program, found.pid, found.reloads, found.result) == ("worker", os.getpid(), 0, None)
    assert found.is_here
    presence.report(problems=["sources.x.format: is not known"])
    (found,) = present(tmp_path)
    assert (found.reloads, found.result, found.problems) == (1, "refused", ["sources.x.format: is not known"])
    presence.report(changed=["sources.x"])
    (found,) = present(tmp_path)
    assert (found.reloads, found.result, found.problems, found.changed) == (2, "applied", [], ["sources.x"])
    presence.leave()
    assert list(present(tmp_path)) == []
    assert not (tmp_path / FOLDER).exists()


def test_what_a_child_has_reported_counts_for_its_parent(tmp_path: Path) -> None:
    presence = Presence.sign_in(tmp_path, "web")
    child = os.fork()
    if child == 0:  # as gunicorn's children do
        presence.report(changed=["sources.x"])
        os._exit(0)
    os.waitpid(child, 0)
    presence.report(problems=["no"])
    assert [one.reloads for one in present(tmp_path)] == [2]
    presence.leave()


def test_it_reports_again_after_a_full_disk_has_left_nothing_of_its_file(tmp_path: Path) -> None:
    presence = Presence.sign_in(tmp_path, "web")
    (file,) = (tmp_path / FOLDER).iterdir()
    os.truncate(file, 0)
    presence.report(changed=["sources.x"])
    assert [(one.program, one.reloads, one.result) for one in present(tmp_path)] == [("web", 1, "applied")]
    presence.leave()


def test_what_a_killed_program_has_left_is_not_found_and_taken_away(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    assert list(present(tmp_path)) == []
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_program_on_another_machine_is_found_as_not_here(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    theirs = {"program": "web", "pid": os.getpid(), "host": "elsewhere.example"}
    (tmp_path / FOLDER / "web-elsewhere-1.json").write_text(json.dumps(theirs))
    (found,) = present(tmp_path)
    assert not found.is_here


def test_only_the_owner_may_read_who_runs(tmp_path: Path) -> None:
    presence = Presence.sign_in(tmp_path, "web")
    (file,) = (tmp_path / FOLDER).iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    presence.leave()
