"""`/interactions`, `/conversations`, `/merges`, `/records`: what is to be changed in Genesys, each as a command.

They may not change anything themselves: a worker carries the commands out.
"""

from __future__ import annotations

from bridge.admin.access import Right
from bridge.admin.api.command_forms import (
    ConversationUpdateSchema,
    InteractionUpdateSchema,
    Manner,
    MannerSchema,
    MergeSchema,
    RecordUpdateSchema,
    Wish,
)
from bridge.admin.api.command_shapes import HistorySchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.giving import ANSWERS, REFUSALS, give
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import Answer, operation
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATE, INTERACTION_MERGE, INTERACTION_UPDATE, RECORD_UPDATE

blueprint = ApiBlueprint("changes", __name__, description="What is to be changed in Genesys, each as a command.")


@operation(
    blueprint,
    "PATCH",
    "/interactions/<path:interaction_id>",
    right=Right.COMMAND,
    headers=MannerSchema,
    body=InteractionUpdateSchema,
    answers=ANSWERS,
    refusals=REFUSALS,
)
def update_interaction(call: Call, manner: Manner, wish: Wish, interaction_id: str) -> Answer:
    """Set attributes or the disposition of an interaction, enriched from the CRM

    The CRM is asked about the customer first, and what it says goes along with your attributes.
    """
    return give(call, INTERACTION_UPDATE, wish, manner, interaction_id=interaction_id)


@operation(
    blueprint,
    "PATCH",
    "/conversations/<path:conversation_id>/attributes",
    right=Right.COMMAND,
    headers=MannerSchema,
    body=ConversationUpdateSchema,
    answers=ANSWERS,
    refusals=REFUSALS,
)
def update_conversation_attributes(call: Call, manner: Manner, wish: Wish, conversation_id: str) -> Answer:
    """Set attributes of a conversation, under the version that stands

    Where somebody else is faster, it is read again, checked again and sent again.
    """
    return give(call, CONVERSATION_ATTRIBUTES_UPDATE, wish, manner, conversation_id=conversation_id)


@operation(
    blueprint,
    "POST",
    "/merges",
    right=Right.COMMAND,
    headers=MannerSchema,
    body=MergeSchema,
    answers=ANSWERS,
    refusals=REFUSALS,
)
def merge_interactions(call: Call, manner: Manner, wish: Wish) -> Answer:
    """Merge several interactions of one customer into one

    Refused with 409 while another open merge holds one of them.
    """
    return give(call, INTERACTION_MERGE, wish, manner)


@operation(
    blueprint,
    "PUT",
    "/records/<string:schema>/<record:record_id>",
    right=Right.COMMAND,
    headers=MannerSchema,
    body=RecordUpdateSchema,
    answers=ANSWERS,
    refusals=REFUSALS,
)
def update_record(call: Call, manner: Manner, wish: Wish, schema: str, record_id: str) -> Answer:
    """Write a custom-object record under the version that you saw

    Where it has another one by now, `on_conflict` decides: `fail` tells both versions, `retry` changes your fields once
    more unless somebody else has changed one of them, `overwrite` says that yours win.
    """
    return give(call, RECORD_UPDATE, wish, manner, schema=schema, record_id=record_id)


@operation(
    blueprint,
    "GET",
    "/records/<string:schema>/<path:record_id>/history",
    right=Right.LOOK,
    answers={200: HistorySchema},
    refusals=(404, 422, 503),
)
def get_record_history(call: Call, schema: str, record_id: str) -> dict[str, object]:
    """Every change of a record, read from Genesys now

    Nothing is kept here: 503 where Genesys does not answer.
    """
    return {"items": call.rooms.commands.history.entries(schema, record_id), "next": None}
