"""The rules of record schemas, compiled from the configuration to marshmallow. It may not know where a record goes.

Numbers are compared as decimals, never as floats: a JSON number stands for its shortest text. Fields that a schema does
not declare are allowed and not checked by themselves; cross-field rules may still name them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from bridge.errors import FieldError
from bridge.genesys.bodies import sift, zoned
from bridge.settings.model import FieldRule, MaxProduct, RecordRule, RecordSchema
from bridge.violations import Violation

_NUMBER = re.compile(r"-?\d{1,100}(\.\d{1,100})?", re.ASCII)


class RecordRules:
    """The rules of every declared schema; built once."""

    def __init__(self, schemas: Iterable[RecordSchema]) -> None:
        self._schemas = {schema.name: _compiled(schema) for schema in schemas}

    def violations(self, schema: str, record: Mapping[str, object]) -> list[FieldError]:
        """Everything that `record` breaks, each named `fields.<name>`; nothing for a schema that is not declared."""
        compiled = self._schemas.get(schema)
        if compiled is None:
            return []
        _, errors = sift(compiled, record)
        return [_below_fields(error) for error in errors]


def as_decimal(value: object) -> Decimal | None:
    """A JSON number, or a number as text, as the decimal that was written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    number = Decimal(value if isinstance(value, int) else str(value))
    return number if number.is_finite() else None


def same(value: object, other: object) -> bool:
    """Equal as JSON values: 5 and 5.0 are, 1 and true are not, 1 and "1" are not."""
    if isinstance(value, bool) or isinstance(other, bool) or isinstance(value, str) or isinstance(other, str):
        return type(value) is type(other) and value == other
    number, expected = as_decimal(value), as_decimal(other)
    return value == other if number is None or expected is None else number == expected


def _compiled(schema: RecordSchema) -> Schema:
    declared: dict[str, Any] = {name: _Declared(rule, required=rule.required) for name, rule in schema.fields.items()}
    declared["_rules"] = schema.rules
    compiled: Schema = type(f"{schema.name}Record", (_Record,), declared)()
    return compiled


class _Record(Schema):
    _rules: tuple[RecordRule, ...] = ()

    class Meta:
        unknown = INCLUDE

    @validates_schema(skip_on_field_errors=False)
    def _check_rules(self, record: Mapping[str, object], **kwargs: object) -> None:
        """On the fields that are right by themselves, so that one error does not hide another."""
        wrong: dict[str, list[Violation]] = {}
        for rule in self._rules:
            for name, violation in _broken(rule, record):
                wrong.setdefault(name, []).append(violation)
        if wrong:
            raise ValidationError(wrong)


class _Declared(fields.Field[object]):
    """One declared field; gives the value as it was sent."""

    def __init__(self, rule: FieldRule, *, required: bool) -> None:
        super().__init__(required=required, allow_none=not required)
        self._rule = rule
        self._pattern = re.compile(rule.pattern, re.ASCII) if rule.pattern is not None else None

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> object:
        rule = self._rule
        is_of_type, named = _TYPES[rule.type]
        if not is_of_type(value):
            raise ValidationError(Violation("type", f"Must be {named}."))
        violations = [*self._text_violations(value), *_range_violations(rule, value)]
        if rule.enum is not None and not any(same(value, allowed) for allowed in rule.enum):
            listed = ", ".join(str(allowed) for allowed in rule.enum)
            violations.append(Violation("choice", f"Must be one of {listed}."))
        if violations:
            raise ValidationError(list(violations))
        return value

    def _text_violations(self, value: object) -> Iterable[Violation]:
        """The whole text must match: `$` alone would let a line end through, `\\d` the digits of every script."""
        if not isinstance(value, str):
            return
        if self._pattern is not None and not self._pattern.fullmatch(value):
            yield Violation("pattern", f"Must match {self._pattern.pattern}.")
        if self._rule.max_length is not None and len(value) > self._rule.max_length:
            yield Violation("max_length", f"Must have at most {self._rule.max_length} characters.")


def _range_violations(rule: FieldRule, value: object) -> Iterable[Violation]:
    number = as_decimal(value) if rule.type in ("integer", "decimal") else None
    if number is None:
        return
    if rule.min is not None and number < rule.min:
        yield Violation("min", f"Must be {rule.min} or more.")
    if rule.max is not None and number > rule.max:
        yield Violation("max", f"Must be {rule.max} or less.")
    if rule.min_exclusive is not None and number <= rule.min_exclusive:
        yield Violation("min_exclusive", f"Must be more than {rule.min_exclusive}.")
    if rule.max_exclusive is not None and number >= rule.max_exclusive:
        yield Violation("max_exclusive", f"Must be less than {rule.max_exclusive}.")


def _broken(rule: RecordRule, record: Mapping[str, object]) -> Iterable[tuple[str, Violation]]:
    """The fields that break `rule`, each with what is wrong."""
    if rule.forbid and all(name in record and same(record[name], bad) for name, bad in rule.forbid.items()):
        first, *others = rule.forbid
        yield first, Violation("forbid", f"This value is not allowed together with that of {', '.join(others)}.")
    for name in rule.require or ():
        if record.get(name) is None:
            yield name, Violation("required", "This schema requires the field.")
    if rule.max_product is not None and _product_exceeds(rule.max_product, record):
        first, *others = rule.max_product.fields
        yield first, Violation("max_product", f"Times {', '.join(others)} must be {rule.max_product.limit} or less.")


def _product_exceeds(rule: MaxProduct, record: Mapping[str, object]) -> bool:
    product = Fraction(1)  # exact: a Decimal product is rounded to 28 digits
    for name in rule.fields:
        factor = as_decimal(record.get(name))
        if factor is None:
            return False
        product *= Fraction(factor)
    return product > Fraction(rule.limit)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "a string"),
    "integer": (_is_whole, "an integer"),
    "decimal": (lambda value: as_decimal(value) is not None, "a number"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "datetime": (lambda value: zoned(value) is not None, "an ISO 8601 date and time with a zone"),
}


def _below_fields(error: FieldError) -> FieldError:
    return FieldError(field=f"fields.{error.field}", rule=error.rule, message=error.message)
