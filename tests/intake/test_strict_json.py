"""Facts about which bytes are a document, and that the fast way and the slow way never differ."""

from __future__ import annotations

import json
import math
import random
import re

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import Malformed
from bridge.intake import strict_json

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
DOCUMENTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(CHARACTERS),
        st.sampled_from(['"', "\\", '":', "{", "[[[", "0" * 19]),
    ),
    lambda below: st.one_of(st.lists(below), st.dictionaries(st.text(CHARACTERS), below)),
    max_leaves=20,
)


def cause(body: bytes) -> str:
    try:
        strict_json.parse(body)
    except Malformed as refused:
        return refused.cause
    return ""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "not-json"),
        (b" \n", "not-json"),
        (b"{} x", "not-json"),
        (b"{'a':1}", "not-json"),
        (b'{"a":01}', "not-json"),
        (b'{"a":NaN}', "not-json"),
        (b"[-Infinity]", "not-json"),
        (b'"\t"', "not-json"),
        (b"\xef\xbb\xbf{}", "byte-order-mark"),
        (b'"\xff"', "not-utf8"),
        (b'"\xc0\x80"', "not-utf8"),
        (b'"\xed\xa0\x80"', "not-utf8"),
        ('{"a":1}'.encode("utf-16"), "not-utf8"),
        (b'{"a":1,"a":1}', "duplicate-key"),
        (b'{"a":1,"\\u0061":2}', "duplicate-key"),
        (b'[{"b":{"a" :"","a":""}}]', "duplicate-key"),
        (b'{"":1,"":2}', "duplicate-key"),
        (b"1e400", "number-out-of-range"),
        (b"-1e400", "number-out-of-range"),
        (b"18446744073709551616", "number-out-of-range"),
        (b"-9223372036854775809", "number-out-of-range"),
        (b"9" * 5000, "number-out-of-range"),
        (b'"\\ud800"', "lone-surrogate"),
        (b'{"\\udfff":1}', "lone-surrogate"),
        (b'"\\udc00\\ud800"', "lone-surrogate"),
        (b'"\\u0000"', "nul-character"),
        (b'{"a\\u0000b":1}', "nul-character"),
        (b"[" * 65 + b"]" * 65, "too-deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "too-deep"),
        (b"[" * 100_000, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
    ],
)
def test_what_is_not_one_unambiguous_document_is_refused_with_its_cause(body: bytes, expected: str) -> None:
    assert cause(body) == expected


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"[" * 64 + b"]" * 64, None),
        (b"[" + b"{}," * 100 + b"[]]", None),
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"0.1234567890123456789012345", 0.12345678901234568),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a":{"a":1},"b":[{"a":1},{"a":1}]}', {"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}),
        (b' \r\n\t"\xe2\x80\xae" ', "\u202e"),
        (b"-0", 0),
        (b"1e-400", 0.0),
        (b"null", None),
    ],
)
def test_what_is_unusual_but_clear_is_taken(body: bytes, document: object) -> None:
    taken = strict_json.parse(body)
    assert document is None or taken == document


@settings(deadline=None)
@given(document=DOCUMENTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_every_document_is_read_as_it_was_written(document: object, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    assert strict_json.parse(body) == document


def strictly(body: bytes) -> object:
    """The reference: the standard library with hooks, and nothing fast."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def integer(digits: str) -> int:
        assert len(digits) < 30
        assert -(2**63) <= int(digits) < 2**64
        return int(digits)

    def number(digits: str) -> float:
        assert math.isfinite(float(digits))
        return float(digits)

    def constant(name: str) -> object:
        raise AssertionError(name)

    document: object = json.loads(
        body.decode(), object_pairs_hook=unique, parse_int=integer, parse_float=number, parse_constant=constant
    )
    written = json.dumps(document, ensure_ascii=False)
    assert not re.search("[\ud800-\udfff]", written)
    assert "\\u0000" not in re.sub(r"\\\\", "", written)
    return document


FRAGMENTS = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", ",", ":", '"', '"a":', '"a" :', '"\\u0061":', '"b":', "1", "1.5", "null", '"x"',
         "NaN", "Infinity", "1e400", str(2**64), "-" + str(2**63 + 1), '"\\ud800"', '"\\u0000"', "\\", " ", "\n",
         "\ufeff", "\x00", '"":']
    )
).map(lambda parts: "".join(parts).encode())  # fmt: skip


def mutated(document: object, seed: int) -> bytes:
    """The document's bytes after a few random edits, most of which break it in a small way."""
    body, rng = bytearray(json.dumps(document).encode()), random.Random(seed)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(body) + 1)
        piece = body[place : place + rng.randrange(8)]
        body[place : place + rng.randrange(2)] = rng.choice([piece, piece * 2, b"", b'"a":1,"a":1', b"9" * 20])
    return bytes(body)


@settings(deadline=None, max_examples=150)
@given(body=st.one_of(FRAGMENTS, st.binary(), st.builds(mutated, DOCUMENTS, st.integers(0, 2**32))))
@example(body=b'{"a" :"x","a":"y"}')
@example(body=b'{"a":"\\"","a":1}')
def test_nothing_is_taken_that_the_slow_reference_refuses(body: bytes) -> None:
    if cause(body):
        with pytest.raises((AssertionError, ValueError, RecursionError)):
            assert orjson.dumps(strictly(body))
    else:
        assert strict_json.parse(body) == strictly(body)


def test_a_refusal_does_not_repeat_the_body() -> None:
    with pytest.raises(Malformed) as refused:
        strict_json.parse(b'{"secret-key":1,"secret-key":2}')
    assert "secret" not in refused.value.detail
