"""What Genesys tells of its things, in the words of every profile. It may not know a path or a key of the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Customer:
    id: str | None = None
    phone_number: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """Times are aware; `start` is `created` where Genesys gives none, `end` is None while it goes on."""

    id: str
    type: str | None
    status: str | None
    created: datetime
    start: datetime
    end: datetime | None
    customer: Customer
    #: None where the profile does not show them.
    attributes: Mapping[str, object] | None = field(repr=False)
    disposition_code: str | None


@dataclass(frozen=True, kw_only=True)
class Conversation:
    id: str
    state: str
    version: int
    #: None where the profile does not show them.
    attributes: Mapping[str, object] | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Record:
    version: int
    fields: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What an accepted write says of the thing; nothing in it is certain, for the write is done whatever it says."""

    version: int | None
    #: Records: the fields after the write; None where the answer does not hold them.
    fields: Mapping[str, object] | None = field(default=None, repr=False)
    modified_at: datetime | None = None
    modified_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of one record before and after; None for absent."""

    name: str
    before: object = field(repr=False)
    after: object = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One change of a record, from its audit log."""

    #: The version that the change gave; None where the log does not say.
    version: int | None
    at: datetime | None
    #: The `requestCorrelationId` that the change was made with.
    request_id: str | None
    changes: Sequence[Change]
    #: The entry as Genesys wrote it; may hold personal data.
    raw: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    entries: Sequence[HistoryEntry]
    #: Pages and entries in all; None where Genesys does not say.
    pages: int | None
    total: int | None
    #: Whether as many entries came as were asked for.
    is_full: bool


@dataclass(frozen=True, kw_only=True)
class MergeState:
    """How far a merge is."""

    #: None where the answer names none.
    merged_id: str | None
    state: Literal["running", "completed", "failed"]
    #: The interactions that Genesys confirms to have merged; None where it says nothing of them.
    confirmed_ids: frozenset[str] | None
    #: Of the merged interaction; None where the answer does not say.
    version: int | None
    customer: Customer | None


@dataclass(frozen=True, kw_only=True)
class PurgeState:
    """How far a purge is."""

    #: None where the answer names none.
    purge_id: str | None
    #: As Genesys says it, in lower case; `completed`, `failed` and `cancelled` are final.
    status: str
    #: None where Genesys does not say yet.
    total_purged: int | None
    error_reason: str | None
    #: True where an earlier submission of the same purge may have been taken too.
    maybe_doubled: bool = False
