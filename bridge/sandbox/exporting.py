"""Export jobs towards a data lake, taken and remembered. It may not know HTTP, and copies nothing anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.sandbox.model import Export
from bridge.sandbox.reading import Fields
from bridge.sandbox.world import World

#: `id eq '<id>'`, a quote in the id doubled.
_QUERY = re.compile(r"id eq '(?:[^']|'')+'")


def submit(world: World, body: Mapping[str, object]) -> dict[str, object]:
    """The job. Raises `Refused` (400) naming every violation."""
    fields = Fields(body)
    fields.only(("name", "type", "filter", "export"))
    fields.text("name")
    fields.text("type", among=("streaming",))
    wanted = fields.inside("filter")
    wanted.text("type", among=("interaction", "conversation", "customObjectRecord"))
    if not _QUERY.fullmatch(wanted.text("query", most=1000)):
        wanted.refuse("query", "syntax", "must be id eq '…', with a quote inside doubled")
    target = fields.inside("export")
    target.text("type", among=("s3",))
    configuration = target.inside("configuration")
    configuration.text("bucket")
    configuration.text("path")
    fields.check()
    with world.lock:
        export = Export(id=world.ids.new("export"), at=world.clock(), request=dict(body))
        world.exports[export.id] = export
        return export.as_json()
