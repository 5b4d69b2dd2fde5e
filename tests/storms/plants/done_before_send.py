"""For a worker: a delivery is settled as delivered, and then it is sent, once."""

from __future__ import annotations

import threading

from bridge.destinations.forwarder import HttpForwarder
from bridge.outbox.contract import ClaimedDelivery, Delivered, Exchange, Outcome


def plant() -> None:
    send = HttpForwarder.send

    def settle_first(self: HttpForwarder, delivery: ClaimedDelivery) -> Outcome:
        threading.Thread(target=send, args=(self, delivery), daemon=True).start()
        return Delivered(exchange=Exchange(status=200))

    HttpForwarder.send = settle_first  # type: ignore[method-assign]
