"""From marshmallow's error messages to field errors. It may not know a request, a format or a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from bridge.errors import FieldError

#: The words for marshmallow's own messages; what is not listed is `invalid`.
_RULES = {
    "Missing data for required field.": "required",
    "Field may not be null.": "required",
    "Invalid input type.": "type",
    "Not a valid string.": "type",
    "Not a valid integer.": "type",
    "Not a valid number.": "type",
    "Not a valid boolean.": "type",
    "Not a valid list.": "type",
    "Not a valid mapping type.": "type",
    "Unknown field.": "unknown",
}


class Violation(str):
    """A message for `ValidationError` that carries its rule, a stable word, along."""

    rule: str

    def __new__(cls, rule: str, message: str) -> Self:
        violation = super().__new__(cls, message)
        violation.rule = rule
        return violation


def field_errors(messages: object) -> tuple[FieldError, ...]:
    """`messages` of a marshmallow ValidationError, flattened: one FieldError per message, with dotted paths."""
    return tuple(_flatten(messages, path=""))


def _flatten(messages: object, *, path: str) -> Iterator[FieldError]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            # `_schema` is marshmallow's key for what concerns the object itself.
            yield from _flatten(below, path=path if key == "_schema" else f"{path}.{key}" if path else str(key))
    elif isinstance(messages, (list, tuple)):
        for message in messages:
            yield from _flatten(message, path=path)
    else:
        text = str(messages)
        rule = messages.rule if isinstance(messages, Violation) else _RULES.get(text, "invalid")
        yield FieldError(field=path or "body", rule=rule, message=text)
