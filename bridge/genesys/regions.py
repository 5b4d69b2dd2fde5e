"""Where Genesys Cloud is: the public regions and the two URLs of each. It may not connect.

Source: https://developer.genesys.cloud/platform/api/ (hosts `api.` and `login.` of a region's domain)
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bridge.errors import ConfigurationError
from bridge.settings.model import GenesysSettings

_PURE_CLOUD = (
    "usw2", "cac1", "euw2", "euc2", "apne2", "apne3", "apse1", "aps1", "sae1", "mec1", "mxc1",
)  # fmt: skip

#: The domains that `GENESYS_REGION` may name.
DOMAINS = (
    "mypurecloud.com",
    "mypurecloud.ie",
    "mypurecloud.de",
    "mypurecloud.jp",
    "mypurecloud.com.au",
    *(f"{region}.pure.cloud" for region in _PURE_CLOUD),
    "use2.us-gov-pure.cloud",
    "edee1.eusc-pure.cloud",
)


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Both URLs without a slash at the end."""

    api_url: str
    login_url: str


def hosts(settings: GenesysSettings) -> Hosts:
    """The URLs of the organisation: those that are set, else those of its region.

    Raises ConfigurationError where the region is unknown or something is missing.
    """
    domain = settings.region
    if domain is not None and domain not in DOMAINS:
        near = difflib.get_close_matches(domain, DOMAINS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(DOMAINS)}"
        raise ConfigurationError([f"GENESYS_REGION is no region of Genesys Cloud: {hint}"])
    api_url = settings.api_url or (domain and f"https://api.{domain}")
    login_url = settings.login_url or (domain and f"https://login.{domain}")
    if not api_url or not login_url:
        raise ConfigurationError(["set GENESYS_REGION, or both GENESYS_API_URL and GENESYS_LOGIN_URL"])
    return Hosts(api_url=api_url.rstrip("/"), login_url=login_url.rstrip("/"))
