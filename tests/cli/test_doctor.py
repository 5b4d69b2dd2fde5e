"""`bridge doctor` against planted faults: each is named, with its state and a way out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import text

from bridge import migrate
from bridge.clock import SystemClock
from bridge.database import Database, open_database
from bridge.doctor import storage
from bridge.doctor.examination import examine
from bridge.doctor.finding import Finding
from bridge.privacy.key_ring import KeyRing
from bridge.privacy.vault import Vault
from bridge.settings.model import (
    DestinationSettings,
    GenesysSettings,
    Secret,
    ServerSettings,
    Settings,
    SourceSettings,
    VerifySettings,
)
from tests.cli.faults import KEY, edit_an_entry, event, now, owe, seal_three, state
from tests.destinations.certificates import make_authority
from tests.journeys.site import configuration, site
from tests.processes import BridgeFolder, free_port
from tests.receivers import Answer, Receiver

SOURCE = SourceSettings(
    name="genesys", format="genesys", verify=VerifySettings(scheme="hub-sha256", secrets=(Secret("a secret"),))
)
ENOUGH = 10 * 1024**3


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def healthy(database_url: str, receiver: Receiver) -> Settings:
    """Settings that no check finds anything wrong with."""
    erp = DestinationSettings(name="erp", kind="erp", url=receiver.url, allow_local=True)
    return Settings(
        database_url=database_url,
        secret_key=Secret(KEY),
        sources=MappingProxyType({"genesys": SOURCE}),
        destinations=MappingProxyType({"erp": erp}),
        host="127.0.0.1",
        port=free_port(),
        allow_unsafe_database=not database_url.startswith("sqlite"),
    )


def examined(settings: Settings, *, free: int = ENOUGH, mounts: str = "/dev/sda1 / ext4 rw 0 0\n") -> list[Finding]:
    return list(examine(settings, SystemClock(), free_bytes=lambda _: free, mounts=mounts))


def named(findings: list[Finding], check: str, state: str) -> Finding:
    """The one finding of `check`, which is in `state`, and everything else is ok."""
    wrong = [one for one in findings if one.state != "ok" and one.check != "durability"]
    assert [(one.check, one.state) for one in wrong] == [(check, state)], wrong
    assert wrong[0].remedy
    return wrong[0]


def with_destination(settings: Settings, **changes: Any) -> Settings:
    erp = replace(settings.destinations["erp"], **changes)
    return replace(settings, destinations=MappingProxyType({"erp": erp}))


sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_healthy_bridge_has_nothing_but_ok_and_no_request_is_sent(healthy: Settings, receiver: Receiver) -> None:
    found = examined(healthy)
    assert [one for one in found if one.state != "ok" and one.check != "durability"] == []
    assert len({one.check for one in found}) >= 15
    assert receiver.requests == []


@sqlite_only
@pytest.mark.parametrize(
    ("key", "state"), [(None, "fail"), ("short", "fail"), ("ab" * 40, "fail"), ("twenty-characters-ok", "warn")]
)
def test_a_key_that_is_missing_or_can_be_guessed(healthy: Settings, key: str | None, state: str) -> None:
    named(examined(replace(healthy, secret_key=Secret(key) if key else None)), "secret-key", state)


@sqlite_only
def test_a_source_that_anybody_may_post_to(healthy: Settings) -> None:
    anybody = replace(SOURCE, verify=VerifySettings(scheme="none"), allow_unverified=True)
    found = examined(replace(healthy, sources=MappingProxyType({"genesys": anybody})))
    assert "genesys" in named(found, "sources-verified", "warn").found


@sqlite_only
def test_a_destination_whose_settings_cannot_be_used(healthy: Settings) -> None:
    found = examined(with_destination(healthy, transform="not [ jmespath"))
    assert "destinations.erp.transform" in named(found, "configuration", "fail").found


def test_a_database_that_does_not_answer(healthy: Settings) -> None:
    nobody = f"postgresql://nobody@127.0.0.1:{free_port()}/bridge"
    named(examined(replace(healthy, database_url=nobody)), "database", "fail")


@sqlite_only
def test_a_database_that_was_never_made_is_not_made(healthy: Settings, tmp_path: Path) -> None:
    named(examined(replace(healthy, database_url=f"sqlite:///{tmp_path / 'none.db'}")), "database", "fail")
    assert not (tmp_path / "none.db").exists()


@sqlite_only
def test_a_sqlite_on_a_network_filesystem(healthy: Settings, tmp_path: Path) -> None:
    mounts = f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path.parent} nfs4 rw 0 0\n"
    assert "nfs4" in named(examined(healthy, mounts=mounts), "filesystem", "fail").found


@sqlite_only
@pytest.mark.parametrize(("free", "state"), [(1024, "fail"), (1024**3, "warn")])
def test_a_disk_that_is_full_or_nearly(healthy: Settings, free: int, state: str) -> None:
    named(examined(healthy, free=free), "disk-space", state)


def test_a_sqlite_with_the_bug() -> None:
    assert storage.sqlite_version((3, 40, 1)).state == "warn"
    assert storage.sqlite_version((3, 53, 0)).state == "ok"


@sqlite_only
def test_a_database_of_an_older_version(healthy: Settings, tmp_path: Path) -> None:
    old = replace(healthy, database_url=f"sqlite:///{tmp_path / 'old.db'}")
    database = open_database(old.database_url)
    migrate.upgrade(database, to="0003")
    database.close()
    assert named(examined(old), "migrations", "fail").remedy == "bridge db upgrade"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_postgresql_that_loses_commits(healthy: Settings, database: Database) -> None:
    name = database.engine.url.database
    with database.write() as session:
        session.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    [found] = [one for one in examined(replace(healthy, allow_unsafe_database=False)) if one.check == "durability"]
    assert (found.state, found.remedy is not None) == ("fail", True)


def test_a_worker_that_does_not_work(healthy: Settings, database: Database) -> None:
    owe(database, due_minutes_ago=10)
    named(examined(healthy), "worker", "fail")


def test_what_waits_for_a_paused_destination_is_no_stall(healthy: Settings, database: Database) -> None:
    owe(database, due_minutes_ago=10)
    state(database, paused_at=now(), paused_reason="maintenance until six")
    assert "maintenance until six" in named(examined(healthy), "paused", "warn").found


@pytest.mark.parametrize(("most", "state"), [(1, "fail"), (3, "warn")])
def test_a_backlog_that_is_too_long(healthy: Settings, database: Database, most: int, state: str) -> None:
    owe(database, count=3)
    named(examined(replace(healthy, server=ServerSettings(max_backlog=most))), "backlog", state)


def test_dead_letters_and_a_lane_that_one_of_them_blocks(healthy: Settings, database: Database) -> None:
    owe(database, count=2, dead_head=True)
    wrong = [one for one in examined(healthy) if one.state == "warn" and one.check != "durability"]
    assert {one.check for one in wrong} == {"dead-letters", "blocked-lanes"}
    assert all("erp" in one.found for one in wrong)


def test_an_open_breaker(healthy: Settings, database: Database) -> None:
    state(database, open_until=now() + timedelta(minutes=5))
    named(examined(healthy), "breakers", "warn")


def test_a_clock_that_was_ahead(healthy: Settings, database: Database) -> None:
    event(database, received_at=now() + timedelta(hours=2))
    named(examined(healthy), "clock", "fail")


def test_an_audit_entry_that_was_edited(healthy: Settings, database: Database) -> None:
    seal_three(database)
    assert next(one for one in examined(healthy) if one.check == "audit-chain").state == "ok"
    edit_an_entry(database)
    assert "edited" in named(examined(healthy), "audit-chain", "fail").found


@pytest.mark.parametrize(("older", "state"), [((), "fail"), ((Secret("an old secret, long enough"),), "warn")])
def test_what_is_kept_needs_a_secret_of_before(
    healthy: Settings, database: Database, older: tuple[Secret, ...], state: str
) -> None:
    with database.write() as session:
        Vault(KeyRing([b"an old secret, long enough"])).keys(session, {"conversation:c"}, now=now())
    named(examined(replace(healthy, older_secret_keys=older)), "keys", state)


def test_a_source_that_has_fallen_silent(healthy: Settings, database: Database) -> None:
    event(database, received_at=now() - timedelta(hours=3))
    expected = replace(SOURCE, expect_every=timedelta(hours=1))
    found = examined(replace(healthy, sources=MappingProxyType({"genesys": expected})))
    assert "silent since" in named(found, "sources-heard", "warn").found


@sqlite_only
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1/", "refused"),
        ("http://no-such-host.invalid/", "cannot be resolved"),
        ("http://169.254.169.254/latest/", "forbidden address"),
    ],
)
def test_a_destination_that_cannot_be_reached(healthy: Settings, url: str, told: str) -> None:
    assert told in named(examined(with_destination(healthy, url=url)), "destination erp", "fail").found


@sqlite_only
def test_a_destination_whose_certificate_nobody_knows(healthy: Settings, tmp_path: Path) -> None:
    with Receiver(tls=make_authority(tmp_path).server("127.0.0.1")) as strange:
        found = named(examined(with_destination(healthy, url=strange.url)), "destination erp", "fail")
    assert "certificate" in found.found
    assert "ca_bundle" in (found.remedy or "")


@sqlite_only
def test_credentials_that_genesys_does_not_accept(healthy: Settings) -> None:
    with Receiver(lambda _: Answer(401, {}, b'{"error":"invalid_client"}')) as genesys:
        organisation = GenesysSettings(
            api_url=genesys.url, login_url=genesys.url, client_id="c", client_secret=Secret("wrong-secret-value")
        )
        found = named(examined(replace(healthy, genesys=organisation)), "genesys", "fail")
    assert "GENESYS_CLIENT_ID" in (found.remedy or "")
    assert "wrong-secret-value" not in repr(found)


@sqlite_only
def test_a_port_that_somebody_else_listens_on(healthy: Settings, receiver: Receiver) -> None:
    named(examined(replace(healthy, port=receiver.port)), "port", "fail")


@sqlite_only
def test_the_command_says_it_all_and_ends_with_1_where_something_fails(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    with site(tmp_path, database_url, configuration(receiver, receiver)) as bridge:
        assert bridge.run("doctor").code == 0
        bridge.start("web")
        bridge.wait_ready()
        [port] = [one for one in report(bridge, code=0) if one["check"] == "port"]
        assert "our web process answers" in port["found"]
        receiver.stop()
        told = bridge.run("doctor")
        assert told.code == 1
        assert "fail  destination erp" in told.stdout
        assert "→ check that the receiver runs" in told.stdout


@sqlite_only
def test_the_command_names_secrets_that_are_missing_or_open_to_others(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    text = configuration(receiver, receiver).replace("env:SIGNING_SECRET", "file:signing")
    with site(tmp_path, database_url, text) as bridge:
        (tmp_path / "signing").write_text(bridge.environment["SIGNING_SECRET"])
        (tmp_path / "signing").chmod(0o644)
        [found] = [one for one in report(bridge, code=0) if one["check"] == "secrets"]
        assert (found["state"], found["remedy"]) == ("warn", "chmod 600 signing")
        del bridge.environment["WEBHOOK_SECRET"]
        [found] = report(bridge, code=1)
        assert (found["check"], found["state"]) == ("secrets", "fail")
        assert "WEBHOOK_SECRET" in found["found"]


def report(bridge: BridgeFolder, *, code: int) -> list[dict[str, Any]]:
    done = bridge.run("doctor", "--json")
    assert done.code == code, done
    told = json.loads(done.stdout)
    assert told["ok"] is (code == 0)
    findings: list[dict[str, Any]] = told["findings"]
    return findings
