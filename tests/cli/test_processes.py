"""`bridge up`, `web` and `worker` as real processes, with real webhooks and a real receiver."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import migrate
from bridge.cli.signing import signed_headers
from bridge.clock import SystemClock
from bridge.database import open_database
from bridge.settings import initialise, load_settings
from bridge.tables import DeliveryRow, EventRow
from tests.processes import BridgeFolder, Running, is_alive
from tests.receivers import Receiver

CLIENTS = 8


@pytest.fixture(scope="module")
def erp() -> Iterator[Receiver]:
    with Receiver() as erp:
        yield erp


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, erp: Receiver) -> Iterator[BridgeFolder]:
    """A bridge that delivers to `erp`, everything running."""
    with BridgeFolder(tmp_path_factory.mktemp("site")) as site:
        set_up(site, erp)
        site.start("up").wait_output("Ctrl-C stops everything.")
        yield site


def test_an_empty_folder_becomes_a_bridge_that_accepts(folder: BridgeFolder) -> None:
    up = folder.start("up")
    up.wait_output("Ctrl-C stops everything.")
    told = up.output()
    assert f"POST {folder.url}/webhooks/genesys" in told
    assert (folder.path / "bridge.toml").exists()

    (token,) = re.findall(r"^  (gbr_\S+)$", told, re.MULTILINE)
    assert get(folder, "/api/v1/events", token)["items"] == []

    # Named, because the shell that it is pasted into may not have this PORT.
    line = rf"^  echo '(.*)' \| bridge events send genesys - --url {folder.url}$"
    (sample,) = re.findall(line, told, re.MULTILINE)
    first = folder.run("events", "send", "genesys", "-", stdin=sample)
    assert (first.code, first.stderr) == (0, "202 ACCEPTED\n")
    assert json.loads(first.stdout)["deliveries"] == ["erp"]

    tree = up.tree()
    assert len(tree) == 4, "up, web with its child, worker"
    assert up.stop() == 0
    assert not any(is_alive(pid) for pid in tree)

    again = folder.start("up")
    again.wait_output("Ctrl-C stops everything.")
    assert "gbr_" not in again.output(), "the first token is made and shown once"


def test_what_is_accepted_is_delivered_and_replayed_on_demand(site: BridgeFolder, erp: Receiver) -> None:
    before = len(erp.requests)
    erp.answers(400, 400, 204)
    post(site, "r-1")
    site.running[0].wait_until(lambda: states(site, "r-1") == ["dead"], "through with the delivery")
    first = erp.requests[before]
    assert first.json()["recordId"] == "r-1"

    subject = ["--subject", "record:InventoryItem/r-1"]
    failed = site.run("replay", *subject, "--state", "dead", "--reason", "hope", "--json")
    assert failed.code == 1
    assert json.loads(failed.stdout)["failed"] == 1

    done = site.run("replay", *subject, "--state", "dead", "--reason", "the ERP is mended")
    assert done.code == 0, done.stderr
    assert done.stdout.endswith("completed: 1 of 1 ended, 1 delivered\n")
    assert erp.requests[-1].headers["webhook-id"] == first.headers["webhook-id"]


def test_a_part_that_is_killed_starts_again(site: BridgeFolder) -> None:
    up = site.running[0]
    started = up.output().count("Booting worker")
    web = next(pid for pid in up.tree() if "web" in command_line(pid))
    os.kill(web, signal.SIGKILL)
    up.wait_output("web was ended by SIGKILL; it starts again in 1 s")
    up.wait_until(lambda: up.output().count("Booting worker") > started, "up again")
    site.wait_ready()


def test_what_the_bridge_refuses_ends_with_1_and_its_problem(site: BridgeFolder) -> None:
    done = site.run("events", "send", "genesys", "-", stdin='{"action":"update"}')
    assert done.code == 1
    assert json.loads(done.stdout)["status"] == 422


def test_everything_ends_when_up_is_killed(folder: BridgeFolder) -> None:
    up = folder.start("up")
    up.wait_output("Ctrl-C stops everything.")
    tree = up.tree()
    up.signal(signal.SIGKILL)
    up.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in tree))


def test_a_port_in_use_is_said_before_anything_starts(folder: BridgeFolder) -> None:
    with socket.create_server(("127.0.0.1", folder.port)):
        done = folder.run("up")
    assert done.code == 1
    assert f"PORT: cannot listen on 127.0.0.1 port {folder.port}" in done.stderr


def test_web_refuses_a_database_that_is_not_upgraded_with_one_line(folder: BridgeFolder) -> None:
    initialise(folder.path)
    done = folder.run("web")
    assert done.code == 1
    assert done.stderr == "bridge: DATABASE_URL: the database is not at this version; run `bridge db upgrade`\n"


@pytest.mark.parametrize("program", ["web", "worker"])
def test_nothing_starts_without_a_secret_key(folder: BridgeFolder, program: str) -> None:
    done = folder.run(program)
    assert (done.code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("bridge: BRIDGE_SECRET_KEY: ")


def test_gunicorn_itself_serves_the_same_app(folder: BridgeFolder, erp: Receiver) -> None:
    set_up(folder, erp)
    folder.start_python("-m", "gunicorn", "-c", "python:bridge.serving", "bridge.wsgi:app")
    folder.wait_ready()
    post(folder, "r-1")


def test_sigterm_under_load_answers_every_request_that_it_took(folder: BridgeFolder, erp: Receiver) -> None:
    set_up(folder, erp)
    web = folder.start("web")
    folder.wait_ready()
    load = Load(folder)
    with load.running():
        web.wait_until(lambda: len(load.accepted) > 50, "under load")
        assert web.stop() == 0
    assert load.unanswered == []
    with opened(folder) as session:
        stored = set(session.scalars(select(EventRow.id)))
    assert set(load.accepted) <= stored


def test_a_worker_told_to_stop_finishes_what_it_sends(folder: BridgeFolder) -> None:
    with HoldingReceiver() as erp:
        worker = worker_while_sending(folder, erp)
        worker.signal(signal.SIGTERM)
        worker.wait_output("worker.stopping")
        erp.let_go.set()
        assert worker.wait() == 0
        assert states(folder, "r-1") == ["delivered"]


def test_a_second_signal_ends_a_worker_at_once(folder: BridgeFolder) -> None:
    with HoldingReceiver() as erp:
        worker = worker_while_sending(folder, erp)
        worker.signal(signal.SIGTERM)
        worker.wait_output("worker.stopping")
        worker.signal(signal.SIGTERM)
        assert worker.wait() == -signal.SIGTERM
        assert states(folder, "r-1") == ["pending"]


class HoldingReceiver(Receiver):
    """Answers nobody before it lets go."""

    def __init__(self) -> None:
        super().__init__(self._hold)
        self.let_go = threading.Event()

    def __enter__(self) -> HoldingReceiver:
        super().__enter__()
        return self

    def stop(self) -> None:
        self.let_go.set()
        super().stop()

    def _hold(self, _request: object) -> int:
        self.let_go.wait(30)
        return 204


class Load:
    """Signed webhooks from several clients on kept connections, until nobody listens any more."""

    def __init__(self, folder: BridgeFolder) -> None:
        self._folder = folder
        #: Ids of events that were answered with 202.
        self.accepted: list[str] = []
        #: What went wrong with requests on connections that the server had taken.
        self.unanswered: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._post_until_refused, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        yield
        for thread in threads:
            thread.join(30)

    def _post_until_refused(self, client: int) -> None:
        number = 0
        connection = http.client.HTTPConnection("127.0.0.1", self._folder.port, timeout=30)
        while True:
            is_kept = connection.sock is not None
            try:
                if not is_kept:
                    connection.connect()
                number += 1
                self._post(connection, f"r-{client}-{number}")
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as broken:
                if is_kept:  # a new one may have come when nobody was accepting any more
                    self.unanswered.append(f"{type(broken).__name__}: {broken}")
                return

    def _post(self, connection: http.client.HTTPConnection, record_id: str) -> None:
        body = record(record_id).encode()
        connection.request("POST", "/webhooks/genesys", body, headers_for(self._folder, body))
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 202, content
        self.accepted.append(json.loads(content)["id"])


def set_up(folder: BridgeFolder, erp: Receiver) -> None:
    """As `bridge init` and `bridge db upgrade` do, with the ERP at `erp`."""
    config = initialise(folder.path).config
    text, count = re.subn(r'(kind = "erp"\s+url = )"[^"]+"', rf'\1"{erp.url}/"', config.read_text())
    assert count == 1
    config.write_text(text)
    database = open_database(f"sqlite:///{folder.path}/bridge.db")
    migrate.upgrade(database)
    database.close()


def worker_while_sending(folder: BridgeFolder, erp: Receiver) -> Running:
    """A worker in the middle of a delivery to `erp`."""
    set_up(folder, erp)
    web = folder.start("web")
    folder.wait_ready()
    post(folder, "r-1")
    web.stop()
    worker = folder.start("worker")
    worker.wait_until(lambda: len(erp.requests) == 1, "sending")
    return worker


def post(folder: BridgeFolder, record_id: str) -> None:
    """One webhook, which must be accepted."""
    connection = http.client.HTTPConnection("127.0.0.1", folder.port, timeout=10)
    body = record(record_id).encode()
    connection.request("POST", "/webhooks/genesys", body, headers_for(folder, body))
    assert connection.getresponse().status == 202
    connection.close()


def headers_for(folder: BridgeFolder, body: bytes) -> dict[str, str]:
    source = load_settings({}, working_dir=folder.path).sources["genesys"]
    return {"Content-Type": "application/json", **signed_headers(source, body, SystemClock().now())}


def record(record_id: str) -> str:
    """The body of a webhook that tells of an updated record."""
    return json.dumps(
        {
            "action": "update",
            "schemaName": "InventoryItem",
            "record": {
                "id": record_id,
                "version": 1,
                "modifiedTime": "2026-05-01T10:00:00Z",
                "modifiedBy": {"id": "u-1"},
                "fields": {"sku": "WH-1042", "quantity": 5},
            },
        }
    )


def states(folder: BridgeFolder, record_id: str) -> list[str]:
    """The states of the deliveries about a record, in the order in which they were owed."""
    about = select(DeliveryRow.state).join(EventRow, EventRow.id == DeliveryRow.event_id)
    with opened(folder) as session:
        query = about.where(EventRow.subject == f"record:InventoryItem/{record_id}").order_by(DeliveryRow.id)
        return list(session.scalars(query))


def wait_until(true: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@contextmanager
def opened(folder: BridgeFolder) -> Iterator[Session]:
    database = open_database(f"sqlite:///{folder.path}/bridge.db", pool_size=1)
    with database.read() as session:
        yield session
    database.close()


def get(folder: BridgeFolder, path: str, token: str) -> Any:
    request = urllib.request.Request(f"{folder.url}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def command_line(pid: int) -> list[str]:
    """The arguments that a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
