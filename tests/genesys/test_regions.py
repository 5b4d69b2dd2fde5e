"""Where Genesys is."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigurationError
from bridge.genesys.regions import DOMAINS, hosts
from bridge.settings.model import GenesysSettings


def test_there_are_eighteen_public_regions() -> None:
    assert len(DOMAINS) == len(set(DOMAINS)) == 18


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_region_gives_both_hosts(domain: str) -> None:
    found = hosts(GenesysSettings(region=domain))
    assert (found.api_url, found.login_url) == (f"https://api.{domain}", f"https://login.{domain}")


def test_a_url_that_is_set_wins_over_the_region() -> None:
    found = hosts(GenesysSettings(region="mypurecloud.ie", api_url="http://127.0.0.1:9/"))
    assert (found.api_url, found.login_url) == ("http://127.0.0.1:9", "https://login.mypurecloud.ie")


def test_an_unknown_region_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean mypurecloud\.ie"):
        hosts(GenesysSettings(region="mypurecloud.eie"))


@pytest.mark.parametrize("half", [{}, {"api_url": "http://127.0.0.1:9"}, {"login_url": "http://127.0.0.1:9"}])
def test_half_an_address_is_refused(half: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="GENESYS_REGION"):
        hosts(GenesysSettings(**half))  # type: ignore[arg-type]
