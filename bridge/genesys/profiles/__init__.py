"""The API profiles by name: of which HTTP calls the operations are made. It may not send anything.

An operation speaks only in the words of `readings`; whatever differs between profiles is in its profile's module.
"""

from __future__ import annotations

from bridge.genesys.errors import Unsupported
from bridge.genesys.profiles import interaction
from bridge.genesys.profiles.contract import Profile, Traits

#: A module each; the type checker holds it to the protocol.
PROFILES: dict[str, Profile] = {"interaction": interaction}


def profile_named(name: str) -> Profile:
    """Raises Unsupported for a profile that is not there."""
    profile = PROFILES.get(name)
    if profile is None:
        known = ", ".join(PROFILES)
        raise Unsupported("this API profile is not there", alternative=f"set GENESYS_API to one of: {known}")
    return profile


def traits_of(profile: Profile, operation: str) -> Traits:
    """How `profile` carries out `operation`. Raises Unsupported where it cannot."""
    traits = profile.TRAITS.get(operation)
    if traits is None:
        near = profile.ALTERNATIVES.get(operation, f"it has {', '.join(profile.TRAITS)}")
        raise Unsupported("this API profile has no such operation", alternative=near)
    return traits
