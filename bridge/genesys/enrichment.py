"""What the CRM knows of a customer, as attributes of an interaction. It may not know interactions, and keeps nothing
longer than its cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote

import requests
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from bridge.clock import Clock
from bridge.errors import ConfigurationError
from bridge.genesys.decipher import decipher
from bridge.genesys.errors import GenesysError, NotFound, Unavailable
from bridge.genesys.exchange import Exchanger
from bridge.genesys.oauth import Tokens
from bridge.genesys.wire import Tally
from bridge.settings.model import AuthSettings, CrmEnrichmentSettings

CRM_SECONDS = 10.0
MOST_CACHED = 10_000
#: The attributes that the CRM adds to an interaction.
ENRICHED = ("crm_lifetime_value", "crm_tier", "crm_last_ticket")

_NONE = "none"


class Crm:
    """Reads customers and remembers them for `cache_seconds`. Thread-safe."""

    def __init__(self, settings: CrmEnrichmentSettings, *, exchanger: Exchanger, clock: Clock) -> None:
        """Raises ConfigurationError where the credentials that `settings.auth` needs are missing."""
        self._url = (settings.url or "").rstrip("/")
        self._cache_seconds = settings.cache_seconds
        self._credentials = _Credentials(settings.auth, exchanger=exchanger, clock=clock)
        self._exchanger = exchanger
        self._clock = clock
        self._lock = threading.Lock()
        #: By customer: until when (monotonic), and the attributes.
        self._cached: OrderedDict[str, tuple[float, Mapping[str, str]]] = OrderedDict()

    def attributes(self, customer_id: str, tally: Tally) -> Mapping[str, str]:
        """`crm_lifetime_value`, `crm_tier`, `crm_last_ticket`; `"none"` for what the CRM does not know.

        Raises NotFound where the CRM does not know the customer, Unavailable for any other trouble with it.
        """
        known = self._remembered(customer_id)
        if known is None:
            known = self._read(customer_id, tally)
            self._remember(customer_id, known)
        return known

    def _read(self, customer_id: str, tally: Tally) -> Mapping[str, str]:
        url = f"{self._url}/v1/customers/{quote(customer_id, safe='')}"
        try:
            headers = {"Accept": "application/json", **self._credentials.headers()}
            request = requests.Request("GET", url, headers=headers)
            answer = self._exchanger.exchange(request, seconds=CRM_SECONDS, tally=tally)
            body = decipher(answer, self._clock.now()).fields
            return _as_attributes(_CUSTOMER.load(body))
        except ValidationError:
            raise Unavailable("the CRM answered outside its contract") from None
        except NotFound:
            raise NotFound("the CRM does not know this customer") from None
        except GenesysError as error:
            # Whatever it is, it is the CRM's and not Genesys's: neither our token nor our command is wrong.
            status = f" ({error.status})" if error.status else ""
            retry_after = error.retry_after if isinstance(error, Unavailable) else None
            raise Unavailable(f"the CRM gives no answer{status}", retry_after=retry_after) from error

    def _remembered(self, customer_id: str) -> Mapping[str, str] | None:
        with self._lock:
            until, attributes = self._cached.get(customer_id, (0.0, None))
            return attributes if until > self._clock.monotonic() else None

    def _remember(self, customer_id: str, attributes: Mapping[str, str]) -> None:
        with self._lock:
            self._cached[customer_id] = (self._clock.monotonic() + self._cache_seconds, attributes)
            self._cached.move_to_end(customer_id)
            if len(self._cached) > MOST_CACHED:
                self._cached.popitem(last=False)


class _Credentials:
    def __init__(self, auth: AuthSettings, *, exchanger: Exchanger, clock: Clock) -> None:
        self._auth = auth
        self._tokens: Tokens | None = None
        if auth.type != "oauth2-client-credentials":
            return
        if not auth.token_url or not auth.client_id or auth.client_secret is None:
            raise ConfigurationError(["genesys.crm.auth: set token_url, client_id and client_secret"])
        scopes = auth.scope.split() if auth.scope else ()
        self._tokens = Tokens(
            url=auth.token_url,
            client_id=auth.client_id,
            client_secret=auth.client_secret,
            scopes=scopes,
            exchanger=exchanger,
            clock=clock,
        )

    def headers(self) -> Mapping[str, str]:
        auth = self._auth
        secret = auth.token.reveal() if auth.token else ""
        match auth.type:
            case "bearer":
                return {"Authorization": f"Bearer {secret}"}
            case "api-key":
                return {auth.header: secret}
            case "basic":
                password = auth.password.reveal() if auth.password else ""
                request = requests.Request("GET", "http://basic", auth=(auth.user or "", password)).prepare()
                return {"Authorization": str(request.headers["Authorization"])}
            case _:
                return {"Authorization": f"Bearer {self._tokens.current()}"} if self._tokens else {}


class _CustomerSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    lifetimeValue = fields.Raw(load_default=None, allow_none=True)  # noqa: N815 (the name in the answer)
    tier = fields.String(load_default=None, allow_none=True)
    lastSupportTicket = fields.String(load_default=None, allow_none=True)  # noqa: N815


_CUSTOMER = _CustomerSchema()


def _as_attributes(customer: Mapping[str, object]) -> Mapping[str, str]:
    return {
        "crm_lifetime_value": _number_text(customer["lifetimeValue"]),
        "crm_tier": _text(customer["tier"]),
        "crm_last_ticket": _text(customer["lastSupportTicket"]),
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else _NONE


def _number_text(value: object) -> str:
    """The number as it was written, without an exponent."""
    if value is None:
        return _NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError("lifetimeValue is no number")
    return format(Decimal(str(value)), "f")
