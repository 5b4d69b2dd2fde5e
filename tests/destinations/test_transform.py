from __future__ import annotations

import pytest

from bridge.destinations.transform import Transform, TransformFailed

BODY = {"fields": {"sku": "AB-1234", "quantity": 3}, "tags": ["a", "b"], "none": None, "phone": "+49 170 1234567"}


@pytest.mark.parametrize(
    ("expression", "made"),
    [
        ("{sku: fields.sku, n: fields.quantity}", b'{"sku":"AB-1234","n":3}'),
        ("tags[0]", b'"a"'),
        ("length(tags)", b"2"),
        ("fields.quantity > `2`", b"true"),
        ("tags[?@ == 'z']", b"[]"),
        ("@.{t: tags}", b'{"t":["a","b"]}'),
    ],
)
def test_an_expression_reshapes_the_body(expression: str, made: bytes) -> None:
    assert Transform(expression).apply(BODY) == made


@pytest.mark.parametrize(
    "expression",
    [
        "length(none)",
        "sum(tags)",
        "&tags",
        "fields[?sku > `1`] | missing",
        "none",
        "missing.deeper",
        "to_number(phone)",
    ],
)
def test_an_expression_that_makes_nothing_says_so_without_a_value(expression: str) -> None:
    with pytest.raises(TransformFailed, match="the transform") as failed:
        Transform(expression).apply(BODY)
    assert "170" not in str(failed.value)


def test_a_bug_of_the_library_is_a_failure_like_any_other() -> None:
    with pytest.raises(TransformFailed, match="TypeError"):  # jmespath compares a string with a number
        Transform("[?a > `1`]").apply([{"a": "x"}])


@pytest.mark.parametrize("expression", ["", "a[", "{a", "a b", "foo(@)", "a[?foo(b)]", "{x: {y: foo(a)}}"])
def test_an_expression_that_cannot_work_is_found_before_the_first_event(expression: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)jmespath"):
        Transform(expression)
