"""The web process: the Flask app with every blueprint. It may not hold a route of its own."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from bridge.admin.api import make_api
from bridge.intake.backlog import Backlog
from bridge.intake.receiver import Receiver
from bridge.intake.rejections import RejectionLog
from bridge.intake.routes import make_blueprint
from bridge.intake.shared_commits import SharedCommits
from bridge.intake.sources import build_source
from bridge.problems import install_problem_handlers
from bridge.settings.model import Settings
from bridge.telemetry.health import make_health_blueprint
from bridge.telemetry.logs import configure_logs
from bridge.wiring import Wiring, wire


def create_app(settings: Settings) -> Flask:
    """The app for `settings`, its database open and its threads ready to start with the first request.

    Raises ConfigurationError where it cannot run safely. `app.extensions["bridge"]` closes it again.
    """
    wiring = wire(settings)
    wiring.require_current()
    configure_logs(settings, wiring.masking)
    receiver = _receiver(wiring)
    app = Flask("bridge")
    install_problem_handlers(app)
    app.register_blueprint(make_blueprint(receiver))
    stall = timedelta(seconds=settings.health.stall_seconds)
    app.register_blueprint(make_health_blueprint(wiring.database, wiring.clock, stall=stall))
    make_api(
        app,
        database=wiring.database,
        clock=wiring.clock,
        masking=wiring.masking,
        notes=wiring.notes,
        wanted=wiring.wanted,
        public_key=wiring.signer.public_key,
        trusted_proxies=settings.server.trusted_proxies,
    )
    app.extensions["bridge"] = Running(wiring, receiver)
    return app


class Running:
    """What a process that serves the app closes when it ends."""

    def __init__(self, wiring: Wiring, receiver: Receiver) -> None:
        self.wiring = wiring
        self._receiver = receiver

    def close(self) -> None:
        """Commit what waits, then close everything."""
        self._receiver.stop()
        self.wiring.close()


def _receiver(wiring: Wiring) -> Receiver:
    server, clock, database = wiring.settings.server, wiring.clock, wiring.database
    commits = SharedCommits(database, clock, notes=wiring.notes, dedupe_window=server.dedupe_window)
    return Receiver(
        {name: build_source(one, clock) for name, one in wiring.settings.sources.items()},
        server=server,
        commits=commits,
        backlog=Backlog(database, clock, max_backlog=server.max_backlog),
        rejections=RejectionLog(commits, clock),
        clock=clock,
    )
