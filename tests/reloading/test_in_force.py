"""What a program does about an edited file, once it was checked."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from sqlalchemy import text

from bridge.database import open_database
from bridge.reloading.in_force import InForce
from bridge.reloading.presence import FOLDER, present
from bridge.settings import Settings, initialise, read_settings
from bridge.wiring import Wiring, wire
from tests.outbox.yard import actions


@pytest.fixture
def in_force(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> InForce:
    """Of a worker in a folder that is set up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    initialise(tmp_path)
    return InForce("worker", read_settings)


@pytest.fixture
def no_more_files() -> Callable[[], AbstractContextManager[None]]:
    """While it is open, this process may open no file."""

    @contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return limited


def edit(folder: Path) -> None:
    config = folder / "bridge.toml"
    config.write_text(config.read_text().replace('kind = "crm"\n', 'kind = "crm"\ntimeout = 3\n'))


def wired(settings: Settings) -> Wiring:
    """Without destinations: they would listen in this process."""
    return wire(replace(settings, destinations=MappingProxyType({})))


def test_a_reload_is_audited_once_it_works_and_only_then(in_force: InForce, tmp_path: Path) -> None:
    edit(tmp_path)
    assert in_force.renew()
    assert in_force.settings.destinations["crm"].timeout == 3
    bridge = wired(in_force.settings)
    in_force.settle(bridge)
    in_force.settle(bridge)
    assert actions(bridge.database) == ["config.reloaded"]
    bridge.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_later_reload_does_not_tell_again_what_a_child_has_settled(in_force: InForce, tmp_path: Path) -> None:
    in_force.sign_in()
    bridge = wired(in_force.settings)
    edit(tmp_path)
    for told in (["destinations.crm.timeout"], []):  # the second time nothing has changed
        assert in_force.renew()
        copy(in_force).settle(bridge)  # as gunicorn's child does, on its own copy of what its parent knows
        (seen,) = present(in_force.settings.config_path.parent)
        assert seen.changed == told
    in_force.leave()
    bridge.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_works_works_though_the_audit_cannot_be_written(in_force: InForce, tmp_path: Path) -> None:
    edit(tmp_path)
    in_force.sign_in()
    assert in_force.renew()
    bridge = wired(in_force.settings)
    other = open_database(in_force.settings.database_url)
    with other.write() as session:
        session.execute(text("DROP TABLE audit_entry"))
    in_force.settle(bridge)
    (told,) = present(in_force.settings.config_path.parent)
    assert (told.result, told.changed) == ("applied", ["destinations.crm.timeout"])
    in_force.leave()
    other.close()
    bridge.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reload_goes_on_though_its_result_has_nowhere_to_be_told(in_force: InForce, tmp_path: Path) -> None:
    """Whatever left `renew` or `settle` would end gunicorn, and all that it serves."""
    in_force.sign_in()
    for file in (tmp_path / FOLDER).iterdir():
        file.unlink()
    (tmp_path / FOLDER).rmdir()
    edit(tmp_path)
    assert in_force.renew()
    bridge = wired(in_force.settings)
    in_force.settle(bridge)
    assert actions(bridge.database) == ["config.reloaded"]
    bridge.close()
    config = tmp_path / "bridge.toml"
    config.write_text("nonsense")
    assert not in_force.renew()
    in_force.leave()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_no_process_can_be_started_to_check_is_refused(
    in_force: InForce, tmp_path: Path, no_more_files: Callable[[], AbstractContextManager[None]]
) -> None:
    edit(tmp_path)
    with no_more_files():
        assert not in_force.renew()
    assert in_force.settings.destinations["crm"].timeout != 3
