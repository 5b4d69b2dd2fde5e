"""Templates into pages: everything that is shown is escaped, and made inert. It may not know any page.

An environment of its own: what makes text inert here must not touch another blueprint's templates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Response, g, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined

from bridge.admin.console import chart, wording

_PICTURE = "\ufe0f\u2190-\u2bff\U0001f000-\U0001faff"
#: Characters that turn the direction of writing, hide, or cannot be shown; a tab and a line end can, and what joins
#: two pictures into one (U+200D).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    f"\ud800-\udfff]|(?<![{_PICTURE}])\u200d|\u200d(?![{_PICTURE}])"
)


def inert(value: object) -> object:
    """`value` as it is shown: of text, every character that could deceive the reader by its number."""
    return _UNSAFE.sub(_numbered, value) if type(value) is str else value


def show(template: str, *, status: int = 200, **context: object) -> Response:
    """The page that `template` makes of `context`."""
    visit = g.get("visit")
    now = visit.call.now if visit is not None else None
    page = _ENVIRONMENT.get_template(template).render(visit=visit, now=now, **context)
    return Response(page, status=status, content_type="text/html; charset=utf-8")


def _numbered(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found[0]):04X}⟩"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bridge.admin.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=inert,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {name: getattr(wording, name) for name in wording.FILTERS}
    environment.filters.update(filters)
    environment.globals.update(url_for=url_for, chart=chart, state_words=wording.STATE_WORDS)
    return environment


_ENVIRONMENT = _environment()
