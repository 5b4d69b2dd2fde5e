"""The worker: one dispatcher, and the chores that any worker may do. It may not hold any policy of its own."""

from __future__ import annotations

import threading
from random import SystemRandom

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bridge.outbox.dispatcher import Dispatcher
from bridge.outbox.ledger.blocked import any_blocked, skip_overdue
from bridge.outbox.replay_walk import has_steps, step_replays
from bridge.settings.model import Settings
from bridge.telemetry.logs import configure_logs
from bridge.wiring import Wiring, wire

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
    delivering = threading.Thread(target=dispatcher.run, name="dispatcher")
    delivering.start()
    log.info("worker.started", destinations=sorted(wiring.destinations))
    try:
        while not stop.wait(CHORE_SECONDS) and delivering.is_alive():
            _do_chores(wiring)
    finally:
        dispatcher.stop()
        delivering.join()
        wiring.close()
        log.info("worker.stopped")


def _do_chores(wiring: Wiring) -> None:
    """What any worker may do, and none has to: every step is guarded in the database."""
    try:
        _step_replays(wiring)
        _skip_overdue_lanes(wiring)
    except SQLAlchemyError as error:
        log.warning("chores.failed", error=type(error).__name__)  # the next second is another try


def _step_replays(wiring: Wiring) -> None:
    with wiring.database.read() as session:
        if not has_steps(session):
            return
    with wiring.database.write() as session:
        step_replays(session, wiring.wanted, now=wiring.clock.now(), notes=wiring.notes)


def _skip_overdue_lanes(wiring: Wiring) -> None:
    now = wiring.clock.now()
    for name, destination in wiring.destinations.items():
        if not destination.policy.block_on_dead:
            continue
        with wiring.database.read() as session:
            if not any_blocked(session, name):
                continue
        with wiring.database.write() as session:
            skip_overdue(session, name, max_block=destination.policy.max_block, now=now, notes=wiring.notes)
