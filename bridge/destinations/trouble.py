"""What can go wrong between us and a receiver: one class per reaction. It may not decide what to do about it.

    requests.RequestException
    └── Trouble                   word         sent
        ├── EgressRefused         egress       no     an address that this destination may not be reached at
        ├── NameNotFound          dns          no
        ├── ConnectFailed         connect      no     refused, unreachable
        ├── ConnectTimedOut       timeout      no
        ├── TlsFailed             tls          no     the handshake, a certificate above all
        ├── ProxyFailed           proxy        no
        ├── TokenUnavailable      oauth        no     no access token to be had now
        ├── TokenRefused          oauth        no     our credentials are not accepted
        ├── AnswerTimedOut        timeout      yes
        ├── ConnectionLost        connection   yes    closed or reset before a whole answer
        │   └── NothingAnswered                       … before its first byte
        ├── TlsLost               tls          yes    a TLS alert instead of an answer
        └── BrokenAnswer          answer       yes    not HTTP

Each is also the class of `requests` that a reader expects (ConnectTimeout, SSLError, …). Every message is a sentence
that names host names of the configuration at most: never a URL, a header, a body or a secret.
"""

from __future__ import annotations

from typing import ClassVar

import requests


class Trouble(requests.RequestException):
    """No whole answer. `str(trouble)` may be shown to anybody."""

    #: Stable, stored as the attempt's `error_class`.
    word: ClassVar[str]
    #: True where bytes of the request may have reached the receiver.
    sent: ClassVar[bool] = False
    #: True where a person has to mend something before it can work.
    needs_a_person: ClassVar[bool] = False


class EgressRefused(Trouble, requests.ConnectionError):
    word = "egress"
    needs_a_person = True


class NameNotFound(Trouble, requests.ConnectionError):
    word = "dns"


class ConnectFailed(Trouble, requests.ConnectionError):
    word = "connect"


class ConnectTimedOut(Trouble, requests.ConnectTimeout):
    word = "timeout"


class TlsFailed(Trouble, requests.exceptions.SSLError):
    word = "tls"


class ProxyFailed(Trouble, requests.exceptions.ProxyError):
    word = "proxy"


class TokenUnavailable(Trouble):
    word = "oauth"


class TokenRefused(TokenUnavailable):
    needs_a_person = True


class AnswerTimedOut(Trouble, requests.ReadTimeout):
    word = "timeout"
    sent = True


class ConnectionLost(Trouble, requests.ConnectionError):
    word = "connection"
    sent = True


class NothingAnswered(ConnectionLost):
    """On a kept-alive connection: most likely it had been closed before our request got there."""


class TlsLost(Trouble, requests.exceptions.SSLError):
    word = "tls"
    sent = True


class BrokenAnswer(Trouble, requests.ConnectionError):
    word = "answer"
    sent = True
