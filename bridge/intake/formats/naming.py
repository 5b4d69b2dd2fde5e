"""Names for what we are not told by a list: types made of a sender's words. It may not know a format."""

from __future__ import annotations

import re

#: Bound of a word that becomes part of an event type, so that the type stays within its column.
LONGEST_WORD = 128
_WORD_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def snake_case(text: str) -> str:
    """`text` as `lower_snake_case` of ASCII letters and digits; "" where it holds none."""
    return _WORD_BOUNDARY.sub("_", text).strip("_").lower()
