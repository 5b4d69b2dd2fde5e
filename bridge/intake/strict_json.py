"""JSON that means one thing to everybody: total, strict, bounded. It may not know any format.

`orjson` is fast, but takes duplicate keys and turns long integers into floats; the standard library's parser can be
made to tell, but costs three times as much. So the fast one reads, cheap counts prove that it lost nothing, and what
they cannot prove is read again by the slow one, whose word is final.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

import orjson

from bridge.errors import Malformed

MAX_DEPTH = 64
_INTEGERS = range(-(2**63), 2**64)
_MAX_INTEGER_CHARACTERS = 20
#: Every digit becomes a zero, so that a long number is a substring: a pattern costs ten times as much.
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(body: bytes) -> object:
    """The document in `body`: None, bool, int, float, str, list or dict.

    Raises Malformed with cause `not-utf8`, `byte-order-mark`, `not-json`, `duplicate-key`, `too-deep`,
    `number-out-of-range`, `lone-surrogate` or `nul-character`.
    """
    # Without a backslash strings stand in the text as they are, quotes only delimit them, and a dropped duplicate key
    # shows as two missing quotes.
    if b"\\" not in body and _LONG_NUMBER not in body.translate(_DIGITS_TO_ZERO):
        try:
            document: object = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _parse_slowly(body)  # it knows why
        again = orjson.dumps(document)
        if again.count(b'"') == body.count(b'"') and again.count(b"{") + again.count(b"[") <= MAX_DEPTH:
            return document
    return _parse_slowly(body)


def _parse_slowly(body: bytes) -> object:
    if body.startswith(b"\xef\xbb\xbf"):
        raise _refusal("byte-order-mark", "begins with a byte order mark; send plain UTF-8")
    try:
        document: object = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise _refusal("not-utf8", "is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _refusal("not-json", "is not JSON (RFC 8259)") from None
    _check(document, depth=0)
    return document


def _check(value: object, *, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise _too_deep()
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, depth=depth + 1)
        if isinstance(value, dict):
            for key in value:
                _check_text(key)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _refusal("nul-character", "holds U+0000 in a string")
    if not text.isascii() and _SURROGATE.search(text):
        raise _refusal("lone-surrogate", "holds half of a surrogate pair, which is no character")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _refusal("duplicate-key", "holds the same key twice in one object")
    return members


def _bounded_integer(digits: str) -> int:
    # The length first: int() is quadratic.
    if len(digits) > _MAX_INTEGER_CHARACTERS or (number := int(digits)) not in _INTEGERS:
        raise _refusal("number-out-of-range", "holds an integer of more than 64 bit; send it as a string")
    return number


def _finite_number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _refusal("number-out-of-range", "holds a number too large for a double (IEEE 754)")
    return number


def _no_constant(_name: str) -> NoReturn:
    raise _refusal("not-json", "holds NaN or Infinity, which JSON does not know")


def _too_deep() -> Malformed:
    return _refusal("too-deep", f"is nested deeper than {MAX_DEPTH} levels")


def _refusal(cause: str, what: str) -> Malformed:
    return Malformed(f"The body {what}.", cause=cause)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_bounded_integer,
    parse_float=_finite_number,
    parse_constant=_no_constant,
)
