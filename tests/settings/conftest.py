"""A folder with a bridge.toml, loaded the way that the bridge does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings import Settings, load_settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes its first argument as bridge.toml and loads it under the environment variables given as keywords."""

    def load_text(toml: str = "", *, allow_literals: bool = False, **environ: str) -> Settings:
        (tmp_path / "bridge.toml").write_text(toml, "utf-8")
        return load_settings(environ, allow_literals=allow_literals, working_dir=tmp_path)

    return load_text


@pytest.fixture
def problems(load: Load) -> Problems:
    """Like `load`, but gives the problems, of which there must be at least one."""

    def load_wrong_text(toml: str = "", *, allow_literals: bool = False, **environ: str) -> list[str]:
        with pytest.raises(ConfigurationError) as refused:
            load(toml, allow_literals=allow_literals, **environ)
        return refused.value.problems

    return load_wrong_text
