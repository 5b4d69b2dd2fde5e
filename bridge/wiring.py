"""The one place that joins rooms: what web, worker and command line all stand on. It may not hold any logic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from blinker import Signal

from bridge import signals
from bridge.admin.reparsing import Reparser
from bridge.audit.notes import AuditNotes
from bridge.audit.signing import AuditSigner, public_keys_of
from bridge.clock import Clock, SystemClock
from bridge.commands.asking import Commands
from bridge.commands.echoes import Echoes
from bridge.commands.purges import Purges, overlapping
from bridge.database import Database, DatabaseClock, check_durability, open_database
from bridge.destinations.registry import GENESYS, Forwarder, build_destinations, connect
from bridge.destinations.wiring import guarded_adapter
from bridge.errors import ConfigurationError
from bridge.genesys import GenesysClient, Observer, PurgeScope, RecordRules, Rules
from bridge.intake.facts import FactRecorder
from bridge.intake.ledger import BRIDGE
from bridge.keeping.erasure import Erasures
from bridge.migrate import is_current
from bridge.outbox.ledger.append import append_owed
from bridge.outbox.selection import Wants
from bridge.outbox.wakeup import Announcer
from bridge.privacy.holds import LegalHolds, holding_range
from bridge.privacy.key_ring import KeyRing
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.privacy.wrappings import missing_secrets
from bridge.settings.model import Settings
from bridge.telemetry.alerts import Alerts
from bridge.telemetry.attention import AttentionLog
from bridge.telemetry.health import expected_of
from bridge.telemetry.sentinel import Sentinel
from bridge.telemetry.series import VerificationSeries


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Everything that is made once per process, with its signals connected until `close`."""

    settings: Settings
    database: Database
    #: The database's clock: times and leases are compared on it.
    clock: Clock
    masking: Masking
    notes: AuditNotes
    #: Seals and opens the bodies that are kept.
    vault: Vault
    destinations: Mapping[str, Forwarder]
    #: Per destination: would it be owed this event today?
    wanted: Mapping[str, Wants]
    signer: AuditSigner
    #: Public keys (base64) that may have signed the audit: the signer's, and those of older secrets.
    trusted_keys: frozenset[str]
    #: None: no organisation is configured, and commands are refused.
    genesys: GenesysClient | None
    commands: Commands
    purges: Purges
    #: What must not be destroyed, by bridge.toml and by what was placed since.
    holds: LegalHolds
    erasures: Erasures
    #: Knows the webhooks that our own commands have caused; None where no organisation is configured.
    echoes: Echoes | None
    #: Reads again what could not be read.
    reparser: Reparser
    #: None: alerts are log lines only.
    alerts: Alerts | None
    _closers: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def require_current(self) -> None:
        """Raise ConfigurationError unless the database is durable, at this version's migration, and can be read."""
        check_durability(self.database, allow_unsafe=self.settings.allow_unsafe_database)
        if not is_current(self.database):
            raise ConfigurationError(["DATABASE_URL: the database is not at this version; run `bridge db upgrade`"])
        with self.database.read() as session:
            if missing_secrets(session, self.vault.ring.fingerprints):
                problem = (
                    "BRIDGE_SECRET_KEY: lacks a secret that some of what is kept is encrypted under; put the one from "
                    "before behind it, a line of its own, until `bridge keys rotate` says that it may go"
                )
                raise ConfigurationError([problem])
        self.clock.now()  # once it has been read, it goes on while the database is away

    def close(self) -> None:
        """Disconnect the signals and close every connection."""
        for closer in reversed(self._closers):
            closer()


def wire(settings: Settings, *, clock: Clock | None = None, observer: Observer | None = None) -> Wiring:
    """Join the rooms for `settings`; `clock` stands in for the database's, `observer` is told of requests to Genesys.

    Raises ConfigurationError where the settings do not suffice.
    """
    if settings.secret_key is None:
        problem = "BRIDGE_SECRET_KEY: is not set; `bridge init` makes one, or set it to `file:<path>` of yours"
        raise ConfigurationError([problem])
    database = open_database(settings.database_url, pool_size=max(8, settings.web_threads // 2))
    clock = clock or DatabaseClock(database, SystemClock())
    masking = _masking(settings)
    notes = AuditNotes(masking)
    vault = Vault(KeyRing(secrets_of(settings)))
    holds = LegalHolds(settings.legal_holds, vault)
    rules = _rules(settings, database, holds)
    genesys = _client(settings, rules, clock, observer)
    signer = AuditSigner(settings.secret_key.reveal().encode())
    destinations = build_destinations(settings, masking=masking, clock=clock, signer=signer, genesys=genesys)
    window = settings.server.dedupe_window
    commands = Commands(
        database=database, clock=clock, notes=notes, vault=vault, rules=rules, client=genesys, dedupe_window=window
    )
    echoes = None if genesys is None else _echoes(settings, vault)
    wiring = Wiring(
        settings=settings,
        database=database,
        clock=clock,
        masking=masking,
        notes=notes,
        vault=vault,
        destinations=destinations,
        wanted={name: one.wants for name, one in destinations.items()},
        signer=signer,
        trusted_keys=public_keys_of(secrets_of(settings)),
        genesys=genesys,
        commands=commands,
        purges=Purges(
            commands, database=database, clock=clock, notes=notes, two_persons=settings.genesys.purge.two_persons
        ),
        holds=holds,
        erasures=Erasures(database=database, clock=clock, notes=notes, vault=vault, masking=masking, holds=holds),
        echoes=echoes,
        reparser=_reparser(settings, notes, vault, echoes),
        alerts=_alerts(settings, database, clock, notes, vault, masking),
    )
    _connect(wiring)
    return wiring


def secrets_of(settings: Settings) -> list[bytes]:
    """The secrets of BRIDGE_SECRET_KEY, which is set; the first seals and signs."""
    assert settings.secret_key is not None
    return [one.reveal().encode() for one in (settings.secret_key, *settings.older_secret_keys)]


def make_sentinel(wiring: Wiring, *, while_stalled: Callable[[], None] | None = None) -> Sentinel:
    """What looks for the silence of workers and sources; see `Sentinel`."""
    return Sentinel(
        database=wiring.database,
        clock=wiring.clock,
        expected=expected_of(wiring.settings, wiring.destinations),
        sources=wiring.settings.sources.values(),
        trusted_keys=wiring.trusted_keys,
        while_stalled=while_stalled,
    )


def _masking(settings: Settings) -> Masking:
    # A key of its own, so that a masked value tells nothing about what else the secret protects.
    key = hashlib.blake2b(secrets_of(settings)[0], person=b"bridge-masking", digest_size=32).digest()
    return Masking(settings.personal, key)


def _client(settings: Settings, rules: Rules, clock: Clock, observer: Observer | None) -> GenesysClient | None:
    if settings.genesys.client_id is None:
        return None
    crm = guarded_adapter(allow_inside=settings.genesys.crm.allow_local, clock=clock, limit=settings.worker_concurrency)
    return GenesysClient(settings.genesys, rules=rules, clock=clock, crm_adapter=crm, observer=observer)


def _alerts(
    settings: Settings, database: Database, clock: Clock, notes: AuditNotes, vault: Vault, masking: Masking
) -> Alerts | None:
    to, every = settings.alerts.destination, settings.alerts.every
    if to is None:
        return None
    return Alerts(
        database=database, clock=clock, notes=notes, vault=vault, masking=masking, destination=to, every=every
    )


def _reparser(settings: Settings, notes: AuditNotes, vault: Vault, echoes: Echoes | None) -> Reparser:
    return Reparser(
        sources=settings.sources,
        notes=notes,
        vault=vault,
        dedupe_window=settings.server.dedupe_window,
        mark=None if echoes is None else echoes.mark,
    )


def _echoes(settings: Settings, vault: Vault) -> Echoes:
    return Echoes(
        vault=vault,
        genesys=next((one.name for one in settings.destinations.values() if one.kind == GENESYS), GENESYS),
        sources=frozenset(one.name for one in settings.sources.values() if one.format == "genesys"),
        window=settings.server.dedupe_window,
    )


def _rules(settings: Settings, database: Database, holds: LegalHolds) -> Rules:
    """What commands are checked against: record schemas, legal holds, and the purges that are open right now."""
    return Rules(
        settings=settings.genesys,
        records=RecordRules(settings.schemas.values()),
        holds=partial(_holds_on, database, holds),
        open_purges=partial(overlapping, database),
    )


def _holds_on(database: Database, holds: LegalHolds, scope: PurgeScope) -> list[str]:
    """For `Rules.holds`: the names of those that forbid the purge, at the moment of asking."""
    with database.read() as session:
        found = holding_range(holds.in_force(session), scope.interaction_type, scope.start, scope.end)
    return [hold.name for hold in found]


def _connect(wiring: Wiring) -> None:
    """Strong references everywhere: `_closers` hold what the signals call."""
    settings, closers = wiring.settings, wiring._closers
    closers.append(wiring.database.close)
    closers += [one.close for one in wiring.destinations.values()]
    closers.append(connect(wiring.destinations.values()))
    confirmed_by = next((one.name for one in settings.sources.values() if one.format == "genesys"), BRIDGE)
    facts = FactRecorder(
        notes=wiring.notes,
        vault=wiring.vault,
        dedupe_window=settings.server.dedupe_window,
        confirmed_by=confirmed_by,
    )
    announcer = Announcer(wiring.database)
    announcer.start()
    closers.append(announcer.stop)
    attention, series = AttentionLog(wiring.clock, settings.alerts.every), VerificationSeries()
    receivers: list[tuple[Signal, Callable[..., object]]] = [
        (signals.deliveries_owed, append_owed),
        (signals.facts_established, facts.record_facts),
        (signals.work_recorded, announcer.announce),
        (signals.needs_attention, attention.receive),
        (signals.request_rejected, series.count),
        (signals.event_recorded, series.end),
    ]
    if wiring.alerts is not None:
        receivers += [(signals.needs_attention, wiring.alerts.receive), (signals.event_recorded, wiring.alerts.owe)]
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)
        closers.append(partial(signal.disconnect, receiver))
    if wiring.alerts is not None:
        closers.append(wiring.alerts.close)  # the first to close: it still records
