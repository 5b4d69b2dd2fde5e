"""The worker: one dispatcher, and the chores that any worker may do. It may not hold any policy of its own."""

from __future__ import annotations

import threading
from random import SystemRandom

import structlog

from bridge.chores import Chores
from bridge.outbox.dispatcher import Dispatcher
from bridge.settings.model import Settings
from bridge.telemetry.logs import configure_logs
from bridge.wiring import wire

CHORE_SECONDS = 1.0

log = structlog.get_logger()


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Deliver what is owed until `stop` is set, then finish what is being sent and return.

    Raises ConfigurationError where the settings do not suffice to start.
    """
    wiring = wire(settings)
    wiring.require_current()
    configure_logs(settings, wiring.masking)
    active = {name: one for name, one in wiring.destinations.items() if not settings.destinations[name].paused}
    dispatcher = Dispatcher(
        wiring.database,
        active,
        clock=wiring.clock,
        rng=SystemRandom(),
        notes=wiring.notes,
        max_threads=settings.worker_concurrency,
    )
    chores = Chores(wiring)
    delivering = threading.Thread(target=dispatcher.run, name="dispatcher")
    delivering.start()
    log.info("worker.started", destinations=sorted(wiring.destinations))
    try:
        while not stop.wait(CHORE_SECONDS) and delivering.is_alive():
            chores.do()
    finally:
        dispatcher.stop()
        delivering.join()
        wiring.close()
        log.info("worker.stopped")
