"""gunicorn's own lines, in the format of all others. It may not log anything itself."""

from __future__ import annotations

import os

from gunicorn.config import Config
from gunicorn.glogging import Logger

from bridge.privacy.masking import Masking
from bridge.settings.model import Settings
from bridge.telemetry.logs import configure_logs


class SharedLogger(Logger):
    """Hands gunicorn's lines to the root logger instead of writing them by itself."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def configure_parent_logs(settings: Settings) -> None:
    """For the process that only starts others; each of them configures its own when it makes the app."""
    configure_logs(settings, Masking(settings.personal, os.urandom(32)))
