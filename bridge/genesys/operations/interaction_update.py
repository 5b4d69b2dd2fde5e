"""Operation 1, `interaction.update`: attributes and disposition of an interaction, enriched from the CRM.

One step: read, check, enrich, PATCH. It may not lock: the contract gives an interaction no version to state.

Done twice? Genesys may have carried out the PATCH although its answer, or our commit, was lost. The next try reads
first: where every value is there already, nothing is sent (`already_applied`). Else the same values are set again under
the same idempotency key. If a third party changed one of them in between, and Genesys forgot the key, their change is
overwritten; the contract gives no means to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.clock import rfc3339
from bridge.errors import FieldError
from bridge.genesys.bodies import Attributes, Body, Identifier, Text, refuse, sift
from bridge.genesys.errors import Invalid, NotFound, Unavailable
from bridge.genesys.readings import Interaction
from bridge.genesys.rules import Check
from bridge.genesys.steps import Done, Fact, StepResult
from bridge.genesys.work import Work

IMMUTABLE = ("id", "createdDate", "updatedDate", "type", "conversationId")


@dataclass(frozen=True, kw_only=True)
class InteractionUpdate:
    interaction_id: str
    customer_id: str
    attributes: Mapping[str, str] = field(repr=False)
    disposition_code: str | None


class _Body(Body):
    interaction_id = Identifier(required=True)
    customer_id = Identifier(required=True)
    attributes = Attributes(least=0, load_default=dict)
    disposition_code = Text(longest=255, load_default=None, allow_none=True)


_BODY = _Body()


def read_command(body: Mapping[str, object], _check: Check) -> InteractionUpdate:
    """`{interaction_id, customer_id, attributes {str: str}, disposition_code?}`. Raises Invalid (all violations)."""
    read, errors = sift(_BODY, body)
    named = body.get("attributes")  # as it was sent: what has another violation in it was not read
    errors += [
        FieldError(field=f"attributes.{key}", rule="immutable", message="Cannot be changed: leave it out.")
        for key in IMMUTABLE
        if isinstance(named, Mapping) and key in named
    ]
    if not errors and not read["attributes"] and read["disposition_code"] is None:
        message = "Give at least one attribute, or a disposition_code."
        errors.append(FieldError(field="attributes", rule="required", message=message))
    refuse(errors)
    return InteractionUpdate(**read)


def advance(work: Work) -> StepResult:
    """Raises Invalid (too old; required CRM does not know the customer), Unavailable (required CRM is down), and what
    any call raises."""
    update = read_command(work.command.body, work.check)
    profile = work.profile
    interaction = profile.as_interaction(work.send(profile.read_interaction(update.interaction_id)))
    refuse(age_errors(interaction, work.now, work.settings.retention_days, field="interaction_id"))
    known, enrichment = _enriched(work, update.customer_id)
    attributes = {**update.attributes, **known}
    already = _is_applied(interaction, attributes, update.disposition_code)
    version = None  # the one that stands may be of another change
    if not already:
        call = profile.update_interaction(interaction, attributes, update.disposition_code)
        version = profile.as_written(work.send(call)).version
    return _done(work, update, attributes, version, enrichment=enrichment, already=already)


def age_errors(interaction: Interaction, now: datetime, retention_days: int, *, field: str) -> Iterable[FieldError]:
    """One where the interaction is older than the retention; exactly that old is not older."""
    if now - interaction.created > timedelta(days=retention_days):
        message = f"Older than the {retention_days} days of genesys.retention_days: it cannot be changed any more."
        yield FieldError(field=field, rule="retention", message=message)


def _enriched(work: Work, customer_id: str) -> tuple[Mapping[str, str], str]:
    """What the CRM adds, and how that went: `none` configured, `done`, `unavailable`, `unknown_customer`."""
    if work.crm is None:
        return {}, "none"
    required = work.settings.crm.enrich == "required"
    try:
        return work.crm.attributes(customer_id, work.tally), "done"
    except NotFound:
        if required:
            message = "The CRM does not know this customer, and genesys.crm.enrich is required."
            wrong = FieldError(field="customer_id", rule="unknown_customer", message=message)
            raise Invalid([wrong]) from None
        return {}, "unknown_customer"
    except Unavailable:
        if required:
            raise
        return {}, "unavailable"


def _is_applied(interaction: Interaction, attributes: Mapping[str, str], disposition_code: str | None) -> bool:
    if interaction.attributes is None or disposition_code not in (None, interaction.disposition_code):
        return False
    return attributes.items() <= interaction.attributes.items()


def _done(
    work: Work,
    update: InteractionUpdate,
    attributes: Mapping[str, str],
    version: int | None,
    *,
    enrichment: str,
    already: bool,
) -> Done:
    payload: dict[str, object] = {
        "interactionId": update.interaction_id,
        "updatedAttributes": dict(attributes),
        "dispositionCode": update.disposition_code,
        "version": version,
        "processedAt": rfc3339(work.now),
    }
    fact = Fact(
        type="interaction.updated",
        subject=f"interaction:{update.interaction_id}",
        payload=payload,
        version=None if version is None else str(version),
        occurred_at=work.now,
    )
    return Done(result={**payload, "enrichment": enrichment, "already_applied": already}, facts=(fact,))
