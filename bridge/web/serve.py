"""Serves the app until a signal says to stop. It may not read the environment."""

from __future__ import annotations

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.errors import AppImportError
from sqlalchemy.exc import DBAPIError

from bridge.app import create_app
from bridge.errors import BridgeError
from bridge.reloading.in_force import InForce
from bridge.settings.model import Settings
from bridge.web.logs import configure_parent_logs
from bridge.web.options import gunicorn_options


def run_web(in_force: InForce) -> None:
    """Serve in this process and its children; raises SystemExit with the exit code when it has been stopped."""
    configure_parent_logs(in_force.settings)
    _Gunicorn(in_force).run()


def make_app(settings: Settings) -> Flask:
    """The app, in a process of gunicorn. Raises AppImportError, upon which gunicorn ends without a stack trace."""
    try:
        return create_app(settings)
    except BridgeError as refused:
        raise AppImportError(str(refused)) from refused
    except DBAPIError as away:
        raise AppImportError(f"the database cannot be used ({type(away.orig).__name__})") from away


class _Gunicorn(BaseApplication):
    """gunicorn without its command line, its configuration files and its own environment variables."""

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        super().__init__()

    def load_config(self) -> None:
        assert self.cfg is not None
        for name, value in gunicorn_options(self._in_force).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return make_app(self._in_force.settings)  # each child its own: no connection may be shared between processes
