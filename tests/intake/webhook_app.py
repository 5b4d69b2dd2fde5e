"""Intake alone as a Flask application: what tests and a real gunicorn serve.

`gunicorn "tests.intake.webhook_app:serve(URL)"` serves it with the source `genesys` (hub-sha256, secret "s3cret").
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask

from bridge.audit.notes import AuditNotes
from bridge.clock import Clock, SystemClock
from bridge.database import Database, open_database
from bridge.intake.backlog import Backlog
from bridge.intake.receiver import Receiver
from bridge.intake.rejections import RejectionLog
from bridge.intake.routes import make_blueprint
from bridge.intake.shared_commits import SharedCommits
from bridge.intake.sources import build_source
from bridge.privacy.masking import Masking
from bridge.problems import install_problem_handlers
from bridge.settings.model import Secret, ServerSettings, SourceSettings, VerifySettings
from tests.fakes import VAULT

SECRET = "s3cret"
GENESYS = SourceSettings(
    name="genesys", format="genesys", verify=VerifySettings(scheme="hub-sha256", secrets=(Secret(SECRET),))
)


def build_receiver(
    database: Database,
    clock: Clock,
    sources: Iterable[SourceSettings] = (GENESYS,),
    server: ServerSettings | None = None,
) -> Receiver:
    """What `bridge.app` will do for intake."""
    server = server or ServerSettings()
    notes = AuditNotes(Masking((), b"k" * 32))
    commits = SharedCommits(database, clock, notes=notes, vault=VAULT, dedupe_window=server.dedupe_window)
    return Receiver(
        {settings.name: build_source(settings, clock) for settings in sources},
        server=server,
        commits=commits,
        backlog=Backlog(database, clock, max_backlog=server.max_backlog),
        rejections=RejectionLog(commits, clock),
        clock=clock,
    )


def build_app(receiver: Receiver) -> Flask:
    app = Flask(__name__)
    app.register_blueprint(make_blueprint(receiver))
    install_problem_handlers(app)
    return app


def serve(url: str) -> Flask:
    """The application on a migrated database."""
    return build_app(build_receiver(open_database(url), SystemClock()))
