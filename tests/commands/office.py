"""An office beside a sandbox: a wired bridge whose commands are carried out by a dispatcher in the test's own time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from types import MappingProxyType

from bridge.audit.notes import AuditNotes
from bridge.clock import Clock
from bridge.commands.asking import Asked, Asker, Commands
from bridge.commands.history import RecordHistory
from bridge.commands.purges import Purges
from bridge.commands.reading import CommandView, read_command
from bridge.commands.room import CommandRoom
from bridge.commands.waiting import CommandWaits
from bridge.database import Database
from bridge.genesys import Rules
from bridge.outbox.dispatcher import Dispatcher
from bridge.privacy.masking import Masking
from bridge.sandbox import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from bridge.settings.model import (
    CrmEnrichmentSettings,
    DestinationSettings,
    GenesysSettings,
    RetrySettings,
    Secret,
    Settings,
)
from bridge.wiring import Wiring, wire
from tests.fakes import VAULT, FakeClock

ERP_TEAM = Asker(actor="token:erp", destination="erp")


def settings(
    database_url: str, sandbox_url: str, *, crm_url: str | None = None, genesys: Mapping[str, object] | None = None
) -> Settings:
    """Commands go to the sandbox; their facts to a CRM where `crm_url` is given."""
    crm = DestinationSettings(name="crm", kind="crm", url=crm_url or "http://127.0.0.1:9/", allow_local=True)
    organisation: dict[str, object] = {
        "api_url": sandbox_url,
        "login_url": sandbox_url,
        "client_id": DEMO_CLIENT_ID,
        "client_secret": Secret(DEMO_CLIENT_SECRET),
        "crm": CrmEnrichmentSettings(url=sandbox_url, allow_local=True),
        **(genesys or {}),
    }
    return Settings(
        database_url=database_url,
        secret_key=Secret("a bridge secret key for tests, long enough"),
        destinations=MappingProxyType(
            {
                "crm": crm,
                "genesys": DestinationSettings(
                    name="genesys", kind="genesys", retry=RetrySettings(base=1.0, cap=60.0), max_in_flight=4
                ),
            }
        ),
        genesys=GenesysSettings(**organisation),  # type: ignore[arg-type]
    )


class Office:
    """Asks and lets be carried out."""

    def __init__(self, wiring: Wiring, clock: Clock) -> None:
        self.wiring = wiring
        self._dispatcher = Dispatcher(
            wiring.database,
            wiring.destinations,
            clock=clock,
            rng=Random(1),
            notes=wiring.notes,
            vault=wiring.vault,
            max_threads=4,
        )

    def ask(self, operation: str, body: Mapping[str, object], *, key: str | None = None) -> Asked:
        return self.wiring.commands.ask(operation, body, asker=ERP_TEAM, idempotency_key=key)

    def carry_out(self) -> None:
        """Every step that is due now."""
        self._dispatcher.deliver_due()

    def state(self, command_id: str) -> CommandView:
        with self.wiring.database.read() as session:
            return read_command(session, command_id)


@contextmanager
def opened(configured: Settings, clock: Clock) -> Iterator[Office]:
    wiring = wire(configured, clock=clock)
    try:
        yield Office(wiring, wiring.clock)
    finally:
        wiring.close()


def command_room(database: Database, clock: FakeClock, *, masking: Masking, notes: AuditNotes) -> CommandRoom:
    """What the API needs where no organisation is configured."""
    commands = Commands(
        database=database,
        clock=clock,
        notes=notes,
        vault=VAULT,
        rules=Rules(settings=GenesysSettings()),
        client=None,
        dedupe_window=timedelta(minutes=10),
    )
    return CommandRoom(
        commands=commands,
        purges=Purges(commands, database=database, clock=clock, notes=notes, two_persons=True),
        history=RecordHistory(None, masking),
        waits=CommandWaits(database, clock, pause=clock.advance),
    )


def wired_room(wiring: Wiring, clock: FakeClock, *, pause: Callable[[float], None]) -> CommandRoom:
    """What the API needs, over `wiring`; who waits calls `pause`."""
    return CommandRoom(
        commands=wiring.commands,
        purges=wiring.purges,
        history=RecordHistory(wiring.genesys, wiring.masking),
        waits=CommandWaits(wiring.database, clock, pause=pause),
    )


def purge_policy(**changes: object) -> dict[str, object]:
    """A purge of chats of 2023 that governance allows."""
    return {
        "interactionType": "chat",
        "dateRange": {"start": "2023-01-01T00:00:00Z", "end": "2023-02-01T00:00:00Z"},
        "retentionDays": 365,
        "classification": "internal",
        "purgeType": "permanent",
        "reason": "retention has ended for these chats",
        "everything": True,
        **changes,
    }
