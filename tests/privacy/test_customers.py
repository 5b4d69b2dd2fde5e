"""How a customer is named, and found again however somebody spells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.privacy.customers import customer_name, customers_in


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (
            {"customer": {"id": "C-1", "phoneNumber": "+49 (151) 234-5678", "email": "E@X.org"}},
            {"c-1", "491512345678", "e@x.org"},
        ),
        ({"body": {"customer_id": "c-1"}}, {"c-1"}),
        ({"customerId": 4711}, {"4711"}),
        ({"channel": {"from": {"id": "+491512345678"}}}, {"491512345678"}),
        ({"participants": [{"ani": "tel:+491512345678", "name": "Eva"}]}, {"491512345678"}),
        ({"emails": ["a@x.org"], "email": ["b@x.org", {"emailAddress": "c@x.org"}]}, {"b@x.org", "c@x.org"}),
        ({"externalContactId": "x1", "externalContact": {"id": "x2"}}, {"x1", "x2"}),
        ({"interaction": {"id": "i-1"}, "id": "e-1", "note": "+491512345678"}, set()),
        ({"customer": {"id": True}, "phone": None}, set()),
    ],
)
def test_customers_are_named_by_the_fields_that_say_so(payload: dict[str, object], names: set[str]) -> None:
    assert customers_in("interaction:i", payload) == names


def test_the_subject_of_a_contact_names_it() -> None:
    assert customers_in("contact:X-1", {}) == {"x-1"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("+49 151 2345678", "tel:0049-151-2345678"), ("mailto:Eva@X.org", " eva@x.ORG"), ("Cust-7", "cust-7")],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert customer_name(one) == customer_name(other)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda below: st.lists(below) | st.dictionaries(st.text() | st.sampled_from(["customer", "phone", "id", "email"]), below), max_leaves=20))  # fmt: skip  # noqa: E501
def test_nothing_that_json_can_say_is_too_odd(value: object) -> None:
    names = customers_in("a:1", {"customer": value})
    assert all(customer_name(name) == name for name in names if not name.startswith("00"))
