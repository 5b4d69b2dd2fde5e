"""`/api/docs`: the OpenAPI document as a page, after what an integrator needs first. It may not know an operation.

Open to everybody who reaches the API, like the document itself: both hold no data and no secret. The page is rendered
here, without a script: a viewer made of scripts weighs 1.5 MB, is hard to read on a phone, and shows nothing to `curl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, render_template
from markupsafe import Markup, escape

from bridge.admin.docs.reading import Page, read_document
from bridge.admin.docs.verifying import RECEIVER_SAMPLE

#: Nothing but its own style: no script at all.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def make_docs(app: Flask, document: Mapping[str, Any]) -> None:
    """Install the page into `app`."""
    blueprint = Blueprint("docs", __name__, url_prefix="/api/docs", static_folder="static", template_folder="templates")
    page: Page = read_document(document)

    @blueprint.get("")
    def read() -> Response:
        return Response(render_template("docs.html", page=page, receiver_sample=RECEIVER_SAMPLE, prose=prose))

    @blueprint.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    app.register_blueprint(blueprint)


def prose(text: str) -> Markup:
    """`text` with its `code` marked and its paragraphs apart; everything else is escaped."""
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    return Markup("").join(Markup("<p>{}</p>").format(_coded(one)) for one in paragraphs if one)


def _coded(text: str) -> Markup:
    pieces = text.split("`")
    marked = [Markup("<code>{}</code>").format(one) if place % 2 else escape(one) for place, one in enumerate(pieces)]
    return Markup("").join(marked)
