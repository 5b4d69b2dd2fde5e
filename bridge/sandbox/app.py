"""Joins the parts of the sandbox to a Flask app. It may not listen: that is `server`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask

from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.control import control
from bridge.sandbox.frame import put_around
from bridge.sandbox.interaction_profile import interaction_profile
from bridge.sandbox.oauth import oauth
from bridge.sandbox.page import page
from bridge.sandbox.sandbox import build, utc_now


def create_sandbox(config: SandboxConfig, *, clock: Callable[[], datetime] = utc_now) -> Flask:
    """A seeded stand-in for Genesys. `clock` gives aware times in UTC; `app.extensions["sandbox"]` is the `Sandbox`,
    to be closed when the app is done with."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = config.max_body_bytes
    app.extensions["sandbox"] = build(config, clock)
    put_around(app)
    for part in (oauth, interaction_profile, control, page):
        app.register_blueprint(part)
    return app
