"""`/replays`: orders to send many deliveries again. A worker carries them out."""

from __future__ import annotations

from bridge import signals
from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import Answer, operation
from bridge.admin.api.queries import Listing, ReasonGiven, ReasonSchema
from bridge.admin.api.replay_queries import ReplayOrder, ReplayOrderSchema, ReplayQuerySchema
from bridge.admin.api.replay_shapes import ReplayCountsSchema, ReplayPageSchema, ReplaySchema
from bridge.admin.search.pages import Page, cut
from bridge.outbox.replay_orders import (
    Steer,
    cancel_replay,
    order_replay,
    pause_replay,
    plan_replay,
    resume_replay,
)
from bridge.outbox.replay_progress import OrderedWithin, ReplayProgress, list_replays, replay_progress

blueprint = ApiBlueprint("replays", __name__, description="Orders to send again what a filter selects.")


@operation(
    blueprint,
    "POST",
    "/replays",
    right=Right.STEER,
    body=ReplayOrderSchema,
    answers={202: ReplaySchema, 200: ReplayCountsSchema},
)
def create_replay(call: Call, order: ReplayOrder) -> Answer:
    """Send again what the filter selects, or with `dry_run` count it

    `filter.state` is the state of the newest delivery of an event to the destination; `none` selects events that it
    was never owed. `mode` `latest` sends only the newest version of each subject, and tells how many it leaves out.
    `rate` is deliveries per second. Of two replays that select the same row the first sends it, the other counts it
    as `skipped`.
    """
    rooms = call.rooms
    with rooms.database.read() as session:  # it may take long, and no write should wait for it
        planned = plan_replay(session, order.filter, order.mode, rooms.wanted, now=call.now)
    if order.reason is None or order.dry_run:
        return Answer(200, planned.counts)
    with rooms.database.write() as session:
        replay_id = order_replay(
            session,
            planned,
            reason=order.reason,
            rate=order.rate,
            actor=call.caller.actor,
            now=call.now,
            notes=rooms.notes,
        )
        progress = replay_progress(session, replay_id)
    signals.work_recorded.send(Call)
    return Answer(202, progress)


@operation(blueprint, "GET", "/replays", right=Right.LOOK, query=ReplayQuerySchema, answers={200: ReplayPageSchema})
def get_replays(call: Call, asked: Listing[OrderedWithin]) -> Page[ReplayProgress]:
    """Replays with their progress, newest first

    A replay is carried out by a worker, below live traffic.
    """
    with call.rooms.database.read() as session:
        rows = list_replays(session, asked.filter, before_id=asked.page.before_id, limit=asked.page.limit + 1)
    return cut(ReplayQuerySchema.listed, asked.page, rows, lambda replay: replay.id)


@operation(blueprint, "GET", "/replays/<uuid:replay_id>", right=Right.LOOK, answers={200: ReplaySchema}, refusals=[404])
def get_replay(call: Call, replay_id: str) -> ReplayProgress:
    """One replay with its progress

    `completed` says that all of its deliveries have ended; how, the counts tell.
    """
    with call.rooms.database.read() as session:
        return replay_progress(session, replay_id)


@operation(
    blueprint,
    "POST",
    "/replays/<uuid:replay_id>/pause",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: ReplaySchema},
    refusals=[404, 409],
    differs={"state": "paused"},
)
def pause_one_replay(call: Call, order: ReasonGiven, replay_id: str) -> ReplayProgress:
    """Put nothing more of it into lanes until it is resumed

    What is in its lane already is sent. Refused with 409 where it is not running.
    """
    return _steered(call, order, pause_replay, replay_id)


@operation(
    blueprint,
    "POST",
    "/replays/<uuid:replay_id>/resume",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: ReplaySchema},
    refusals=[404, 409],
)
def resume_one_replay(call: Call, order: ReasonGiven, replay_id: str) -> ReplayProgress:
    """Let a paused replay go on from where it stands

    Refused with 409 where it is not paused.
    """
    return _steered(call, order, resume_replay, replay_id)


@operation(
    blueprint,
    "POST",
    "/replays/<uuid:replay_id>/cancel",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: ReplaySchema},
    refusals=[404, 409],
    differs={"state": "cancelled", "pending": 0, "cancelled": 5, "walking": False},
)
def cancel_one_replay(call: Call, order: ReasonGiven, replay_id: str) -> ReplayProgress:
    """End it, and cancel those of its deliveries that are pending and not being sent

    The first of them at once, the rest by workers: `finished_at` says when none is left. It cannot be resumed. Refused
    with 409 where it has ended.
    """
    return _steered(call, order, cancel_replay, replay_id)


def _steered(call: Call, order: ReasonGiven, steer: Steer, replay_id: str) -> ReplayProgress:
    with call.rooms.database.write() as session:
        steer(session, replay_id, reason=order.reason, actor=call.caller.actor, now=call.now, notes=call.rooms.notes)
        progress = replay_progress(session, replay_id)
    signals.work_recorded.send(Call)
    return progress
