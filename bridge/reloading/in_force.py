"""The settings that a program works with, and how an edited file takes their place. It may not wire anything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.notes import AuditEntry
from bridge.errors import ConfigurationError
from bridge.privacy.key_ring import fingerprint
from bridge.reloading.presence import Presence
from bridge.settings.changes import changed_keys
from bridge.settings.model import Settings
from bridge.wiring import Wiring

_CHECK_SECONDS = 60
#: In a process of its own: whatever a check opens, connects or leaves behind, this one works on undisturbed.
_CHECK = (sys.executable, "-m", "bridge.cli", "check", "--json")

log = structlog.get_logger()


class InForce:
    """The settings of one program, `web` or `worker`; `renew` after a SIGHUP, `settle` once the new ones work.

    `read` reads them as the program did at its start.
    """

    def __init__(self, program: str, read: Callable[[], Settings]) -> None:
        self.settings = read()
        self._program = program
        self._read = read
        self._presence: Presence | None = None
        #: Keys that the file which is being applied has changed; None: nothing is being applied.
        self._changed: Sequence[str] | None = None
        #: How many reloads had been told of when the newest was begun.
        self._told = 0

    def sign_in(self) -> None:
        """Let `bridge reload` find this process; where the folder may not be written, SIGHUP still does."""
        try:
            self._presence = Presence.sign_in(
                self.settings.config_path.parent, self._program, secret=_secret_of(self.settings)
            )
        except OSError as failed:
            log.warning("reload.not_found_here", program=self._program, error=failed.strerror)

    def leave(self) -> None:
        if self._presence is not None:
            self._presence.leave()
            self._presence = None

    def renew(self) -> bool:
        """Put the edited file in force; False where it does not check: then the old settings stay, and it is said."""
        problems = check_file()
        if not problems:
            try:
                new = self._read()
            except ConfigurationError as wrong:  # it was edited once more since it was checked
                problems = wrong.problems
        if problems:
            log.error("config.refused", program=self._program, problems=problems)
            self._report(problems=problems)
            return False
        told = self._reloads()
        if told != self._told:  # gunicorn's child has settled the one before; its parent does not see that
            self._changed, self._told = None, told
        # Two reloads may come before the first has settled.
        self._changed = sorted({*(self._changed or ()), *changed_keys(self.settings, new)})
        self.settings = new
        return True

    def settle(self, wiring: Wiring) -> None:
        """Say that the new settings work now, in the audit, in the log and to `bridge reload`; else do nothing.

        They work whether or not the audit can be written to right now: then the log has it alone.
        """
        changed, self._changed = self._changed, None
        if changed is None:
            return
        details = {"program": self._program, "changed": list(changed)}
        entry = AuditEntry(actor=self._program, action="config.reloaded", subject="config", details=details)
        try:
            with wiring.database.write() as session:
                wiring.notes.write(session, [entry], wiring.clock.now())
        except SQLAlchemyError as away:
            log.error("config.reloaded_unaudited", program=self._program, error=type(away).__name__)
        log.info("config.reloaded", program=self._program, changed=list(changed))
        self._report(changed=changed)

    def _reloads(self) -> int:
        """How many have been told of, by this process or by a child of it."""
        try:
            return self._told if self._presence is None else self._presence.now.reloads
        except OSError:
            return self._told

    def _report(self, *, problems: Sequence[str] = (), changed: Sequence[str] = ()) -> None:
        """Tell `bridge reload`, where that can be done: gunicorn ends at once with whatever is raised in its hooks."""
        if self._presence is None:
            return
        try:
            secret = "" if problems else _secret_of(self.settings)
            self._presence.report(problems=problems, changed=changed, secret=secret)
        except OSError as failed:
            log.warning("reload.not_told", program=self._program, error=failed.strerror)


def _secret_of(settings: Settings) -> str:
    return "" if settings.secret_key is None else fingerprint(settings.secret_key.reveal().encode())


def check_file() -> list[str]:
    """What stands against starting with the file as it is now, a sentence each, as `bridge check` says it."""
    try:
        done = subprocess.run(_CHECK, capture_output=True, timeout=_CHECK_SECONDS, check=False)  # noqa: S603 (ours)
        problems: list[str] = orjson.loads(done.stdout)["problems"]
    except (OSError, subprocess.TimeoutExpired, orjson.JSONDecodeError):
        return ["bridge.toml: could not be checked; `bridge check` may say why"]
    return problems
