"""The blinker signals by which rooms that do not know each other meet.

Receivers run inside the sender's transaction: they may only add rows to the session that they are handed,
never commit, never do network I/O, and their order must not matter. Connect with `weak=False`, or keep a strong
reference: a closure that nobody holds is collected and silently deaf.
"""

from __future__ import annotations

from blinker import Namespace

_bridge = Namespace()

#: Sent by the recorder once per new event, inside the recording transaction.
#: Sender: the source's name. Keywords: `event: RecordedEvent`, `session: Session`.
#: Forwarders answer `Owed` or None.
event_recorded = _bridge.signal("event-recorded")

#: Sent by the recorder once per transaction, after `event_recorded`, with everything that is owed.
#: Sender: `intake.recorder.record`. Keywords: `owed: Sequence[tuple[RecordedEvent, Owed]]`, `session: Session`,
#: `now: datetime`. The outbox appends the deliveries to their lanes.
deliveries_owed = _bridge.signal("deliveries-owed")

#: Sent by the dispatcher inside the settling transaction when a delivery established facts.
#: Sender: the dispatcher's class. Keywords: `facts: Sequence[Event]`, `cause: RecordedEvent`, `session`, `now`.
#: The recorder records each fact like any other event.
facts_established = _bridge.signal("facts-established")

#: Sent after the commit of whatever made work for a dispatcher. No keywords. Only a hint: polling is the truth.
work_recorded = _bridge.signal("work-recorded")

#: Sent after the commit, once per try that was settled under its lease. Keywords: `destination: str`,
#: `outcome: str` (delivered, retry_later, waiting, rejected), `seconds: float`, `settlement: Settlement`.
delivery_settled = _bridge.signal("delivery-settled")

#: Sent after the commit, or where nothing was stored. Keywords: `source: str`, `cause: str`.
request_rejected = _bridge.signal("request-rejected")

#: Something a person should look at. Keywords: `cause: str` (a stable word), `destination: str | None`,
#: `subject: str | None`, `message: str` (masked); where it is about one delivery also `event_type: str` and its id,
#: `delivery: str`. Receivers mask the subject before it leaves the process.
needs_attention = _bridge.signal("needs-attention")
