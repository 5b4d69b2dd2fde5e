"""Subjects and versions: what tells one thing from another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import Carries, carries, record_subject, version_number

IDS = st.text(alphabet="ab/%2F", min_size=1, max_size=6)


@given(one=st.tuples(IDS, IDS), other=st.tuples(IDS, IDS))
def test_two_records_never_share_a_subject(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (record_subject(*one) == record_subject(*other)) == (one == other)


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("0", 0),
        ("0012", 12),
        ("9" * 40, int("9" * 40)),
        ("v1", None),
        ("-1", None),
        ("١", None),
        ("", None),
        (None, None),
    ],
)
def test_only_ascii_digits_order(version: str | None, number: int | None) -> None:
    assert version_number(version) == number


def test_a_type_that_is_not_known_carries_a_change() -> None:
    assert carries("genesys.something_new") is Carries.CHANGE
