"""The kinds of values that the API takes and gives, strict: a number is no text, a text no number.

They may not echo a value. Each says in its `metadata` what it checks, so that OpenAPI tells the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields

from bridge.clock import rfc3339
from bridge.intake.formats.fields import Identifier, Timestamp
from bridge.violations import Violation

_DIGITS = re.compile("[0-9]{1,9}")
_TIMESTAMP = Timestamp()
_LONGEST_REASON = 1000
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Line(fields.String):
    """Text of 1 to `longest` characters without control characters."""

    def __init__(self, *, longest: int = 255, **options: Any) -> None:
        super().__init__(metadata={"minLength": 1, "maxLength": longest}, **options)
        self._rule = Identifier(longest=longest)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        return str(self._rule.deserialize(value))


class Reason(fields.String):
    """Why somebody does something, in their words: text of 1 to 1000 characters, not blank; line ends are fine."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"minLength": 1, "maxLength": _LONGEST_REASON, "pattern": r"\S"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(Violation("type", "Must be a string."))
        if not value.strip():
            raise ValidationError(Violation("required", "Say why, in a sentence: the audit keeps it."))
        if len(value) > _LONGEST_REASON or _CONTROL_CHARACTER.search(value):
            message = f"May have {_LONGEST_REASON} characters, none of them a control character but line ends."
            raise ValidationError(Violation("text", message))
        return value


class Choice(fields.String):
    """One of several words."""

    def __init__(self, words: Collection[str], **options: Any) -> None:
        super().__init__(metadata={"enum": list(words)}, **options)
        self._words = words

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str) or value not in self._words:
            raise ValidationError(Violation("enum", f"Must be one of {', '.join(self._words)}."))
        return value


class Whole(fields.Integer):
    """A whole number within bounds, as the text of a query."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(metadata={"minimum": least, "maximum": most}, **options)
        self._bounds = range(least, most + 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value) or int(value) not in self._bounds:
            bounds = f"from {self._bounds.start} to {self._bounds.stop - 1}"
            raise ValidationError(Violation("range", f"Must be a whole number {bounds}."))
        return int(value)


class Rate(fields.Float):
    """A JSON number of so many per second, more than 0."""

    def __init__(self, *, most: float, **options: Any) -> None:
        super().__init__(metadata={"exclusiveMinimum": 0, "maximum": most}, **options)
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= self._most:
            raise ValidationError(
                Violation("range", f"Must be a number of more than 0 and at most {self._most:g} per second.")
            )
        return float(value)


class Flag(fields.Boolean):
    """true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(Violation("type", "Must be true or false."))
        return value


class Moment(fields.AwareDateTime):
    """A date and time with zone (RFC 3339); given in UTC."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> datetime:
        moment: datetime = _TIMESTAMP.deserialize(value).utc
        return moment
