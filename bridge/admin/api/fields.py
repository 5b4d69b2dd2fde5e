"""The kinds of values that the API takes and gives, strict: a number is no text, a text no number.

They may not echo a value. Each says in its `metadata` what it checks, so that OpenAPI tells the same; what a value
means, and an example of it, whoever uses the field adds with `metadata=told(…)`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields

from bridge.clock import rfc3339
from bridge.intake.formats.fields import Identifier, Timestamp
from bridge.violations import Violation

_DIGITS = re.compile("[0-9]{1,9}")
_TIMESTAMP = Timestamp()
_LONGEST_REASON = 1000
Metadata = Mapping[str, Any] | None
# For OpenAPI, in the words of ECMA 262; what is checked is said in Python below.
NO_CONTROL_CHARACTERS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_CONTROLS = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
_NOT_BLANK = rf"^[^{_CONTROLS}]*[^{_CONTROLS}\s][^{_CONTROLS}]*$"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def told(meaning: str, *examples: object, **more: object) -> dict[str, Any]:
    """The `metadata` of a field for OpenAPI: what it means, with its unit, and how it may look."""
    return {"description": meaning, **({"examples": list(examples)} if examples else {}), **more}


class Id(fields.String):
    """A UUID as text; every one that the bridge makes is a UUIDv7. Only given, never taken."""

    def __init__(self, *, metadata: Metadata = None, **options: Any) -> None:
        super().__init__(metadata={"format": "uuid", **(metadata or {})}, **options)


class Word(fields.String):
    """One of several words, as it is given."""

    def __init__(self, words: Iterable[str], *, metadata: Metadata = None, **options: Any) -> None:
        enum: list[str | None] = [*words, *([None] if options.get("allow_none") else [])]
        super().__init__(metadata={"enum": enum, **(metadata or {})}, **options)


class Count(fields.Integer):
    """A whole number from 0 on, as it is given."""

    def __init__(self, *, metadata: Metadata = None, **options: Any) -> None:
        super().__init__(metadata={"minimum": 0, **(metadata or {})}, **options)


class Line(fields.String):
    """Text of 1 to `longest` characters without control characters."""

    def __init__(self, *, longest: int = 255, metadata: Metadata = None, **options: Any) -> None:
        checks = {"minLength": 1, "maxLength": longest, "pattern": NO_CONTROL_CHARACTERS}
        super().__init__(metadata={**checks, **(metadata or {})}, **options)
        self._rule = Identifier(longest=longest)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        return str(self._rule.deserialize(value))


class Reason(fields.String):
    """Why somebody does something, in their words: text of 1 to 1000 characters, not blank; line ends are fine."""

    def __init__(self, **options: Any) -> None:
        checks = {"minLength": 1, "maxLength": _LONGEST_REASON, "pattern": _NOT_BLANK}
        meaning = told("Why, in a sentence: the audit keeps it.", "the receiver was mended")
        super().__init__(metadata={**checks, **meaning}, **options)

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

    def __init__(self, words: Collection[str], *, metadata: Metadata = None, **options: Any) -> None:
        super().__init__(metadata={"enum": list(words), **(metadata or {})}, **options)
        self._words = words

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, str) or value not in self._words:
            raise ValidationError(Violation("enum", f"Must be one of {', '.join(self._words)}."))
        return value


class Whole(fields.Integer):
    """A whole number within bounds, as the text of a query."""

    def __init__(self, least: int, most: int, *, metadata: Metadata = None, **options: Any) -> None:
        super().__init__(metadata={"minimum": least, "maximum": most, **(metadata or {})}, **options)
        self._bounds = range(least, most + 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if not isinstance(value, str) or not _DIGITS.fullmatch(value) or int(value) not in self._bounds:
            bounds = f"from {self._bounds.start} to {self._bounds.stop - 1}"
            raise ValidationError(Violation("range", f"Must be a whole number {bounds}."))
        return int(value)


class Rate(fields.Float):
    """A JSON number of so many per second, more than 0."""

    def __init__(self, *, most: float, metadata: Metadata = None, **options: Any) -> None:
        super().__init__(metadata={"exclusiveMinimum": 0, "maximum": most, **(metadata or {})}, **options)
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
