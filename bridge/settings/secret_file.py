"""Puts a new secret in front of those that a file holds. It may not take one away."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from tempfile import mkstemp

from bridge.errors import ConfigurationError


def new_secret() -> str:
    """32 random bytes as text without blanks or commas."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def put_in_front(path: Path, secret: str) -> None:
    """Write `secret` as the first line of the file, whole or not at all, for its owner alone.

    Raises ConfigurationError, with the file as it was, where that is not possible.
    """
    path = path.resolve()  # what a symbolic link points to, or the link would be lost
    try:
        kept, owner = path.read_text("utf-8"), path.stat()
        descriptor, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(f"{secret}\n{kept}")
                file.flush()
                if os.geteuid() == 0:
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as failed:
        raise ConfigurationError(
            [f"{path}: cannot be written ({failed.strerror}); put a new secret in front of it by hand, or as its owner"]
        ) from failed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
