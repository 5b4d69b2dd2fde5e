"""An edited bridge.toml under real processes and load: applied without dropping anything, or refused."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select

from bridge.cli.signing import signed_headers
from bridge.cli.up import terminal_is_gone
from bridge.clock import SystemClock
from bridge.reloading.presence import Presence
from bridge.settings import load_settings
from bridge.settings.model import SourceSettings
from bridge.tables import AuditEntryRow
from tests.cli.conftest import Commands
from tests.cli.test_processes import opened, record, set_up, wait_until
from tests.processes import BridgeFolder
from tests.receivers import Received, Receiver

#: So that the worker is in the middle of sending whenever it is told to reload.
SLOWLY = 0.02
NEW_SOURCE = """
[sources.second]
format = "genesys"
verify = { scheme = "none" }
allow_unverified = true
"""


def test_under_load_an_edited_file_is_applied_and_nothing_is_dropped(folder: BridgeFolder) -> None:
    with Receiver(slowly) as erp:
        set_up(folder, erp)
        up = folder.start("up")
        up.wait_output("Ctrl-C stops everything.")
        load = Load(folder)
        with load.running():
            up.wait_until(lambda: len(load.accepted) > 30, "under load")
            edit(folder, r'(kind = "erp"\n)', r"\1timeout = 7\n", NEW_SOURCE)
            done = folder.run("reload", "--json")
            after = len(load.accepted)
            assert post(folder, "second", genesys(folder)) == 202, "the new source is in force when reload returns"
            up.wait_until(lambda: len(load.accepted) > after + 30, "under load with the new file")
        assert load.dropped == []
        told = json.loads(done.stdout)["reloaded"]
        assert (done.code, [one["program"] for one in told]) == (0, ["web", "worker"]), done
        changed = ["destinations.erp.timeout", "sources.second"]
        assert [one["changed"] for one in told] == [changed, changed]
        noted = audited(folder)
        assert sorted(entry["program"] for entry in noted) == ["web", "worker"]
        assert {tuple(entry["changed"]) for entry in noted} == {tuple(changed)}
        posted = {f"r-{number}" for number in load.accepted}
        wait_until(lambda: posted <= {each.json()["recordId"] for each in list(erp.requests)})


def test_a_file_that_does_not_check_is_refused_and_the_old_one_stays(folder: BridgeFolder) -> None:
    with Receiver() as erp:
        set_up(folder, erp)
        web = folder.start_python("-m", "gunicorn", "-c", "python:bridge.serving", "bridge.wsgi:app")
        worker = folder.start("worker")
        folder.wait_ready()
        worker.wait_output("worker.started")
        source = genesys(folder)
        (folder.path / "none.pem").write_text("no certificate, which only the wiring finds out")
        edit(folder, r'(kind = "erp"\n)', r'\1client_cert = "none.pem"\n')
        for each in (web, worker):
            each.signal(signal.SIGHUP)
        for each in (web, worker):
            each.wait_output("config.refused")
            assert "destinations.erp.client_cert: " in each.output()
        assert post(folder, "genesys", source) == 202
        erp.wait_for(1, timeout=15)
        assert audited(folder) == []
        edit(folder, 'client_cert = "none.pem"', "timeout = 7")
        web.signal(signal.SIGHUP)
        web.wait_output("config.reloaded")
        assert [entry["changed"] for entry in audited(folder)] == [["destinations.erp.timeout"]]


def test_reload_tells_nobody_of_a_file_that_does_not_check(bridge: Commands) -> None:
    with (bridge.folder / "bridge.toml").open("a") as config:
        config.write("[sorces.x]\n")
    presence = Presence.sign_in(bridge.folder, "worker")  # would be killed by a SIGHUP
    result = bridge("reload")
    presence.leave()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sorces: is not known; did you mean sources?" in result.stderr
    assert "nothing was told" in result.stderr


def test_reload_says_where_nothing_runs(bridge: Commands) -> None:
    result = bridge("reload")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing runs here" in result.stderr


def test_a_closed_window_is_told_from_a_terminal() -> None:
    master, terminal = pty.openpty()
    assert not terminal_is_gone(terminal)
    os.close(master)
    assert terminal_is_gone(terminal)
    os.close(terminal)


class Load:
    """Signed webhooks from several clients on kept connections, each on its own records, until the block ends."""

    CLIENTS = 4

    def __init__(self, folder: BridgeFolder) -> None:
        self._port = folder.port
        self._source = genesys(folder)
        self._ends = threading.Event()
        #: Of the records whose webhook was answered with 202.
        self.accepted: list[str] = []
        #: What went wrong, with whatever request.
        self.dropped: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._post, args=(number,)) for number in range(self.CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ends.set()
            for thread in threads:
                thread.join(30)

    def _post(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        number = 0
        while not self._ends.is_set():
            number += 1
            body = record(f"r-{client}-{number}").encode()
            try:
                connection.request("POST", "/webhooks/genesys", body, signed(self._source, body))
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as broken:
                self.dropped.append(f"{type(broken).__name__}: {broken}")
                connection.close()
                continue
            if answer.status == 202:
                self.accepted.append(f"{client}-{number}")
            else:
                self.dropped.append(str(answer.status))
        connection.close()


def slowly(_request: Received) -> int:
    threading.Event().wait(SLOWLY)
    return 204


def edit(folder: BridgeFolder, pattern: str, replacement: str, more: str = "") -> None:
    config = folder.path / "bridge.toml"
    text, count = re.subn(pattern, replacement, config.read_text())
    assert count == 1
    config.write_text(text + more)


def post(folder: BridgeFolder, name: str, source: SourceSettings) -> int:
    """The status that one webhook to the source `name` is answered with, signed as `source` would."""
    connection = http.client.HTTPConnection("127.0.0.1", folder.port, timeout=10)
    body = record("r-1").encode()
    connection.request("POST", f"/webhooks/{name}", body, signed(source, body))
    status = connection.getresponse().status
    connection.close()
    return status


def signed(source: SourceSettings, body: bytes) -> dict[str, str]:
    return {"Content-Type": "application/json", **signed_headers(source, body, SystemClock().now())}


def genesys(folder: BridgeFolder) -> SourceSettings:
    """The source as the file has it now: once it is edited, it may not be readable."""
    return load_settings({}, working_dir=folder.path).sources["genesys"]


def audited(folder: BridgeFolder) -> list[dict[str, Any]]:
    """The details of every reload that the audit knows."""
    with opened(folder) as session:
        wanted = select(AuditEntryRow.details).where(AuditEntryRow.action == "config.reloaded")
        return list(session.scalars(wanted.order_by(AuditEntryRow.id)))
