"""The `transform` of a destination: a JMESPath expression over the body. It may not see headers or secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import jmespath
import orjson
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

#: What jmespath raises while it evaluates: its own errors, and plain ones where it does not check (`'a' > 1`).
_EVALUATION = (JMESPathError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


class TransformFailed(Exception):
    """The expression gives no body for this event; the message names the problem, never a value of the event."""


class Transform:
    """A compiled expression. Raises ValueError, naming the place, where it does not compile."""

    def __init__(self, expression: str) -> None:
        try:
            self._compiled = jmespath.compile(expression)
        except JMESPathError as error:  # its message shows the expression with a mark under the place
            raise ValueError(f"not a JMESPath expression: {error}") from None
        unknown = sorted(set(_functions(self._compiled.parsed)) - set(Functions.FUNCTION_TABLE))
        if unknown:  # jmespath would tell only when an event gets there
            raise ValueError(f"JMESPath has no function {unknown[0]}()")

    def apply(self, body: object) -> bytes:
        """What the expression makes of `body`, as JSON. Raises TransformFailed."""
        try:
            made = self._compiled.search(body)
            if made is None:
                raise TransformFailed("the transform gives nothing for this event")
            return orjson.dumps(made)
        except _EVALUATION as error:
            raise TransformFailed(f"the transform failed for this event: {type(error).__name__}") from None


def _functions(node: Mapping[str, object]) -> Iterator[str]:
    """The names of all functions that a parsed expression calls."""
    if node.get("type") == "function_expression":
        yield str(node["value"])
    children = node.get("children")
    for child in children if isinstance(children, list) else ():
        yield from _functions(child)
