"""No planted phone number or e-mail address survives, wherever it is put, and nothing makes masking raise."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.privacy.masking import Masking

MASKING = Masking(("fields.contact*", "attributes.*name*"), b"k" * 32)

digits = st.text("0123456789", min_size=2, max_size=4)
gap = st.sampled_from([" ", "-", ".", "/", " / ", "\u00a0", ") ", " ("])
international = st.builds(
    lambda country, sep, area, subscriber: f"+{country}{sep}{area}{sep}{subscriber}",
    st.sampled_from(["1", "44", "49", "353", "7"]),
    st.just("") | gap,
    digits,
    st.text("0123456789", min_size=5, max_size=8),
)
national = st.from_regex(r"0[1-9][0-9]{1,3}[ /-][0-9]{5,8}", fullmatch=True)
american = st.from_regex(r"(1[ .-])?(\([2-9][0-9]{2}\) |[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}", fullmatch=True)
#: Without stars, which the mask itself is made of.
emails = st.emails().filter(lambda email: "*" not in email)
surrounding = st.text(max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(surrounding, international, surrounding)
def test_no_international_number_survives_in_any_surroundings(before: str, phone: str, after: str) -> None:
    assert phone not in MASKING.text(before + phone + after)


@given(surrounding, national | american, surrounding)
def test_no_national_number_survives_between_words(before: str, phone: str, after: str) -> None:
    assert phone not in MASKING.text(f"{before} {phone}, {after}")


@given(surrounding, emails, surrounding)
def test_no_email_address_survives_in_any_surroundings(before: str, email: str, after: str) -> None:
    masked = MASKING.text(before + email + after)
    local = email.partition("@")[0]
    assert email not in masked
    assert len(local) == 1 or f"{local}@" not in masked


@given(json_values, international | emails, st.lists(st.text(max_size=8) | st.none(), max_size=5))
def test_nothing_planted_in_a_tree_survives(around: object, personal: str, path: list[str | None]) -> None:
    tree: object = personal
    for name in path:
        tree = [around, tree] if name is None else {"around": around, name: tree, personal: 1}
    assert personal not in orjson.dumps(MASKING.tree(tree)).decode("utf-8", "replace")
    body = orjson.dumps(tree, option=orjson.OPT_NON_STR_KEYS)
    for excerpt in (MASKING.excerpt(body), MASKING.excerpt(body[:-1])):
        assert personal not in excerpt


@given(json_values, st.text(max_size=20))
def test_any_json_value_is_masked_without_a_complaint(value: object, prefix: str) -> None:
    MASKING.tree(value, prefix=prefix)


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 100))
def test_any_bytes_give_an_excerpt_of_at_most_the_limit(body: bytes, limit: int) -> None:
    excerpt = MASKING.excerpt(body, limit)
    assert len(excerpt.encode()) <= limit
    assert all(character.isprintable() or ord(character) > 0x9F for character in excerpt)


@given(st.text(max_size=50))
def test_masked_text_masked_again_stays_the_same(text: str) -> None:
    once = MASKING.text(text)
    assert MASKING.text(once) == once


@given(st.uuids(), st.datetimes(), st.integers(10**9, 2 * 10**13))
def test_ids_and_times_stay(identifier: object, moment: object, epoch: int) -> None:
    for text in (str(identifier), f"conversation:{identifier}", str(moment), f"{moment}+02:00", f"at {epoch}"):
        assert MASKING.text(text) == text
