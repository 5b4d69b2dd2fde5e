"""Which keys an edited file has changed, and never what to."""

from __future__ import annotations

from pathlib import Path

from bridge.settings import load_settings
from bridge.settings.changes import changed_keys
from bridge.settings.model import Settings

BEFORE = """
[server]
max_backlog = 100
[sources.a]
format = "genesys"
verify = { scheme = "hub-sha256", secrets = ["env:A"] }
[destinations.erp]
kind = "erp"
url = "https://erp.example.com/"
[privacy]
personal = ["x"]
"""


def read(folder: Path, text: str, secret: str = "one") -> Settings:
    (folder / "bridge.toml").write_text(text)
    return load_settings({"A": secret, "BRIDGE_SECRET_KEY": secret}, working_dir=folder)


def test_the_same_file_has_changed_nothing(tmp_path: Path) -> None:
    assert changed_keys(read(tmp_path, BEFORE), read(tmp_path, BEFORE + "\n# a comment\n")) == []


def test_each_key_that_differs_is_named_as_in_the_file(tmp_path: Path) -> None:
    after = BEFORE.replace("100", "200").replace('["x"]', '["y"]') + '[genesys]\nregion = "mypurecloud.de"\n'
    after = after.replace('kind = "erp"\n', 'kind = "erp"\nretry = { cap = 60 }\n')
    assert changed_keys(read(tmp_path, BEFORE), read(tmp_path, after)) == [
        "destinations.erp.retry.cap",
        "genesys.region",
        "privacy.personal",
        "server.max_backlog",
    ]


def test_a_part_that_came_or_went_is_named_once(tmp_path: Path) -> None:
    after = BEFORE.replace("[destinations.erp]", "[destinations.sap]")
    assert changed_keys(read(tmp_path, BEFORE), read(tmp_path, after)) == ["destinations.erp", "destinations.sap"]


def test_a_secret_that_was_rotated_is_seen_though_the_file_says_the_same(tmp_path: Path) -> None:
    old, new = read(tmp_path, BEFORE), read(tmp_path, BEFORE, secret="two")
    assert changed_keys(old, new) == ["BRIDGE_SECRET_KEY", "sources.a.verify.secrets"]
