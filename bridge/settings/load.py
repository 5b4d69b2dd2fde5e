"""Environment + bridge.toml → Settings, with every problem at once. The only reader of os.environ."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError

from bridge.errors import ConfigurationError
from bridge.settings.environment import (
    ENVIRONMENT,
    GENESYS_KEYS,
    genesys_overrides,
    given_variables,
    traces_wanted,
)
from bridge.settings.file import FILE
from bridge.settings.model import Secret, Settings
from bridge.settings.references import Reading, reading
from bridge.settings.section import Section, sentences

#: Where `bridge init` puts the key, beside the configuration; read where BRIDGE_SECRET_KEY is not set.
SECRET_KEY_FILE: Final = "secrets/bridge_secret_key"  # noqa: S105 (where it is, not what)
_SHORT_KEY: Final = 32
_BETWEEN_SECRETS: Final = re.compile(r"[\s,]+")
_LEAST_OF_SEVERAL: Final = 16


def read_settings(*, allow_literals: bool = False) -> Settings:
    """The settings of this process. Raises ConfigurationError as `load_settings` does."""
    return load_settings(os.environ, allow_literals=allow_literals)


def count_together_in(folder: Path) -> None:
    """Let this process and all that it starts keep their numbers in `folder`, as PROMETHEUS_MULTIPROC_DIR would.

    Only before prometheus_client is imported: it looks at its variable once.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def load_settings(environ: Mapping[str, str], *, allow_literals: bool = False, working_dir: Path = Path()) -> Settings:
    """The settings that `environ` and the file that it names give; the file is optional unless named.

    `allow_literals` accepts secrets that stand in the file itself. A relative BRIDGE_CONFIG starts at `working_dir`,
    relative paths within the file start at its own folder. Raises ConfigurationError with one sentence per problem.
    """
    given = given_variables(environ)
    config_path = working_dir / given.get("BRIDGE_CONFIG", "bridge.toml")
    found = _Findings()
    what = Reading(environ=environ, folder=config_path.parent, allow_literals=allow_literals, warnings=found.warnings)
    overriding = {f"genesys.{key}": name for name, key in GENESYS_KEYS.items() if name in given}
    with reading(what):
        from_environment = found.load(ENVIRONMENT, given)
        document = _document(config_path, found, is_named="BRIDGE_CONFIG" in given)
        from_file = {} if document is None else found.load(FILE, _overridden(document, given), overriding)
        secrets = _secret_keys(what, given, found)
    if found.problems:
        raise ConfigurationError(found.problems)
    settings = Settings(
        config_path=config_path,
        **secrets,
        traces=traces_wanted(given),
        **from_environment,
        **from_file,
    )
    return _with_warnings(settings, found.warnings)


@dataclass(frozen=True)
class _Findings:
    """What was found wrong, and what a person should know, while loading."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def load(
        self, section: Section, given: Mapping[str, Any], names: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, Any]:
        """What `section` makes of `given`; `names` holds what a key is called where it is not the file's."""
        try:
            values: dict[str, Any] = section.load(given)
        except ValidationError as invalid:
            self.problems.extend(f"{names.get(key, key)}: {sentence}" for key, sentence in sentences(invalid.messages))
            return {}
        return values


def _document(path: Path, found: _Findings, *, is_named: bool) -> dict[str, Any] | None:
    """The file as TOML gives it, its fractions exact; None where it cannot be had, which is noted."""
    try:
        return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        if not is_named:
            found.warnings.append("bridge.toml: there is none here, so nothing is received; `bridge init` writes one")
            return {}
        found.problems.append("BRIDGE_CONFIG: names a file that is not there; correct it, or run `bridge init`")
    except tomllib.TOMLDecodeError as invalid:
        found.problems.append(f"{path.name}: is not valid TOML: {invalid}")
    except (OSError, ValueError):  # ValueError: not UTF-8, or a path that cannot be one
        found.problems.append(f"{path.name}: cannot be read as UTF-8 text; check what it is and whose it is")
    return None


def _overridden(document: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    overrides = genesys_overrides(given)
    section = document.get("genesys", {})
    if not overrides or not isinstance(section, dict):
        return document
    return {**document, "genesys": {**section, **overrides}}


def _secret_keys(what: Reading, given: Mapping[str, str], found: _Findings) -> dict[str, Any]:
    """What `Settings` says of BRIDGE_SECRET_KEY; nothing where there is none."""
    reference = given.get("BRIDGE_SECRET_KEY")
    if reference is None:
        if not (what.folder / SECRET_KEY_FILE).exists():
            return {}
        reference = f"file:{SECRET_KEY_FILE}"
    is_path = reference.startswith("file:")
    try:
        first, *older = _separated(what.secret(reference if is_path else "env:BRIDGE_SECRET_KEY"))
    except ValidationError as invalid:
        found.problems.extend(f"BRIDGE_SECRET_KEY: {sentence}" for _, sentence in sentences(invalid.messages))
        return {}
    return {
        "secret_key": Secret(first),
        "older_secret_keys": tuple(Secret(one) for one in older),
        "secret_key_file": what.folder / reference.removeprefix("file:") if is_path else None,
    }


def _separated(text: str) -> list[str]:
    """The secrets in `text`, each once: one per line, or with blanks or commas between them."""
    several = [one.strip() for one in text.splitlines() if one.strip()]
    if len(several) < 2:
        several = [one for one in _BETWEEN_SECRETS.split(text) if one]
        # Else it is one secret with blanks or commas in it, as people choose them.
        several = several if all(len(one) >= _SHORT_KEY for one in several) else []
    elif any(len(one) < _LEAST_OF_SEVERAL for one in several):
        raise ValidationError(
            f"holds several secrets, one per line, and one has fewer than {_LEAST_OF_SEVERAL} characters; "
            "a single secret must be one line"
        )
    return list(dict.fromkeys(several)) if len(several) > 1 else [text]


def _with_warnings(settings: Settings, noticed: list[str]) -> Settings:
    """`settings` with everything that checks but that a person should know."""
    warnings = [*noticed]
    for source in settings.sources.values():
        if source.verify.scheme == "none":
            warnings.append(f"sources.{source.name}: accepts requests from anybody, unverified")
    if settings.secret_key and len(settings.secret_key.reveal()) < _SHORT_KEY:
        warnings.append(f"BRIDGE_SECRET_KEY: is shorter than {_SHORT_KEY} characters; `bridge init` makes a good one")
    if settings.genesys.client_secret:
        for key in ("api_url", "login_url"):
            url = urlsplit(getattr(settings.genesys, key) or "")
            if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
                warnings.append(f"genesys.{key}: is plain http://, so the client secret can be read on the way")
    return replace(settings, warnings=tuple(dict.fromkeys(warnings)))
