"""Whether Genesys takes our credentials and answers: one read that changes nothing. It may not carry out a command."""

from __future__ import annotations

from bridge.destinations.genesys_answers import exchange_of, tried_again
from bridge.genesys import GenesysClient, GenesysError, NotFound
from bridge.outbox.contract import Delivered, Outcome, Rejected
from bridge.privacy.masking import Masking


def try_access(client: GenesysClient, masking: Masking) -> Outcome:
    """Delivered where Genesys says that the thing asked for is not there: it let us in, and looked for it."""
    try:
        answer = client.ask_for_nothing()
    except NotFound as found:
        return Delivered(exchange=exchange_of(found.answer, masking))
    except GenesysError as error:
        reason, exchange = masking.text(str(error)), exchange_of(error.answer, masking)
        later = tried_again(error, reason=reason, exchange=exchange, progress=None)
        return later or Rejected(reason=reason, error_class=type(error).__name__, exchange=exchange)
    return Delivered(exchange=exchange_of(answer, masking))
