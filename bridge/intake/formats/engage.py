"""Format `engage`: Genesys Engage digital channels; one event per entity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from bridge.events import Event
from bridge.intake.canonical import content_hash, document_key
from bridge.intake.formats.fields import JsonObject, is_identifier
from bridge.intake.formats.naming import LONGEST_WORD
from bridge.intake.formats.registry import register
from bridge.intake.formats.schemas import Tolerant, load
from bridge.violations import Violation

_FORM = "engage"
_OPERATION = re.compile(rf"[A-Za-z0-9_.-]{{1,{LONGEST_WORD}}}")


class _Operation(fields.Field[str]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _OPERATION.fullmatch(value):
            raise ValidationError(
                Violation("characters", f"Must be 1 to {LONGEST_WORD} of: letters, digits, dot, dash, underscore.")
            )
        return value


class _Entities(fields.List[dict[str, object]]):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(JsonObject(), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if value == []:
            raise ValidationError(Violation("length", "Must hold at least one entity."))
        return super()._deserialize(value, attr, data, **kwargs)


class _Data(Tolerant):
    entities = _Entities(required=True)


class _Notification(Tolerant):
    operation = _Operation(required=True, data_key="operationId")
    data = fields.Nested(_Data, required=True)


_NOTIFICATION = _Notification()


class EngageFormat:
    """`{operationId, data: {entities: […]}}`."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """An event `engage.<operationId>` per entity, about `engage:<its id>`; the entity is the payload."""
        notification = load(_NOTIFICATION, document, form=_FORM)
        operation = notification["operation"]
        return [_event(operation, entity, source) for entity in notification["data"]["entities"]]


def _event(operation: str, entity: dict[str, object], source: str) -> Event:
    content = {"operationId": operation, "entity": entity}
    entity_id = entity.get("id")
    return Event(
        type=f"engage.{operation}",
        subject=f"engage:{entity_id}" if is_identifier(entity_id) else f"unknown:{content_hash(content)}",
        payload=entity,
        content_key=document_key(source, content),
        content_is_unique="version" in entity,
    )


register(_FORM, EngageFormat())
