"""${message}.

Safe with rows in flight and with the previous version's processes still running: expand first, contract in a later
version.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "${up_revision}"
down_revision = "${down_revision}"


def upgrade() -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}
