"""`/replays`: orders to send many deliveries again. A worker carries them out."""

from __future__ import annotations

from bridge import signals
from bridge.admin.access import Right
from bridge.admin.api.delivery_shapes import ReplayCountsSchema, ReplayPageSchema, ReplaySchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import Answer, operation
from bridge.admin.api.queries import Listing, ReplayOrder, ReplayOrderSchema, ReplayQuerySchema
from bridge.admin.search.pages import Page, cut
from bridge.outbox.replay import ReplayProgress, list_replays, order_replay, preview_replay, replay_progress

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
    was never owed. `mode` `latest` sends only the newest version of each subject. `rate` is deliveries per second.
    """
    rooms = call.rooms
    if order.reason is None or order.dry_run:
        with rooms.database.read() as session:
            return Answer(200, preview_replay(session, order.filter, order.mode, rooms.wanted))
    with rooms.database.write() as session:
        replay_id = order_replay(
            session,
            order.filter,
            mode=order.mode,
            reason=order.reason,
            rate=order.rate,
            actor=call.caller.actor,
            now=call.now,
            notes=rooms.notes,
            wanted=rooms.wanted,
        )
        progress = replay_progress(session, replay_id)
    signals.work_recorded.send(Call)
    return Answer(202, progress)


@operation(blueprint, "GET", "/replays", right=Right.LOOK, query=ReplayQuerySchema, answers={200: ReplayPageSchema})
def get_replays(call: Call, asked: Listing[None]) -> Page[ReplayProgress]:
    """Replays with their progress, newest first

    A replay is carried out by a worker, below live traffic.
    """
    with call.rooms.database.read() as session:
        rows = list_replays(session, before_id=asked.page.before_id, limit=asked.page.limit + 1)
    return cut(ReplayQuerySchema.listed, asked.page, rows, lambda replay: replay.id)


@operation(blueprint, "GET", "/replays/<uuid:replay_id>", right=Right.LOOK, answers={200: ReplaySchema}, refusals=[404])
def get_replay(call: Call, replay_id: str) -> ReplayProgress:
    """One replay with its progress

    `completed` says that everything was selected; how the deliveries end, the counts tell.
    """
    with call.rooms.database.read() as session:
        return replay_progress(session, replay_id)
