"""How TLS is checked and who we are in it. It may not connect."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH


def tls_for(ca_bundle: Path | None, client_cert: Path | None) -> Callable[[], ssl.SSLContext]:
    """What gives the TLS settings: always verifying, TLS 1.2 at least.

    `ca_bundle` (PEM) replaces the public authorities; `client_cert` is one PEM file with certificate and key, the key
    not encrypted. Both are read here, once; the public authorities only when the first connection needs them.
    Raises ValueError where a file cannot be read or does not hold that.
    """
    if ca_bundle is None and client_cert is None:
        return _public
    context = _verifying(ca_bundle)
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, password="")  # else it would ask on the terminal
        except OSError as error:
            raise ValueError(
                f"{client_cert} must be a readable PEM file with certificate and unencrypted key ({_why(error)})"
            ) from None
    return lambda: context


@lru_cache(maxsize=1)
def _public() -> ssl.SSLContext:
    return _verifying(None)


def _verifying(ca_bundle: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    except OSError as error:
        raise ValueError(f"{ca_bundle} must be a readable PEM file with CA certificates ({_why(error)})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _why(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or "unreadable"
