"""What schemathesis is told beside the document: rules that no schema can say. It is loaded by schemathesis itself."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis import Case, GenerationMode, HookContext


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Right queries ask what can be asked."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    case.query.pop("cursor", None)  # only the API can make one
    if "since" in case.query:
        case.query.pop("until", None)  # it has to lie after
