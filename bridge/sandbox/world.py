"""Everything that the stand-in holds, in memory, behind one lock. It may not know HTTP; the rules of each kind of
change are in `conversations`, `interactions`, `merging`, `records`, `purging` and `exporting`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import RLock

from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.ids import Ids
from bridge.sandbox.model import Conversation, Customer, Export, Interaction, Record, RecordChange
from bridge.sandbox.notices import Notice
from bridge.sandbox.refusals import not_found
from bridge.sandbox.work import Merge, Purge

Clock = Callable[[], datetime]
#: Called with the lock held, so that webhooks leave in the order of the changes; must not block.
Announce = Callable[[Notice], None]

_VERSIONS_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """The organisation. Take `lock` around every reading that must be whole and every change."""

    def __init__(self, *, config: SandboxConfig, clock: Clock, ids: Ids, announce: Announce) -> None:
        self.config = config
        self.clock = clock
        self.ids = ids
        self.lock = RLock()
        self._announce = announce
        self.customers: dict[str, Customer] = {}
        self.conversations: dict[str, Conversation] = {}
        self.interactions: dict[str, Interaction] = {}
        #: By schema, then by record id.
        self.records: dict[str, dict[str, Record]] = {}
        #: Oldest first.
        self.record_changes: deque[RecordChange] = deque(maxlen=10_000)
        #: By `mergeRequestId`.
        self.merges: dict[str, Merge] = {}
        #: `X-Genesys-Idempotency-Key` → `mergeRequestId`.
        self.merge_keys: dict[str, str] = {}
        self.purges: dict[str, Purge] = {}
        self.exports: dict[str, Export] = {}
        #: The newest changes, whether or not anybody is told.
        self.notices: deque[Notice] = deque(maxlen=200)

    def clear(self) -> None:
        """Forget everything."""
        for kept in (self.customers, self.conversations, self.interactions, self.records, self.merges):
            kept.clear()
        for kept_too in (self.merge_keys, self.purges, self.exports):
            kept_too.clear()
        self.record_changes.clear()
        self.notices.clear()

    def tell(self, notice: Notice) -> None:
        """Note a change and announce it; with the lock held."""
        self.notices.append(notice)
        self._announce(notice)

    def first_version(self) -> int:
        """The version that an example begins with."""
        if self.config.first_version is not None:
            return self.config.first_version
        return (self.clock() - _VERSIONS_BEGAN) // timedelta(seconds=1)

    def conversation(self, conversation_id: str) -> Conversation:
        """Raises `Refused` (404)."""
        found = self.conversations.get(conversation_id)
        if found is None:
            raise not_found("conversation", conversation_id)
        return found

    def interaction(self, interaction_id: str) -> Interaction:
        """Raises `Refused` (404)."""
        found = self.interactions.get(interaction_id)
        if found is None:
            raise not_found("interaction", interaction_id)
        return found

    def schema(self, schema: str) -> dict[str, Record]:
        """The records of a schema. Raises `Refused` (404)."""
        found = self.records.get(schema)
        if found is None:
            raise not_found("schema", schema)
        return found

    def record(self, schema: str, record_id: str) -> Record:
        """Raises `Refused` (404)."""
        found = self.schema(schema).get(record_id)
        if found is None:
            raise not_found("record", record_id)
        return found
