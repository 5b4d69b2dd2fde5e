"""The data-lake export: asks Genesys to write one thing to a bucket. It may not read or write the bucket.

Done twice? The export of one thing as it is now; a second one writes the same again under the same name.
"""

from __future__ import annotations

from typing import Literal

from bridge.genesys.profiles.contract import Profile
from bridge.genesys.wire import Call

ExportKind = Literal["interaction", "conversation", "customObjectRecord"]


def export_call(profile: Profile, *, kind: ExportKind, subject_id: str, bucket: str, path: str) -> Call:
    name = f"{kind}-update-sync-{subject_id}"
    return profile.export(name=name, kind=kind, query=f"id eq {_quoted(subject_id)}", bucket=bucket, path=path)


def _quoted(text: str) -> str:
    """As a string of the filter language: a quote inside is doubled, so that an id cannot add a condition."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
