"""The rules of record schemas."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.genesys.record_rules import RecordRules, as_decimal, same
from bridge.settings.model import FieldRule, MaxProduct, RecordRule, RecordSchema

INVENTORY_ITEM = RecordSchema(
    name="InventoryItem",
    fields={
        "sku": FieldRule(type="string", pattern=r"^[A-Z]{2}-\d{4}$", required=True),
        "quantity": FieldRule(type="integer", min=Decimal(0)),
        "price": FieldRule(type="decimal", min_exclusive=Decimal(0)),
    },
    rules=(
        RecordRule(forbid={"status": "reserved", "quantity": 0}),
        RecordRule(max_product=MaxProduct(fields=("price", "quantity"), limit=Decimal(100_000))),
    ),
)
RULES = RecordRules([INVENTORY_ITEM])
ITEM: dict[str, object] = {"sku": "AB-1234", "quantity": 5, "price": 9.99, "status": "available"}


def broken(**changes: object) -> list[tuple[str, str]]:
    return [(wrong.field, wrong.rule) for wrong in RULES.violations("InventoryItem", {**ITEM, **changes})]


def broken_by(rule: FieldRule, value: object) -> list[str]:
    rules = RecordRules([RecordSchema(name="S", fields={"f": rule})])
    return [wrong.rule for wrong in rules.violations("S", {"f": value})]


def test_an_item_that_keeps_the_rules_passes() -> None:
    assert broken() == []


@pytest.mark.parametrize("sku", ["AB-1234", "ZZ-0000"])
def test_a_sku_of_two_capitals_and_four_digits_passes(sku: str) -> None:
    assert broken(sku=sku) == []


@pytest.mark.parametrize(
    "sku", ["ab-1234", "AB-123", "AB-12345", "ABC-1234", "AB1234", "", " AB-1234", "AB-1234\n", "AB-١٢٣٤", "ÄB-1234"]
)
def test_any_other_sku_is_refused(sku: str) -> None:
    assert broken(sku=sku) == [("fields.sku", "pattern")]


@pytest.mark.parametrize(
    ("quantity", "rule"),
    [(0, None), (1, None), (-1, "min"), (1.0, "type"), ("1", "type"), (True, "type")],
)
def test_a_quantity_is_an_integer_from_0(quantity: object, rule: str | None) -> None:
    assert broken(quantity=quantity) == ([] if rule is None else [("fields.quantity", rule)])


@pytest.mark.parametrize(
    ("price", "rule"),
    [
        (0.01, None),
        ("0.01", None),
        (1, None),
        (0, "min_exclusive"),
        (0.0, "min_exclusive"),
        (-0.01, "min_exclusive"),
        ("free", "type"),
        ("1e3", "type"),
        (" 1", "type"),
        ("1_000", "type"),
        ("١", "type"),
        (float("nan"), "type"),
        (float("inf"), "type"),
        (True, "type"),
    ],
)
def test_a_price_is_a_number_above_0(price: object, rule: str | None) -> None:
    assert broken(price=price) == ([] if rule is None else [("fields.price", rule)])


@pytest.mark.parametrize(
    ("status", "quantity", "right"), [("reserved", 1, True), ("reserved", 0, False), ("sold", 0, True)]
)
def test_reserved_is_not_allowed_with_quantity_0(status: str, quantity: int, right: bool) -> None:
    assert broken(status=status, quantity=quantity) == ([] if right else [("fields.status", "forbid")])


@pytest.mark.parametrize(
    ("price", "quantity", "right"),
    [
        (1000, 100, True),
        (1000.01, 100, False),
        (0.1, 1_000_000, True),
        (0.1, 1_000_001, False),
        ("33333.33", 3, True),
        ("33333.34", 3, False),
        ("100000.000000000000000000000000000000000001", 1, False),
        ("0.00000000000000000000000000000000000001", 10**12, True),
    ],
)
def test_price_times_quantity_is_at_most_100000_exactly(price: object, quantity: int, right: bool) -> None:
    assert broken(price=price, quantity=quantity) == ([] if right else [("fields.price", "max_product")])


def test_every_violation_is_told_at_once() -> None:
    found = broken(sku="x", quantity=0, price=-1, status="reserved")
    assert set(found) == {
        ("fields.sku", "pattern"),
        ("fields.price", "min_exclusive"),
        ("fields.status", "forbid"),
    }


def test_a_required_field_may_neither_lack_nor_be_null() -> None:
    assert [w.rule for w in RULES.violations("InventoryItem", {"quantity": 1})] == ["required"]
    assert broken(sku=None) == [("fields.sku", "required")]


def test_other_fields_may_be_null_and_cross_rules_then_do_not_apply() -> None:
    assert broken(quantity=None, price=10**9, status="reserved") == []


def test_fields_that_are_not_declared_are_allowed_and_rules_may_name_them() -> None:
    assert broken(colour="red", load=1, fields=2) == []


def test_a_schema_that_is_not_declared_has_no_rules() -> None:
    assert RULES.violations("Other", {"sku": 7}) == []


def test_fields_may_have_the_names_of_marshmallow() -> None:
    rules = RecordRules([RecordSchema(name="S", fields={n: FieldRule(type="integer") for n in ("load", "fields")})])
    assert [w.field for w in rules.violations("S", {"load": "x", "fields": "y"})] == ["fields.load", "fields.fields"]


@pytest.mark.parametrize(
    ("rule", "right", "wrong", "name"),
    [
        (FieldRule(type="integer", max=Decimal(9)), 9, 10, "max"),
        (FieldRule(type="decimal", max_exclusive=Decimal(9)), 8.999, 9, "max_exclusive"),
        (FieldRule(type="string", max_length=3), "abc", "abcd", "max_length"),
        (FieldRule(type="string", enum=("a", "b")), "b", "c", "choice"),
        (FieldRule(type="integer", enum=(1, 2)), 2, 3, "choice"),
        (FieldRule(type="decimal", enum=(Decimal("1.5"),)), 1.5, 1.6, "choice"),
        (FieldRule(type="boolean"), True, 1, "type"),
        (FieldRule(type="string"), "", 1, "type"),
        (FieldRule(type="datetime"), "2026-05-01T12:00:00Z", "2026-05-01T12:00:00", "type"),
        (FieldRule(type="datetime"), "2026-05-01T12:00:00+05:30", "2026-02-30T12:00:00Z", "type"),
        (FieldRule(type="datetime"), "2026-05-01T12:00Z", "2026-05-01", "type"),
    ],
)
def test_each_rule_at_its_boundary(rule: FieldRule, right: object, wrong: object, name: str) -> None:
    assert broken_by(rule, right) == []
    assert broken_by(rule, wrong) == [name]


def test_required_by_a_rule() -> None:
    rules = RecordRules([RecordSchema(name="S", fields={}, rules=(RecordRule(require=("a", "b")),))])
    found = rules.violations("S", {"a": None})
    assert [(w.field, w.rule) for w in found] == [("fields.a", "required"), ("fields.b", "required")]


def test_no_message_repeats_a_value() -> None:
    found = RULES.violations("InventoryItem", {"sku": "secret-sku", "quantity": "secret", "price": -4711})
    assert "secret" not in repr(found)
    assert "4711" not in repr(found)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(5, 5.0, True), (1, True, False), ("1", 1, False), (0, False, False), (None, None, True), ([1], [1], True)],
)
def test_values_are_compared_as_json(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_a_json_number_is_the_decimal_that_was_written(number: Decimal) -> None:
    assert as_decimal(float(number)) == number
    assert as_decimal(str(number)) == number
