"""How formats read documents with marshmallow, and how they refuse them. It may not know any format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from bridge.errors import FieldError, Invalid
from bridge.intake.formats.fields import ReferenceId
from bridge.violations import Violation, field_errors


class Tolerant(Schema):
    """Unknown fields are allowed; nested schemas do not inherit that, so each one derives from here."""

    class Meta:
        unknown = EXCLUDE


def load(schema: Schema, document: object, *, form: str) -> dict[str, Any]:
    """The fields of `document` by the attribute names of `schema`. Raises Invalid, naming the format `form`."""
    if not isinstance(document, dict):
        raise not_of_form(form, [FieldError(field="body", rule="type", message="Must be an object.")])
    try:
        loaded: dict[str, Any] = schema.load(document)
    except ValidationError as wrong:
        raise not_of_form(form, field_errors(wrong.messages)) from None
    return loaded


def load_flat(
    schema: Schema, document: Mapping[str, object], part: str, *, form: str, beside: Sequence[str] = ()
) -> dict[str, Any]:
    """The fields of the object `document[part]`, known to `schema` as `part.name`, and those named `beside` it.

    Marshmallow's cost is per schema, and every nested one is another: one level with dotted names takes two thirds.
    Raises Invalid, naming the format `form`.
    """
    inner = document.get(part)
    flat = {f"{part}.{key}": value for key, value in inner.items()} if isinstance(inner, dict) else {}
    flat.update({key: document[key] for key in beside if key in document})
    try:
        loaded: dict[str, Any] = schema.load(flat)
    except ValidationError as wrong:
        messages = wrong.messages_dict
        if not isinstance(inner, dict):  # then this is what is wrong, not each of its fields
            rule, message = ("type", "Must be an object.") if part in document else ("required", "Must be there.")
            messages = {path: text for path, text in messages.items() if path in beside}
            messages[part] = [Violation(rule, message)]
        raise not_of_form(form, field_errors(messages)) from None
    return loaded


def unread_fields(schema: Schema, document: object, *, beside: Iterable[str] = ()) -> list[str]:
    """Dotted paths of what `document` holds and `schema` does not know, but for what is named `beside` it (below which
    nothing is looked at)."""
    known: dict[str, Any] = dict.fromkeys(beside)
    for name, field in schema.fields.items():
        *above, last = (field.data_key or name).split(".")
        place = known
        for part in above:
            place = place.setdefault(part, {})
        place[last] = _known_below(field)
    return list(_unknown(document, known, ""))


def _known_below(field: fields.Field[Any]) -> dict[str, Any] | None:
    """The names below a field that are read, as a tree; None: all of it is."""
    if isinstance(field, fields.Nested):
        return {below.data_key or name: _known_below(below) for name, below in field.schema.fields.items()}
    return {"id": None} if isinstance(field, ReferenceId) else None


def _unknown(document: object, known: Mapping[str, Any], above: str) -> Iterator[str]:
    for key, value in document.items() if isinstance(document, Mapping) else ():
        if key not in known:
            yield f"{above}{key}"
        elif known[key] is not None:
            yield from _unknown(value, known[key], f"{above}{key}.")


def not_of_form(form: str, errors: Iterable[FieldError]) -> Invalid:
    """The refusal of a document that is JSON, but not of the format `form`."""
    return Invalid(f"The body is JSON, but not of the format {form}.", errors=errors)
