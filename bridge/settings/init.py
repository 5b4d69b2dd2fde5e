"""Writes a first configuration with generated secrets. It may not overwrite anything."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from bridge.errors import ConfigurationError
from bridge.settings.load import SECRET_KEY_FILE

CONFIG_FILE: Final = "bridge.toml"
#: The secrets that the example configuration refers to, besides the bridge's own key.
_SIGNING_SECRETS: Final = ("erp_signing_secret", "crm_signing_secret")
_TOKENS: Final = ("genesys_webhook_secret", "erp_token", "crm_token")


@dataclass(frozen=True, kw_only=True)
class InitialFiles:
    """What `initialise` wrote."""

    config: Path
    #: Path by the secret's name: `bridge_secret_key`, `genesys_webhook_secret`, …
    secrets: Mapping[str, Path]


def initialise(folder: Path) -> InitialFiles:
    """Write a commented bridge.toml into `folder`, and its secrets into `secrets/` for their owner alone.

    `folder` is made where it is missing. Raises ConfigurationError, with nothing written, where one of the files is
    there already or cannot be written.
    """
    key_file = folder / SECRET_KEY_FILE
    contents = {key_file: base64.urlsafe_b64encode(os.urandom(32)).decode()}
    for name in _TOKENS:
        contents[key_file.with_name(name)] = secrets.token_urlsafe(32)
    for name in _SIGNING_SECRETS:
        contents[key_file.with_name(name)] = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    config = folder / CONFIG_FILE
    _refuse_to_overwrite([config, *contents])
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key_file.parent.mkdir(mode=0o700, exist_ok=True)
        for path, text in contents.items():
            _write_new(path, text + "\n", 0o600, written)
        # Last: where the configuration is there, so is everything that it refers to.
        _write_new(config, files(__package__).joinpath("example.toml").read_text("utf-8"), 0o644, written)
    except OSError as failed:
        for path in written:
            path.unlink()
        raise ConfigurationError(
            [f"{failed.filename or folder}: cannot be written ({failed.strerror}); nothing was kept"]
        ) from failed
    return InitialFiles(config=config, secrets={path.name: path for path in contents})


def _refuse_to_overwrite(paths: list[Path]) -> None:
    existing = [path for path in paths if path.exists() or path.is_symlink()]
    if existing:
        raise ConfigurationError(
            f"{path}: is there already and is never overwritten; move it away, or use it as it is" for path in existing
        )


def _write_new(path: Path, text: str, mode: int, written: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    written.append(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
