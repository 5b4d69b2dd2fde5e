"""Two interactions that can be merged, and the answers of Genesys about them."""

from __future__ import annotations

from typing import Any

from tests.genesys.fake_genesys import FakeGenesys, Says

SUBMIT = "/api/v2/interactions/merge"
STATUS = "/api/v2/interactions/m-1/status"
MERGED = "/api/v2/interactions/m-1"
BODY: dict[str, Any] = {"interactions": [{"id": "v", "type": "voice"}, {"id": "c", "type": "chat"}]}
CUSTOMER = {"id": "cu-1", "phoneNumber": "+491701234567", "email": "a@example.com"}


def shown(id_: str, type_: str = "voice", start: str = "2026-05-01T10:00:00Z", **changes: object) -> Says:
    basis = {
        "id": id_,
        "type": type_,
        "status": "active",
        "createdDate": start,
        "startTime": start,
        "endTime": "2026-05-01T10:30:00Z",
        "customer": CUSTOMER,
    }
    return Says(200, {**basis, **changes})


def polled(state: str, **more: object) -> Says:
    return Says(200, {"id": "m-1", "processingState": state, **more})


def stage(genesys: FakeGenesys) -> None:
    """A voice call and a chat of one customer; their merge is done at the second poll."""
    genesys.on("GET", "/api/v2/interactions/v", shown("v"))
    genesys.on("GET", "/api/v2/interactions/c", shown("c", "chat", "2026-05-01T09:55:00Z"))
    genesys.on("POST", SUBMIT, Says(202, {"id": "m-1", "processingState": "pending"}))
    genesys.on("GET", STATUS, polled("pending"), polled("completed", sourceInteractionIds=["v", "c"]))
    genesys.on("GET", MERGED, shown("m-1", version=2))
