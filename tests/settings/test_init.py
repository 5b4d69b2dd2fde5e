"""What `bridge init` writes: a configuration that works as it is, and secrets for their owner alone."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings import initialise, load_settings


def test_what_is_written_loads_without_a_problem_or_a_warning(tmp_path: Path) -> None:
    written = initialise(tmp_path / "new" / "folder")
    settings = load_settings({}, working_dir=written.config.parent)
    assert settings.warnings == ()
    assert settings.config_path == written.config
    assert settings.sources["genesys"].verify.scheme == "hub-sha256"
    assert [d.allow_local for d in settings.destinations.values()] == [True, True]
    assert list(settings.schemas) == ["InventoryItem"]
    assert settings.secret_key is not None
    assert settings.secret_key.reveal() == written.secrets["bridge_secret_key"].read_text().strip()


def test_every_key_that_is_commented_out_checks_when_it_is_taken_in(tmp_path: Path) -> None:
    config = initialise(tmp_path).config
    (tmp_path / "ca.pem").touch()
    active, count = re.subn(r"^#(?=\S)", "", config.read_text("utf-8"), flags=re.MULTILINE)
    config.write_text(active, "utf-8")
    assert count > 30
    settings = load_settings({"GENESYS_CLIENT_SECRET": "s"}, working_dir=tmp_path)
    assert settings.alerts.destination == "audience"
    assert settings.genesys.region == "mypurecloud.de"
    assert len(settings.legal_holds) == 1


def test_secrets_are_different_each_time_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    first, second = initialise(tmp_path / "a"), initialise(tmp_path / "b")
    texts = [path.read_text() for written in (first, second) for path in written.secrets.values()]
    assert len(set(texts)) == len(texts) == 12
    assert {stat.S_IMODE(path.stat().st_mode) for path in first.secrets.values()} == {0o600}
    assert stat.S_IMODE((tmp_path / "a" / "secrets").stat().st_mode) == 0o700
    assert not any(text.strip() in first.config.read_text() for text in texts)


@pytest.mark.parametrize("name", ["bridge.toml", "secrets/bridge_secret_key", "secrets/crm_token"])
def test_nothing_is_overwritten_and_nothing_is_left_half_done(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.parent.mkdir(exist_ok=True)
    there.write_text("mine")
    with pytest.raises(ConfigurationError, match="never overwritten") as refused:
        initialise(tmp_path)
    assert name in str(refused.value)
    assert there.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [there]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=r"secrets.*cannot be written"):
        initialise(tmp_path)
    assert not (tmp_path / "bridge.toml").exists()
