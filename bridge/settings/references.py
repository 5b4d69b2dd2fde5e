"""Turns `env:NAME` and `file:path` into the secret that they name. It may not let a secret reach a message.

While a configuration is read, the fields find what they resolve against in a context variable: schemas are built once
and so cannot be handed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from marshmallow import ValidationError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_READABLE_BY_OTHERS = 0o077


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one reading of a configuration resolves references against, and what it noticed on the way."""

    environ: Mapping[str, str]
    #: Relative paths of the file start here: the folder that the file is in.
    folder: Path
    #: Accept a secret that stands in the file itself.
    allow_literals: bool
    warnings: list[str] = field(default_factory=list)

    def secret(self, reference: object) -> str:
        """The text that `reference` names; never empty. Raises ValidationError with a sentence, never the secret."""
        if not isinstance(reference, str):
            raise ValidationError('must be text: "env:NAME" or "file:path"')
        if reference.startswith("env:"):
            return self._from_environment(reference.removeprefix("env:"))
        if reference.startswith("file:"):
            return self.from_file(reference.removeprefix("file:"))
        if not self.allow_literals:
            raise ValidationError('holds the secret itself; keep it elsewhere and say "env:NAME" or "file:path"')
        if not reference.strip():
            raise ValidationError('is empty; say "env:NAME" or "file:path"')
        return reference

    def from_file(self, path: str) -> str:
        """The text of the file at `path` without the newline at its end; warns where others may read it."""
        full = self.folder / path
        try:
            others_read = full.stat().st_mode & _READABLE_BY_OTHERS
            text = full.read_text("utf-8").rstrip("\r\n")
        except FileNotFoundError:
            raise ValidationError(
                "names a file that is not there; relative paths start at the configuration's folder"
            ) from None
        except (OSError, ValueError) as unreadable:  # ValueError: not UTF-8, or a path that cannot be one
            raise ValidationError(
                "names a file that cannot be read as UTF-8 text; check what it is and whose it is"
            ) from unreadable
        if not text.strip():
            raise ValidationError("names an empty file; write the secret into it")
        if others_read:
            self.warnings.append(f"secret file {full}: others than its owner may use it; `chmod 600` it")
        return text

    def _from_environment(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValidationError('must name one environment variable after "env:", like "env:ERP_TOKEN"')
        text = self.environ.get(name)
        if text is None:
            raise ValidationError(f"names the environment variable {name}, which is not set; set it")
        if not text.strip():
            raise ValidationError(f"names the environment variable {name}, which is empty; give it a value")
        return text


_reading: ContextVar[Reading] = ContextVar("bridge_settings_reading")


@contextmanager
def reading(what: Reading) -> Iterator[Reading]:
    """Let the fields resolve against `what` inside the block."""
    token = _reading.set(what)
    try:
        yield what
    finally:
        _reading.reset(token)


def current_reading() -> Reading:
    """The reading that is going on in this context; LookupError where there is none."""
    return _reading.get()
