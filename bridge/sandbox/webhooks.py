"""Posts signed webhooks from a thread of its own, in the order of the changes, each at least once while the
receiver answers. It may not know what a notice means.

Source: https://developer.genesys.cloud/commdigital/digital/openmessaging/validate (X-Hub-Signature-256)
"""

from __future__ import annotations

import base64
import hmac
import json
from collections import deque
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread

import requests

from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.ids import Ids
from bridge.sandbox.model import wire_time
from bridge.sandbox.notices import Notice

MOST_WAITING = 10_000
_TRY_AGAIN = frozenset({408, 425, 429})


@dataclass(kw_only=True)
class Posting:
    """One webhook on its way."""

    notice: Notice
    #: Differs for every posting, also for the two of one doubled notice.
    correlation_id: str
    tries: int = 0
    #: waiting, delivered or failed
    state: str = "waiting"
    #: The last answer's status or the name of what went wrong.
    answer: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "at": wire_time(self.notice.at),
            "type": self.notice.type,
            "subject": self.notice.subject,
            "version": self.notice.version,
            "correlationId": self.correlation_id,
            "state": self.state,
            "tries": self.tries,
            "answer": self.answer,
        }


class WebhookSender:
    """One queue, one thread; started by the first notice."""

    def __init__(self, config: SandboxConfig, ids: Ids) -> None:
        self._config = config
        self._ids = ids
        self._lock = Lock()
        self._queue: Queue[Posting | None] = Queue(maxsize=MOST_WAITING)
        self._closing = Event()
        self._thread: Thread | None = None
        self._newest: deque[Posting] = deque(maxlen=100)
        self._delivered = self._failed = self._waiting = 0

    def send(self, notice: Notice, *, copies: int = 1) -> None:
        """Queue a notice; does not wait. Without a webhook URL it does nothing."""
        if self._config.webhook_url is None or self._closing.is_set():
            return
        for _ in range(copies):
            posting = Posting(notice=notice, correlation_id=self._ids.new("webhook"))
            with self._lock:
                self._newest.appendleft(posting)
                self._waiting += 1
                self._start()
            try:
                self._queue.put_nowait(posting)
            except Full:
                self._finish(posting, "failed", "too many are waiting")

    def clear(self) -> None:
        """Forget what waits and what was; a post under way is not called back."""
        while True:
            try:
                forgotten = self._queue.get_nowait()
            except Empty:
                break
            if forgotten is not None:
                self._finish(forgotten, "failed", "forgotten by a reset")
        with self._lock:
            self._newest.clear()
            self._delivered = self._failed = 0

    def close(self) -> None:
        """Stop after the post under way; what waits is not sent."""
        self._closing.set()
        self.clear()
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(self._config.webhook_timeout + 1)

    def as_state(self) -> dict[str, object]:
        with self._lock:
            return {
                "url": self._config.webhook_url,
                "waiting": self._waiting,
                "delivered": self._delivered,
                "failed": self._failed,
                "newest": [posting.as_json() for posting in self._newest],
            }

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="sandbox-webhooks", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while (posting := self._queue.get()) is not None:
                self._deliver(session, posting)

    def _deliver(self, session: requests.Session, posting: Posting) -> None:
        body = self._body(posting)
        for index in range(self._config.webhook_tries):
            if index and self._closing.wait(self._config.webhook_backoff * 2 ** (index - 1)):
                break
            posting.tries += 1
            posting.answer, again = self._post(session, posting, body)
            if again is None:
                self._finish(posting, "delivered", posting.answer)
                return
            if not again:
                break
        self._finish(posting, "failed", posting.answer)

    def _post(self, session: requests.Session, posting: Posting, body: bytes) -> tuple[str, bool | None]:
        """What was answered; and whether to try again, None: delivered."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "genesys-sandbox",
            "ININ-Correlation-Id": posting.correlation_id,
            "X-Hub-Signature-256": self._signature(body),
        }
        try:
            with session.post(
                self._config.webhook_url or "",
                data=body,
                headers=headers,
                timeout=self._config.webhook_timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            return type(error).__name__, True
        if 200 <= status < 300:
            return str(status), None
        return str(status), status >= 500 or status in _TRY_AGAIN

    def _signature(self, body: bytes) -> str:
        secret = (self._config.webhook_secret or "").encode()
        return "sha256=" + base64.b64encode(hmac.digest(secret, body, "sha256")).decode()

    def _body(self, posting: Posting) -> bytes:
        whole = {**posting.notice.body, "metadata": {"CorrelationId": posting.correlation_id}}
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()

    def _finish(self, posting: Posting, state: str, answer: str | None) -> None:
        with self._lock:
            posting.state, posting.answer = state, answer
            self._waiting -= 1
            if state == "delivered":
                self._delivered += 1
            else:
                self._failed += 1
