"""How the work stands: what waits, what died, what is held, who is silent. It may not move anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bridge.audit.signing import public_keys_of
from bridge.audit.verify import verify_newest
from bridge.clock import Clock
from bridge.destinations.registry import GENESYS
from bridge.doctor.finding import Finding, fail, ok, warn
from bridge.outbox.ledger.pause import paused
from bridge.privacy.key_ring import KeyRing
from bridge.privacy.wrappings import missing_secrets
from bridge.settings.model import Settings
from bridge.telemetry.gauges import Standing, standing
from bridge.telemetry.health import expected_of, is_stalled
from bridge.telemetry.silence import last_heard
from bridge.wiring import secrets_of

OLD_SECONDS = 3600
#: A worker seals within the hour, and a batch is 2000.
MANY_UNSEALED = 50_000
WARN_AT = 0.8


@dataclass(frozen=True, kw_only=True)
class Looking:
    """What every check here looks through."""

    session: Session
    settings: Settings
    clock: Clock


def work(looking: Looking) -> Iterator[Finding]:
    """Every check of this module."""
    now = standing(looking.session, looking.settings.destinations, looking.clock)
    yield worker(looking)
    yield backlog(now, looking.settings)
    yield from dead(now)
    yield from blocked(now)
    yield from pauses(looking)
    yield from breakers(now)
    yield unsealed(now)
    yield audit_chain(looking)
    yield keys(looking)
    yield from silent_sources(looking)


def worker(looking: Looking) -> Finding:
    expected = expected_of(looking.settings, [*looking.settings.destinations, GENESYS])
    if is_stalled(looking.session, looking.clock.now(), expected):
        return fail("worker", "deliveries are due and nobody sends them", "start `bridge worker`, or see its log")
    return ok("worker", "nothing has been due for long without a worker that tries it")


def backlog(now: Standing, settings: Settings) -> Finding:
    total, most = sum(now.backlog.values()), settings.server.max_backlog
    oldest = max(now.oldest.items(), key=lambda one: one[1], default=("", 0.0))
    if total > most:
        return fail("backlog", f"{total} deliveries wait, more than max_backlog: webhooks are answered 503", _BACKLOG)
    if total > WARN_AT * most:
        return warn("backlog", f"{total} deliveries wait; webhooks are refused from {most} on", _BACKLOG)
    if oldest[1] > OLD_SECONDS:
        hours = oldest[1] / 3600
        found = f"{total} deliveries wait; the oldest, for {oldest[0]}, for {hours:.1f} hours"
        return warn("backlog", found, f"bridge deliveries list --destination {oldest[0]} --state pending")
    return ok("backlog", f"{total} deliveries wait")


_BACKLOG = "see why destinations do not take them, start more workers, or raise [server] max_backlog"


def dead(now: Standing) -> Iterator[Finding]:
    found = {name: count for name, count in now.dead.items() if count}
    for name, count in found.items():
        remedy = f"bridge deliveries list --destination {name} --state dead, mend the cause, then bridge replay"
        yield warn("dead-letters", f"{count} deliveries to {name} are dead", remedy)
    if not found:
        yield ok("dead-letters", "no delivery is dead")


def blocked(now: Standing) -> Iterator[Finding]:
    for name, count in now.blocked.items():
        remedy = f"bridge lanes list --destination {name}; release each after mending, or skip its head"
        yield warn("blocked-lanes", f"{count} subjects wait behind a dead delivery to {name}", remedy)
    if not now.blocked:
        yield ok("blocked-lanes", "no subject waits behind a dead delivery")


def pauses(looking: Looking) -> Iterator[Finding]:
    held = paused(looking.session)
    held |= {one.name: "the configuration says so" for one in looking.settings.destinations.values() if one.paused}
    for name, reason in held.items():
        remedy = f"bridge destinations resume {name} --reason …, or take `paused` out of the configuration"
        yield warn("paused", f"{name} is paused: {reason or 'no reason was given'}", remedy)
    if not held:
        yield ok("paused", "no destination is paused")


def breakers(now: Standing) -> Iterator[Finding]:
    for name in sorted(now.open_breakers):
        remedy = (
            f"see what {name} answers (below, and bridge deliveries list --destination {name}); it closes by itself"
        )
        yield warn("breakers", f"the breaker of {name} is open: it fails, and deliveries wait", remedy)
    if not now.open_breakers:
        yield ok("breakers", "every breaker is closed")


def unsealed(now: Standing) -> Finding:
    if now.unsealed > MANY_UNSEALED:
        found = f"{now.unsealed} audit entries are not sealed"
        return warn("audit-sealed", found, "start `bridge worker`, which seals; see its log for chores.failed")
    return ok("audit-sealed", f"{now.unsealed} audit entries wait to be sealed")


def audit_chain(looking: Looking) -> Finding:
    """The newest batch only: `bridge audit verify` walks it all."""
    found = verify_newest(looking.session, trusted=public_keys_of(secrets_of(looking.settings)))
    if found.problem is not None:
        remedy = (
            "bridge audit verify names the first entry; after a change of BRIDGE_SECRET_KEY put the old one behind it"
        )
        return fail("audit-chain", found.problem, remedy)
    return ok("audit-chain", f"the newest batch holds; {found.sealed} entries are sealed")


def keys(looking: Looking) -> Finding:
    """Whether what is kept can be read with the secrets that there are."""
    ring = KeyRing(secrets_of(looking.settings))
    if missing_secrets(looking.session, ring.fingerprints):
        found = "some of what is kept is encrypted under a secret that BRIDGE_SECRET_KEY does not hold"
        return fail(
            "keys", found, "put the secret from before behind the first, a line of its own; web refuses to start"
        )
    if missing_secrets(looking.session, {ring.first}):
        return warn("keys", "some keys are still under an older secret", "bridge keys rotate")
    return ok("keys", "everything that is kept can be read with the first secret of BRIDGE_SECRET_KEY")


def silent_sources(looking: Looking) -> Iterator[Finding]:
    now, silent = looking.clock.now(), 0
    for source in looking.settings.sources.values():
        if source.expect_every is None:
            continue
        heard = last_heard(looking.session, source.name)
        if heard is None or now - heard > source.expect_every:
            silent += 1
            since = "was never heard" if heard is None else f"is silent since {heard:%Y-%m-%d %H:%M} UTC"
            remedy = "check the webhook's state at the sender, and GET /api/v1/rejections for what was refused"
            yield warn("sources-heard", f"source {source.name} {since}; expect_every says otherwise", remedy)
    if not silent:
        yield ok("sources-heard", "no source is silent for longer than its expect_every")
