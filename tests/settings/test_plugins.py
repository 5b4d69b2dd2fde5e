"""Kinds and formats of installed packages are known by their entry points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.settings import kinds
from tests.settings.conftest import Load, Problems

TOML = (
    '[sources.s]\nformat = "acme-json"\nverify = { scheme = "none" }\nallow_unverified = true\n'
    '[destinations.d]\nkind = "acme"\nevents = ["anything.at.all"]\n'
)


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with entry points on the path, as pip would leave it."""
    metadata = tmp_path / "site" / "acme-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[bridge.destinations]\nacme = acme:Destination\n[bridge.formats]\nacme-json = acme:read\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    kinds.plugin_kinds.cache_clear()
    kinds.plugin_formats.cache_clear()
    yield
    kinds.plugin_kinds.cache_clear()
    kinds.plugin_formats.cache_clear()


@pytest.mark.usefixtures("_installed")
def test_an_installed_kind_and_format_check(load: Load) -> None:
    settings = load(TOML)
    assert settings.destinations["d"].kind == "acme"
    assert settings.sources["s"].format == "acme-json"


def test_without_the_package_they_are_unknown(problems: Problems) -> None:
    assert [line.split(":")[0] for line in problems(TOML)] == ["sources.s.format", "destinations.d.kind"]
