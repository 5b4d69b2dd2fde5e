"""The tables [schemas.NAME]: what the records of a custom object must be like. It may not check a record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Final

from marshmallow import ValidationError

from bridge.settings.fields import Choice, Exact, Flag, Several, Text, Value, Whole, nearest
from bridge.settings.model import FieldRule, MaxProduct, RecordRule
from bridge.settings.section import Named, Problem, Section, nested, nested_list

#: Ids are 1 to 255 characters without control characters (spec, part 9).
RECORD_NAME: Final = r"[^\x00-\x1f\x7f]{1,255}"
RECORD_NAME_RULE: Final = "must have 1 to 255 characters, none of them a control character"

_NUMBERS: Final = ("integer", "decimal")
#: Which types of field a rule makes sense for.
_RULE_IS_FOR: Final = {
    "pattern": ("string",),
    "max_length": ("string",),
    "min": _NUMBERS,
    "max": _NUMBERS,
    "min_exclusive": _NUMBERS,
    "max_exclusive": _NUMBERS,
}
_PYTHON_TYPES: Final = {
    "string": (str,),
    "integer": (int,),
    "decimal": (int, Decimal),
    "boolean": (bool,),
    "datetime": (str,),
}
Scalar = str | int | Decimal | bool


class Pattern(Value[str]):
    """A regular expression of Python's `re`."""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValidationError("must be a regular expression as text, not empty")
        try:
            re.compile(value)
        except re.error as invalid:
            place = "" if invalid.pos is None else f" (at character {invalid.pos + 1})"
            raise ValidationError(f"is not a regular expression of Python's re{place}") from None
        return value


class Plain(Value[Scalar]):
    """Text, a number, or true or false."""

    def read(self, value: object) -> Scalar:
        if not isinstance(value, Scalar) or (isinstance(value, Decimal) and not value.is_finite()):
            raise ValidationError("must be text, a number, true or false")
        return value


class Values(Value[Mapping[str, Scalar]]):
    """Field names with the value that each is compared to."""

    def read(self, value: object) -> Mapping[str, Scalar]:
        if not isinstance(value, Mapping) or not value:
            raise ValidationError('must be a table like { status = "reserved", quantity = 0 }, not empty')
        plain = Plain()
        return MappingProxyType({name: plain.read(item) for name, item in value.items()})


class FieldSection(Section):
    builds: ClassVar[Any] = dict

    type = Choice(tuple(_PYTHON_TYPES), required=True)
    required = Flag()
    pattern = Pattern()
    min = Exact()
    max = Exact()
    min_exclusive = Exact()
    max_exclusive = Exact()
    enum = Several(Plain(), least=1)
    max_length = Whole(1)

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        kind = valid.get("type")
        for key, types in _RULE_IS_FOR.items():
            if kind is not None and key in given and kind not in types:
                yield (key,), f"is for type {' or '.join(types)}; take it out, or change the type"
        for position, item in enumerate(valid.get("enum", ())):
            if kind is not None and not _is_of(item, kind):
                yield ("enum", position), f"must be of the field's type, {kind}"
        for key in ("min", "max"):
            if key in given and f"{key}_exclusive" in given:
                yield (key,), f"and {key}_exclusive exclude each other; keep one of them"
        low = valid.get("min", valid.get("min_exclusive"))
        high = valid.get("max", valid.get("max_exclusive"))
        if low is not None and high is not None and low > high:
            yield ("max" if "max" in given else "max_exclusive",), "must not be less than the least value"


class MaxProductSection(Section):
    builds = MaxProduct

    fields_ = Several(Text(), least=1, required=True, data_key="fields", attribute="fields")
    limit = Exact(required=True)


class RuleSection(Section):
    builds = RecordRule

    forbid = Values()
    require = Several(Text(), least=1)
    max_product = nested(MaxProductSection)

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        if len(given.keys() & {"forbid", "require", "max_product"}) != 1:
            yield ("_schema",), "must say exactly one of forbid, require and max_product"


class RecordSchemaSection(Section):
    """One record schema, without its name."""

    builds: ClassVar[Any] = dict

    fields_ = Named(
        FieldSection,
        lambda _, rules: FieldRule(**rules),
        names=RECORD_NAME,
        rule=RECORD_NAME_RULE,
        required=True,
        data_key="fields",
        attribute="fields",
    )
    record_rules = nested_list(RuleSection, data_key="rules", attribute="rules")

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        known, declared = given.get("fields"), valid.get("fields", {})
        if not isinstance(known, Mapping):
            return
        for position, rule in enumerate(valid.get("rules", ())):
            if not isinstance(rule, RecordRule):  # wrong by itself, and reported so
                continue
            for key, name in _named(rule):
                path = ("rules", position, *key)
                if name not in known:
                    guess = nearest(name, [str(field) for field in known])
                    meant = f"; did you mean {guess}?" if guess else ""
                    yield path, f"names a field that the schema does not have{meant}"
                elif key[0] == "max_product" and name in declared and declared[name].type not in _NUMBERS:
                    yield path, "names a field that is no number; multiply integer and decimal fields only"


def _named(rule: RecordRule) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The fields that a rule names, each with where it does."""
    for name in rule.forbid or ():
        yield ("forbid", name), name
    for position, name in enumerate(rule.require or ()):
        yield ("require", position), name
    if rule.max_product:
        for position, name in enumerate(rule.max_product.fields):
            yield ("max_product", "fields", position), name


def _is_of(item: Scalar, kind: str) -> bool:
    return isinstance(item, _PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(item, bool))
