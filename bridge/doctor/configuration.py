"""The configuration and the secrets: do they suffice to start, and can they be kept. It may not open the database."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.clock import SystemClock
from bridge.doctor.finding import Finding, fail, ok, warn
from bridge.errors import ConfigurationError
from bridge.intake.sources import build_source
from bridge.settings.model import Settings
from bridge.wiring import wire

#: Shorter keys, or keys of fewer different characters, can be guessed.
SHORT_KEY, LONG_ENOUGH_KEY, LEAST_VARIETY = 16, 32, 8
_SECRET_FILE = "secret file "  # noqa: S105 (how such a warning of the settings begins)
_SECRET_PROBLEMS = ("names the environment variable", "names a file that", "names an empty file", "holds the secret")
_KEY_REMEDY = "run `bridge init` in an empty folder and take its key, or set BRIDGE_SECRET_KEY to 32 random bytes"


def unreadable(wrong: ConfigurationError) -> Iterator[Finding]:
    """What keeps the settings from being read."""
    for problem in wrong.problems:
        about_a_secret = any(words in problem for words in _SECRET_PROBLEMS)
        yield fail("secrets" if about_a_secret else "configuration", problem, "correct it, then `bridge check`")


def configuration(settings: Settings) -> Iterator[Finding]:
    """Whether everything that `settings` name can be put together. `settings` have a key."""
    problems: list[str] = []
    for source in settings.sources.values():
        try:
            build_source(source, SystemClock())
        except ConfigurationError as wrong:
            problems += wrong.problems
    try:
        wire(settings).close()
    except ConfigurationError as wrong:
        problems += wrong.problems
    for problem in problems:
        yield fail("configuration", problem, "correct it, then `bridge check`")
    for warning in settings.warnings:
        if not warning.startswith((_SECRET_FILE, "BRIDGE_SECRET_KEY", "sources.")):
            yield warn("configuration", warning, "correct it where it is not what you want")
    if not problems:
        count = f"{len(settings.sources)} sources, {len(settings.destinations)} destinations"
        yield ok("configuration", f"{settings.config_path} checks: {count}")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Everything that is referred to was found when the settings were read; here: who else may read it."""
    open_files = [warning for warning in settings.warnings if warning.startswith(_SECRET_FILE)]
    for warning in open_files:
        file, _, found = warning.removeprefix(_SECRET_FILE).partition(": ")
        yield warn("secrets", f"{file}: {found.partition(';')[0]}", f"chmod 600 {file}")
    if not open_files:
        yield ok("secrets", "every secret that the configuration names is there, and only its owner may read its file")


def secret_key(settings: Settings) -> Iterator[Finding]:
    if settings.secret_key is None:
        yield fail("secret-key", "BRIDGE_SECRET_KEY is not set: web and worker do not start", _KEY_REMEDY)
        return
    key = settings.secret_key.reveal()
    if len(key) < SHORT_KEY or len(set(key)) < LEAST_VARIETY:
        yield fail("secret-key", "BRIDGE_SECRET_KEY can be guessed: it is too short or too uniform", _KEY_REMEDY)
    elif len(key) < LONG_ENOUGH_KEY:
        yield warn("secret-key", f"BRIDGE_SECRET_KEY is shorter than {LONG_ENOUGH_KEY} characters", _KEY_REMEDY)
    else:
        yield ok("secret-key", "BRIDGE_SECRET_KEY is set and long enough")


def unverified_sources(settings: Settings) -> Iterator[Finding]:
    found = [one for one in settings.sources.values() if one.verify.scheme == "none"]
    for source in found:
        yield warn(
            "sources-verified",
            f"source {source.name} accepts requests from anybody"
            + (" in its allow_from" if source.allow_from else ", from anywhere"),
            f"set sources.{source.name}.verify.scheme, at least an api-key",
        )
    if not settings.sources:
        yield warn("sources-verified", "there is no source: nothing is received", "`bridge init` writes an example")
    elif not found:
        yield ok("sources-verified", "every source verifies its sender")
