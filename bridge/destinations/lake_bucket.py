"""The bucket that events are written into, by boto3. It may not know when an event is owed, nor read the bucket.

Importing this needs the package boto3 (the extra `s3`). boto3 knows where a bucket is and signs the request; the
request itself leaves through our own transport, so that the egress guard, the deadline, `ca_bundle`, `client_cert`,
`proxy` and "redirects are not followed" hold here as for every destination. boto3 repeats nothing: the outbox does.

The one thing that boto3 does by itself: without `access_key` it looks for credentials where the owner of this machine
left them for it, in its environment and files, or at the metadata or token service that those name. Such requests hold
nothing of an event; they are not seen by the egress guard, and not bound by `timeout`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import boto3.session
import orjson
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from bridge.destinations.answers import judge, judge_trouble
from bridge.destinations.deadline import Deadline
from bridge.destinations.forwarder import USER_AGENT, RequestPreview
from bridge.destinations.lake_objects import object_key, object_line, packed, trial_key
from bridge.destinations.samples import TRIAL_EVENT, trial_event
from bridge.destinations.transform import TransformFailed
from bridge.destinations.trouble import Trouble
from bridge.destinations.wiring import Surroundings, naming, transform_of, transport_for
from bridge.errors import FieldError, Invalid
from bridge.events import RecordedEvent
from bridge.outbox.contract import Delivered, Exchange, Outcome, Rejected, RetryLater
from bridge.settings.model import DestinationSettings

#: No Content-Encoding beside it: what is read is what was written, whoever reads it.
CONTENT_TYPE = "application/gzip"

#: What is signed covers the bytes, on every server; no checksum besides that only newer ones know.
_CONFIG = Config(
    signature_version="s3v4",
    s3={"payload_signing_enabled": True},
    retries={"total_max_attempts": 1, "mode": "standard"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    ignore_configured_endpoint_urls=True,
)
#: S3 answers 400 to what is wrong with credentials, region or clock; of the event it sees a key and bytes only.
_ABOUT_US = 400
#: A name, also as old buckets and other servers have them, or an access point's ARN. Not a directory bucket: those
#: want a session first, a request of its own.
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"(?!.*--x-s3$)[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]|arn:aws[a-z-]*:s3:[A-Za-z0-9:/._-]+")
#: Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_OTHER_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CODE = re.compile(rb"<Code>([A-Za-z0-9._-]{1,64})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


class LakeBucket:
    """Safe for threads."""

    def __init__(self, settings: DestinationSettings, around: Surroundings) -> None:
        """Connects to nothing. Raises ConfigurationError where the settings cannot be used."""
        self._settings = settings
        self._masking, self._clock = around.masking, around.clock
        with naming(settings, "bucket"):
            self._bucket = _checked(
                settings.bucket or "", _BUCKET, "must be the name of a general purpose bucket, or an ARN"
            )
        with naming(settings, "region"):
            self._region = settings.region and _checked(settings.region, _REGION, "must be a name like eu-central-1")
        self._endpoint_url = settings.endpoint_url and _as_signed(settings.endpoint_url)
        self._transform = transform_of(settings)
        self._transport = transport_for(settings, around)
        self._retry_on = {_ABOUT_US, *settings.retry_on} - set(settings.reject_on)
        self._connecting = threading.Lock()
        self._connected: _S3 | None = None

    def write(self, event: RecordedEvent) -> Outcome:
        """Put the event's object into the bucket, once; its deadline begins when the request is signed."""
        try:
            content = packed(object_line(event, self._transform))
        except TransformFailed as failed:  # a person mends the expression; until then nothing is given up
            return RetryLater(reason=str(failed), error_class="transform", slow=True)
        return self._put(object_key(self._settings.path, event), content)

    def try_out(self) -> Outcome:
        """Put one object beside those of events; what reads the lake passes over names that begin with `_`.

        Source: https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
        """
        event = trial_event(TRIAL_EVENT, self._clock.now())
        return self._put(trial_key(self._settings.path), packed(object_line(event, None)))

    def _put(self, key: str, content: bytes) -> Outcome:
        sent = Exchange(sent_bytes=len(content), sent_sha256=hashlib.sha256(content).hexdigest())
        try:
            self._s3().put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=CONTENT_TYPE)
        except _Answered as answered:
            return self._judged(sent, answered.response)
        except Trouble as trouble:
            return judge_trouble(trouble, sent if trouble.sent else Exchange())
        except (BotoCoreError, ClientError) as error:
            return _unsigned(error)
        raise AssertionError("boto3 ends with what was answered")

    def preview(self, event: RecordedEvent) -> RequestPreview:
        """The object that `event` would become, its body unpacked. Raises Invalid where the transform fails."""
        try:
            line = object_line(event, self._transform)
        except TransformFailed as failed:
            wrong = FieldError(field="transform", rule="request", message=str(failed))
            raise Invalid("This event becomes no object.", errors=[wrong]) from None
        place = f"{self._endpoint_url}/{self._bucket}" if self._endpoint_url else f"s3://{self._bucket}"
        return RequestPreview(
            method="PUT",
            url=f"{place}/{object_key(self._settings.path, event)}",
            headers={"User-Agent": USER_AGENT, "Content-Type": CONTENT_TYPE, "Authorization": "…"},
            body=orjson.loads(line),
        )

    def close(self) -> None:
        self._transport.close()

    def _s3(self) -> _S3:
        """boto3's client, made when it is first needed: that takes time, and its credentials may not be there yet."""
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    def _connect(self) -> _S3:
        one = self._settings
        logging.getLogger("botocore").setLevel(logging.INFO)  # below that it writes out what is signed, tokens too
        session = boto3.session.Session(
            aws_access_key_id=one.access_key and one.access_key.reveal(),
            aws_secret_access_key=one.secret_key and one.secret_key.reveal(),
        )
        if session.get_credentials() is None:  # a client made without them would never look again
            raise NoCredentialsError
        client: _S3 = session.client("s3", region_name=self._region, endpoint_url=self._endpoint_url, config=_CONFIG)
        client.meta.events.register("before-send.s3", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_: object) -> None:
        """Send what boto3 has signed, by our own transport, and end boto3's part with what was answered.

        boto3 lets its user send instead of it; the answer is not handed back, as it would follow S3's redirects.
        Source: https://docs.aws.amazon.com/botocore/latest/topics/events.html (before-send)
        """
        signed = PreparedRequest()
        signed.method, signed.url = request.method, request.url
        signed.body = request.body if isinstance(request.body, bytes) else request.body.read()
        signed.headers = CaseInsensitiveDict({**request.headers, "User-Agent": USER_AGENT})
        raise _Answered(self._transport.send_within(signed, Deadline(self._settings.timeout, self._clock)))

    def _judged(self, sent: Exchange, response: Response) -> Outcome:
        code, told = _read_error(response.content)
        outcome = judge(
            replace(sent, status=response.status_code, answer_excerpt=self._masking.excerpt(told) if told else None),
            headers=response.headers,
            now=self._clock.now(),
            retry_on=self._retry_on,
            reject_on=self._settings.reject_on,
        )
        match outcome:
            case Delivered(exchange=exchange) if "ETag" not in response.headers:
                reason = "answered like no S3 server does (no ETag): correct endpoint_url"
                return RetryLater(reason=reason, error_class="answer", exchange=exchange, slow=True)
            case RetryLater(reason=reason) | Rejected(reason=reason) if code:
                way_out = "; set region to the one of the bucket" if code in _OTHER_REGION else ""
                return replace(outcome, reason=f"{reason} ({code}){way_out}")
        return outcome


class _Events(Protocol):
    def register(self, event_name: str, handler: object) -> None: ...


class _Meta(Protocol):
    events: _Events


class _S3(Protocol):
    """What is used of boto3's client, which has no types."""

    meta: _Meta

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> object: ...  # noqa: N803


class _Answered(Exception):
    """Carries the answer out of boto3."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _unsigned(error: Exception) -> RetryLater:
    """Named by its kind only: what boto3 says may show where it looked, or what it was answered."""
    what = "boto3 could not sign the request" if not isinstance(error, NoCredentialsError) else "no credentials for S3"
    return RetryLater(
        reason=f"{what} ({type(error).__name__}): set access_key and secret_key, or mend what boto3 finds here",
        error_class="credentials",
        slow=True,
    )


def _read_error(body: bytes) -> tuple[str | None, bytes]:
    """S3's word for the cause, and what may be kept of `body`: of S3's own errors not what was signed."""
    code, message = _CODE.search(body), _MESSAGE.search(body)
    if b"<Error" not in body:
        return None, body
    word = code[1].decode() if code else None
    return word, b": ".join(part[1] for part in (code, message) if part)


def _checked(text: str, form: re.Pattern[str], rule: str) -> str:
    if not form.fullmatch(text):
        raise ValueError(rule)
    return text


def _as_signed(url: str) -> str:
    """`url` with its host as boto3 signs it: in lower case, and without the port that its scheme has anyway."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = {"http": 80, "https": 443}.get(parts.scheme)
    authority = host if parts.port in (None, port) else f"{host}:{parts.port}"
    return urlunsplit(parts._replace(netloc=authority, path=parts.path.rstrip("/")))
