"""The audit log of a record, read from Genesys while the caller waits. It may not store it or show it unmasked."""

from __future__ import annotations

import math
from datetime import timedelta

from bridge.commands.asking import without_organisation
from bridge.errors import FieldError, Invalid, NotFound, TemporarilyUnavailable
from bridge.genesys import GenesysClient, GenesysError, RateLimited, Unavailable, Unsupported
from bridge.genesys import Invalid as BrokenRules
from bridge.genesys import NotFound as Unknown
from bridge.genesys.bodies import Body, Identifier, read_body
from bridge.privacy.masking import Masking

#: Where Genesys does not say when to come back; and where a person has to mend the credentials first.
_SOON = timedelta(seconds=5)
_LATER = timedelta(minutes=5)


class _Record(Body):
    schema = Identifier(required=True)
    record_id = Identifier(required=True)


_RECORD = _Record()


class RecordHistory:
    """Reads histories. Safe for threads."""

    def __init__(self, client: GenesysClient | None, masking: Masking) -> None:
        """`client` None: no organisation is configured, and nothing can be read."""
        self._client = client
        self._masking = masking

    def entries(self, schema: str, record_id: str) -> list[object]:
        """Every change of the record as Genesys wrote it, newest first, personal data masked. One try, no waiting.

        Raises NotFound, Invalid, and TemporarilyUnavailable where Genesys cannot be asked now.
        """
        if self._client is None:
            raise without_organisation()
        try:
            read_body(_RECORD, {"schema": schema, "record_id": record_id})
            found = self._client.record_history(schema, record_id, patient=False)
        except Unknown as unknown:
            raise NotFound("Genesys does not know this record, or not any more.") from unknown
        except BrokenRules as broken:
            raise Invalid("This names no record.", errors=broken.errors) from broken
        except Unsupported as unsupported:
            error = FieldError(field="schema", rule="unsupported", message=str(unsupported))
            raise Invalid("This API profile cannot do that.", errors=[error]) from unsupported
        except GenesysError as error:
            raise TemporarilyUnavailable(
                f"Genesys cannot be asked now: {self._masking.text(str(error))}", retry_after=_seconds(error)
            ) from error
        return [self._masking.tree(entry) for entry in found]


def _seconds(error: GenesysError) -> int:
    if isinstance(error, RateLimited | Unavailable):
        return max(1, math.ceil((error.retry_after or _SOON).total_seconds()))
    return int(_LATER.total_seconds())
