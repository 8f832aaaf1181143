"""What people write of the feeds assumptions, targets and service_packages."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "written_assumptions",
        sa.Column("assumption", sa.String, primary_key=True, comment="name"),
        sa.Column("scope", sa.String, primary_key=True, comment="all, segment:A or customer:ID"),
        sa.Column("assumed_value", sa.String, nullable=False, comment="the number"),
        *_common(),
        comment="one row: one assumed number a person wrote, as in the feed assumptions",
    )
    op.create_table(
        "written_targets",
        sa.Column("measure", sa.String, primary_key=True, comment="name of a measure"),
        sa.Column("scope", sa.String, primary_key=True, comment="all, segment:A or customer:ID"),
        sa.Column("target_value", sa.String, nullable=False, comment="the target"),
        sa.Column("tolerance", sa.String, comment="how far off target is still 'watch'"),
        *_common(),
        comment="one row: one target a person wrote, as in the feed targets",
    )
    op.create_table(
        "written_packages",
        sa.Column("service_segment", sa.String, primary_key=True, comment="whose package"),
        sa.Column(
            "defect_share_max", sa.String, comment="units damaged or returned defective / units received, at most"
        ),
        sa.Column("order_fill_min", sa.String, comment="first-pass order fill, at least"),
        sa.Column("lead_time_days_max", sa.String, comment="days from order to arrival, at most"),
        sa.Column("delivery_window", sa.String, comment="hour, day or week"),
        sa.Column("payment_terms", sa.String, comment="as written"),
        sa.Column("support_level", sa.String, comment="dedicated_rep, next_available_rep or web"),
        *_common(),
        comment="one row: one service package a person wrote, as in the feed service_packages",
    )


def _common() -> list[sa.Column[Any]]:
    return [
        sa.Column("valid_from", sa.Date, primary_key=True, comment="first day"),
        sa.Column("deleted", sa.Boolean, nullable=False, comment="true: taken back, as if it had never been written"),
        sa.Column("changed_at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("version", sa.Integer, nullable=False, comment="1, 2, 3 ... by every change"),
    ]
