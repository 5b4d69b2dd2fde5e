"""What every API profile must tell. It may not hold anything that differs between profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bridge.genesys.purge_policy import PurgePolicy
from bridge.genesys.readings import (
    Conversation,
    HistoryPage,
    Interaction,
    MergeState,
    PurgeState,
    Record,
    Written,
)
from bridge.genesys.wire import Answer, Call


@dataclass(frozen=True, kw_only=True)
class Traits:
    """How a profile carries out one operation."""

    #: What keeps a concurrent change from being overwritten: nothing, If-Match, or a version in the body.
    locking: Literal["none", "if_match", "body_version"]
    #: Whether Genesys carries it out after its answer, so that it has to be polled.
    is_async: bool
    #: What the client must be granted.
    scopes: tuple[str, ...]


class Profile(Protocol):
    """A module with these names. A verb gives the call that asks for it; `as_…` reads the answer to that call.

    Those that read what was asked for raise Unavailable where it is outside the contract. Those that read the answer to
    a write never raise: the write is done, whatever its answer looks like.
    """

    #: Whether the token request names scopes.
    SCOPED: bool
    #: By operation; one that is not in it is not supported.
    TRAITS: Mapping[str, Traits]
    #: By operation that is not supported: a sentence that names the nearest that is.
    ALTERNATIVES: Mapping[str, str]

    def read_interaction(self, interaction_id: str) -> Call: ...
    def as_interaction(self, answer: Answer) -> Interaction: ...
    def update_interaction(
        self, interaction: Interaction, attributes: Mapping[str, str], disposition_code: str | None
    ) -> Call: ...

    def read_conversation(self, conversation_id: str) -> Call: ...
    def as_conversation(self, answer: Answer) -> Conversation: ...
    def update_conversation(
        self, conversation: Conversation, attributes: Mapping[str, object], metadata: Mapping[str, str]
    ) -> Call: ...

    def merge(self, request_id: str, sources: Sequence[tuple[str, str]], priority_score: int) -> Call: ...
    def read_merge_status(self, merged_id: str) -> Call: ...
    def as_merge_state(self, answer: Answer) -> MergeState: ...

    def read_record(self, schema: str, record_id: str) -> Call: ...
    def as_record(self, answer: Answer) -> Record: ...
    def update_record(
        self,
        schema: str,
        record_id: str,
        *,
        version: int,
        fields: Mapping[str, object],
        metadata: Mapping[str, object],
    ) -> Call: ...
    def read_history(self, schema: str, record_id: str, page: int) -> Call: ...
    def as_history_page(self, answer: Answer) -> HistoryPage: ...

    def purge(self, policy: PurgePolicy) -> Call: ...
    def read_purge_status(self, purge_id: str) -> Call: ...
    def as_purge_state(self, answer: Answer) -> PurgeState: ...

    def export(self, *, name: str, kind: str, query: str, bucket: str, path: str) -> Call: ...

    def as_written(self, answer: Answer) -> Written: ...
