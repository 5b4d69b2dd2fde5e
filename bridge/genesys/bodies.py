"""The fields that command bodies are made of, strict about their types. It may not know an operation's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from bridge.errors import FieldError
from bridge.genesys.errors import Invalid
from bridge.violations import Violation, field_errors

MOST_ID_CHARACTERS = 255

_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f]")
#: A date alone, or a time without its zone, would mean another moment on another machine.
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})", re.ASCII)


class Body(Schema):
    """An object of ours: a key that it does not know is an error."""

    error_messages = {  # noqa: RUF012 (marshmallow's own attribute)
        "unknown": Violation("unknown", "Not known here: leave it out."),
        "type": Violation("type", "Must be an object."),
    }

    class Meta:
        unknown = RAISE


class Text(fields.Field[str]):
    """A string of `shortest` to `longest` characters, one of `among` where that is given."""

    def __init__(
        self, *, shortest: int = 1, longest: int | None = None, among: Iterable[str] = (), **options: Any
    ) -> None:
        super().__init__(**options)
        self._shortest = shortest
        self._longest = longest
        self._among = tuple(among)

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        if not isinstance(value, str):
            raise ValidationError(Violation("type", "Must be a string."))
        if self._among and value not in self._among:
            raise ValidationError(Violation("choice", f"Must be one of {', '.join(self._among)}."))
        if len(value.strip()) < self._shortest:
            raise ValidationError(Violation("min_length", f"Must have at least {self._shortest} characters."))
        if self._longest is not None and len(value) > self._longest:
            raise ValidationError(Violation("max_length", f"Must have at most {self._longest} characters."))
        return value


class Identifier(fields.Field[str]):
    """An id: 1 to 255 characters, no control characters, and not a step in a path."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        if not isinstance(value, str):
            raise ValidationError(Violation("type", "Must be a string."))
        if not 1 <= len(value) <= MOST_ID_CHARACTERS:
            raise ValidationError(Violation("length", f"Must have 1 to {MOST_ID_CHARACTERS} characters."))
        # Of dots alone percent-encoding leaves dots: `..` would name another path.
        if _CONTROL_CHARACTERS.search(value) or value in (".", ".."):
            raise ValidationError(Violation("characters", "Must be an id without control characters."))
        return value


class Whole(fields.Field[int]):
    """An integer from `least` to `most`; neither a boolean nor 5.0."""

    def __init__(self, *, least: int = 0, most: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._least = least
        self._most = most

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(Violation("type", "Must be an integer."))
        if value < self._least or (self._most is not None and value > self._most):
            upper = "or more" if self._most is None else f"to {self._most}"
            raise ValidationError(Violation("range", f"Must be {self._least} {upper}."))
        return value


class Flag(fields.Field[bool]):
    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(Violation("type", "Must be true or false."))
        return value


class Moment(fields.Field[datetime]):
    """An ISO 8601 date and time with its zone."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> datetime:
        moment = zoned(value)
        if moment is None:
            raise ValidationError(Violation("date_time", "Must be an ISO 8601 date and time with a zone."))
        return moment


class Attributes(fields.Field[Mapping[str, object]]):
    """An object with at least `least` entries; every entry is checked by `_entry_error`, which allows strings."""

    def __init__(self, *, least: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self._least = least

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> Mapping[str, object]:
        if not isinstance(value, Mapping):
            raise ValidationError(Violation("type", "Must be an object."))
        if len(value) < self._least:
            raise ValidationError(Violation("required", f"Must have at least {self._least} entry."))
        wrong = {str(key)[:128]: [error] for key, one in value.items() if (error := self._entry_error(key, one))}
        if wrong:
            raise ValidationError(wrong)
        return value

    def _entry_error(self, key: object, value: object) -> Violation | None:
        if not isinstance(key, str) or not key:
            return Violation("key", "A key must have at least 1 character.")
        return None if isinstance(value, str) else Violation("type", "Must be a string.")


def zoned(value: object) -> datetime | None:
    """`value` as an aware time, None where it is no ISO 8601 date-time with a zone."""
    if not isinstance(value, str) or not _DATE_TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:  # 30 February
        return None


def sift(schema: Schema, body: Mapping[str, object]) -> tuple[dict[str, Any], list[FieldError]]:
    """What of `body` is valid, and everything that is wrong with the rest."""
    try:
        read: dict[str, Any] = schema.load(body)
    except ValidationError as wrong:
        valid = wrong.valid_data if isinstance(wrong.valid_data, dict) else {}
        return valid, list(field_errors(wrong.messages))
    return read, []


def refuse(errors: Iterable[FieldError]) -> None:
    """Raises Invalid where there are errors."""
    found = list(errors)
    if found:
        raise Invalid(found)


def read_body(schema: Schema, body: Mapping[str, object]) -> dict[str, Any]:
    """`body` as `schema` reads it. Raises Invalid naming every violation."""
    read, errors = sift(schema, body)
    refuse(errors)
    return read
