"""The marshmallow fields that several formats share. They may not know a format.

Light on purpose: marshmallow's own fields with validators cost three times as much, on every event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeGuard

from marshmallow import ValidationError, fields

from bridge.violations import Violation

MAX_ID_LENGTH = 255
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f]")
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Moment(NamedTuple):
    """A point in time: the text as it was sent, and what it means (aware, UTC)."""

    text: str
    utc: datetime


class Identifier(fields.Field[str]):
    """A string of 1 to `longest` characters, none of them a control character."""

    def __init__(self, *, longest: int = MAX_ID_LENGTH, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return _checked_id(value, self._longest)


class ReferenceId(fields.Field[str]):
    """The identifier in an object `{"id": …}`: all that is wanted of it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, dict):
            raise ValidationError(Violation("type", "Must be an object."))
        if "id" not in value:
            raise ValidationError({"id": [Violation("required", "Must be there.")]})
        try:
            return _checked_id(value["id"], MAX_ID_LENGTH)
        except ValidationError as wrong:
            raise ValidationError({"id": wrong.messages}) from None


class Choice(fields.Field[str]):
    """One of several words, exactly as they are."""

    def __init__(self, *choices: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self._choices:
            raise ValidationError(Violation("choice", f"Must be one of: {', '.join(self._choices)}."))
        return value


class Version(fields.Field[Any]):
    """A version: an integer from 0, or a string of 1 to 255 characters; with `digits_only` only ASCII digits.

    Gives it as it was sent.
    """

    def __init__(self, *, digits_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._digits_only = digits_only

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str | int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH:
            digits = value.isascii() and value.isdigit()
            if digits or not (self._digits_only or _CONTROL_CHARACTER.search(value)):
                return value
        form = "ASCII digits" if self._digits_only else f"1 to {MAX_ID_LENGTH} characters without control characters"
        raise ValidationError(Violation("version", f"Must be an integer from 0, or a string of {form}."))


class Timestamp(fields.Field[Moment]):
    """A date and time with its zone (RFC 3339)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Moment:
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            try:
                return Moment(value, datetime.fromisoformat(value.upper()).astimezone(UTC))
            except (ValueError, OverflowError):  # 30 February; year 1 east of Greenwich
                pass
        raise ValidationError(
            Violation("timestamp", "Must be a date and time with zone as in RFC 3339, like 2026-05-01T10:00:00Z.")
        )


class JsonObject(fields.Field[dict[str, object]]):
    """An object, taken as it is."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, object]:
        if not isinstance(value, dict):
            raise ValidationError(Violation("type", "Must be an object."))
        return value


def is_identifier(value: object) -> TypeGuard[str]:
    """True where `value` would pass as an Identifier."""
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH and not _CONTROL_CHARACTER.search(value)


def _checked_id(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise ValidationError(Violation("type", "Must be a string."))
    if not 1 <= len(value) <= longest:
        raise ValidationError(Violation("length", f"Must have 1 to {longest} characters."))
    if _CONTROL_CHARACTER.search(value):
        raise ValidationError(Violation("characters", "May not hold control characters."))
    return value
