"""The worker: one dispatcher, and the chores that any worker may do. It may not hold any policy of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import SystemRandom

import structlog

from bridge.chores import Chores
from bridge.errors import BridgeError
from bridge.outbox.dispatcher import Dispatcher
from bridge.settings.model import Settings
from bridge.telemetry.logs import configure_logs
from bridge.telemetry.metrics import Metrics
from bridge.telemetry.tracing import open_traces
from bridge.wiring import Wiring, wire

CHORE_SECONDS = 1.0

log = structlog.get_logger()


class DispatcherEnded(BridgeError):
    """Nothing is delivered any more, although nobody has asked for that."""


def run_worker(
    settings: Settings, stop: threading.Event, *, started: Callable[[Wiring], None] = lambda _: None
) -> None:
    """Deliver what is owed until `stop` is set, then finish what is being sent and return.

    `started` is called once everything is wired and runs. Raises ConfigurationError where the settings do not suffice
    to start, DispatcherEnded where it ends by a fault.
    """
    metrics = Metrics(settings.metrics_folder)
    wiring = wire(settings, observer=metrics.observe_genesys)
    try:
        wiring.require_current()
        traces = open_traces(settings)
    except BaseException:  # what was connected would go on listening in this process
        metrics.close()
        wiring.close()
        raise
    configure_logs(settings, wiring.masking)
    dispatcher = _dispatcher(wiring)
    chores = Chores(wiring, SystemRandom())
    delivering = threading.Thread(target=dispatcher.run, name="dispatcher")
    delivering.start()
    log.info("worker.started", destinations=sorted(wiring.destinations))
    try:
        started(wiring)
        while not stop.wait(CHORE_SECONDS) and delivering.is_alive():
            chores.do()
    finally:
        dispatcher.stop()
        delivering.join()
        metrics.close()
        if traces is not None:
            traces.close()
        wiring.close()
        log.info("worker.stopped")
    if not stop.is_set():
        raise DispatcherEnded("the dispatcher has ended by itself; the log says why. Start the worker again.")


def _dispatcher(wiring: Wiring) -> Dispatcher:
    settings = wiring.settings
    paused = {name for name, one in settings.destinations.items() if one.paused}
    return Dispatcher(
        wiring.database,
        {name: one for name, one in wiring.destinations.items() if name not in paused},
        clock=wiring.clock,
        rng=SystemRandom(),
        notes=wiring.notes,
        vault=wiring.vault,
        max_threads=settings.worker_concurrency,
    )
