"""The state `sending`, which no row stores: a pending head of a lane whose lease runs. It may not settle."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, case, literal_column

from bridge.tables import DeliveryRow, LaneRow, core

SENDING = "sending"

_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)

#: A statement that uses one of these joins the delivery's lane; those with a lease are given the parameter `now`.
IS_HEAD = and_(_DELIVERY.c.state == "pending", _DELIVERY.c.seq == _LANE.c.head_seq)
LEASE_RUNS = and_(_LANE.c.lease_token.is_not(None), _LANE.c.due_at > bindparam("now"))

SHOWN_STATE = case((and_(IS_HEAD, LEASE_RUNS), literal_column(f"'{SENDING}'")), else_=_DELIVERY.c.state)
#: While a try runs, `due_at` is the end of its lease and no promise of another try.
NEXT_ATTEMPT_AT = case((and_(IS_HEAD, ~LEASE_RUNS), _LANE.c.due_at))
