"""The web process: the Flask app with every blueprint. It may not hold a route of its own."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

from flask import Blueprint, Flask, request

from bridge.admin.access import Right
from bridge.admin.api import make_api
from bridge.admin.api.entrance import admit
from bridge.admin.console import make_console
from bridge.admin.lookout import make_lookout
from bridge.commands.history import RecordHistory
from bridge.commands.room import CommandRoom
from bridge.commands.waiting import CommandWaits
from bridge.intake.backlog import Backlog
from bridge.intake.receiver import Receiver
from bridge.intake.rejections import RejectionLog
from bridge.intake.routes import make_blueprint
from bridge.intake.shared_commits import SharedCommits
from bridge.intake.sources import build_source
from bridge.outbox.dispatcher import Dispatcher
from bridge.problems import install_problem_handlers
from bridge.settings.model import Settings
from bridge.telemetry.exposition import make_metrics_blueprint
from bridge.telemetry.gauges import DatabaseGauges
from bridge.telemetry.health import expected_of, make_health_blueprint
from bridge.telemetry.logs import configure_logs
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.sentinel import Sentinel
from bridge.telemetry.tracing import Tracing, open_traces
from bridge.wiring import Wiring, make_sentinel, wire


def create_app(settings: Settings) -> Flask:
    """The app for `settings`, its database open and its threads ready to start with the first request.

    Raises ConfigurationError where it cannot run safely. `app.extensions["bridge"]` closes it again.
    """
    metrics = Metrics(settings.metrics_folder)
    wiring = wire(settings, observer=metrics.observe_genesys)
    wiring.require_current()
    configure_logs(settings, wiring.masking)
    receiver = _receiver(wiring)
    app = Flask("bridge")
    traces = open_traces(settings)
    if traces is not None:
        traces.follow(app)
    install_problem_handlers(app)
    webhooks = make_blueprint(receiver)
    metrics.time_answers(webhooks, wiring.clock)
    app.register_blueprint(webhooks)
    app.register_blueprint(_metrics_page(wiring, metrics))
    expected = expected_of(settings, wiring.destinations)
    app.register_blueprint(make_health_blueprint(wiring.database, wiring.clock, expected))
    make_api(
        app,
        database=wiring.database,
        clock=wiring.clock,
        masking=wiring.masking,
        notes=wiring.notes,
        vault=wiring.vault,
        wanted=wiring.wanted,
        public_key=wiring.signer.public_key,
        trusted_keys=wiring.trusted_keys,
        commands=_command_room(wiring),
        holds=wiring.holds,
        erasures=wiring.erasures,
        lookout=make_lookout(settings, database=wiring.database, clock=wiring.clock, forwarders=wiring.destinations),
        reparser=wiring.reparser,
        trusted_proxies=settings.server.trusted_proxies,
    )
    make_console(app)
    sentinel = make_sentinel(wiring, while_stalled=_alert_delivery(wiring))
    sentinel.start()
    app.extensions["bridge"] = Running(wiring, receiver, metrics, sentinel, traces)
    return app


class Running:
    """What a process that serves the app closes when it ends."""

    def __init__(
        self, wiring: Wiring, receiver: Receiver, metrics: Metrics, sentinel: Sentinel, traces: Tracing | None
    ) -> None:
        self.wiring = wiring
        self._receiver = receiver
        self._metrics = metrics
        self._sentinel = sentinel
        self._traces = traces

    def close(self) -> None:
        """Commit what waits, then close everything."""
        self._sentinel.stop()
        self._receiver.stop()
        self._metrics.close()
        if self._traces is not None:
            self._traces.close()
        self.wiring.close()


def _metrics_page(wiring: Wiring, metrics: Metrics) -> Blueprint:
    settings = wiring.settings
    return make_metrics_blueprint(
        metrics,
        DatabaseGauges(wiring.database, wiring.clock, wiring.destinations),
        open_to=settings.health.metrics_from,
        trusted_proxies=settings.server.trusted_proxies,
        admit=lambda: admit(request, Right.LOOK),
    )


def _alert_delivery(wiring: Wiring) -> Callable[[], None] | None:
    """Delivers alerts, and nothing else: who tells that no worker works cannot leave it to a worker."""
    to = wiring.settings.alerts.destination
    alerts = wiring.alerts
    if to is None or alerts is None:
        return None
    dispatcher = Dispatcher(
        wiring.database,
        {to: wiring.destinations[to]},
        clock=wiring.clock,
        rng=SystemRandom(),
        notes=wiring.notes,
        vault=wiring.vault,
        max_threads=1,
    )

    def deliver() -> None:
        alerts.flush()
        dispatcher.deliver_due()

    return deliver


def _command_room(wiring: Wiring) -> CommandRoom:
    return CommandRoom(
        commands=wiring.commands,
        purges=wiring.purges,
        history=RecordHistory(wiring.genesys, wiring.masking),
        waits=CommandWaits(wiring.database, wiring.clock),
    )


def _receiver(wiring: Wiring) -> Receiver:
    server, clock, database = wiring.settings.server, wiring.clock, wiring.database
    commits = SharedCommits(
        database,
        clock,
        notes=wiring.notes,
        vault=wiring.vault,
        dedupe_window=server.dedupe_window,
        mark=None if wiring.echoes is None else wiring.echoes.mark,
    )
    return Receiver(
        {name: build_source(one, clock) for name, one in wiring.settings.sources.items()},
        server=server,
        commits=commits,
        backlog=Backlog(database, clock, max_backlog=server.max_backlog),
        rejections=RejectionLog(commits, clock),
        clock=clock,
    )
