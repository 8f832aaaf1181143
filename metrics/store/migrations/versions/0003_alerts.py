"""Saved views, alert rules with what they read, and messages to leave."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "saved_views",
        sa.Column("view_id", sa.Integer, primary_key=True, comment="1, 2, 3 ..."),
        sa.Column("name", sa.String, nullable=False, comment="what its owner calls it"),
        sa.Column("owner", sa.String, nullable=False, comment="the name of whoever saved it"),
        sa.Column("shared", sa.Boolean, nullable=False, comment="whether others see it in their list"),
        sa.Column("page", sa.String, nullable=False, comment="path of the page; empty: the scorecard"),
        sa.Column(
            "query",
            sa.Text,
            nullable=False,
            comment="what was chosen, as it stands in the address; a relative period stays relative",
        ),
        *_changed(),
        comment="one row: one view of a page somebody keeps",
    )
    op.create_table(
        "alert_rules",
        sa.Column("rule_id", sa.Integer, primary_key=True, comment="1, 2, 3 ..."),
        sa.Column("name", sa.String, nullable=False, comment="what its owner calls it"),
        sa.Column("owner", sa.String, nullable=False, comment="the name of whoever wrote it"),
        sa.Column("measure", sa.String, nullable=False, comment="name of a measure"),
        sa.Column(
            "rule",
            sa.Text,
            nullable=False,
            comment="JSON of the rest: condition, limit, period, filters, quiet hours, channels (metrics/alerts.py)",
        ),
        sa.Column("status", sa.String, nullable=False, comment="clear or firing"),
        sa.Column("streak", sa.Integer, nullable=False, comment="times in a row its condition has held while clear"),
        sa.Column("generation", sa.Integer, comment="the generation it was looked at for last"),
        *_changed("1, 2, 3 ... by every change of the rule itself"),
        comment="one row: one alert rule and how it stands",
    )
    op.create_table(
        "alert_readings",
        sa.Column("rule_id", sa.Integer, primary_key=True, comment="alert_rules.rule_id"),
        sa.Column("generation", sa.Integer, primary_key=True, comment="the generation read"),
        sa.Column("at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("starts_on", sa.Date, nullable=False, comment="first day of the period read"),
        sa.Column("ends_on", sa.Date, nullable=False, comment="its last day"),
        sa.Column("number", sa.String, comment="the value, exact; empty: none"),
        sa.Column("decided", sa.String, nullable=False, comment="clear, firing or why nothing was proven"),
        sa.Column("event", sa.String, comment="fired or over; empty: nothing changed"),
        comment="one row: what one rule saw in one generation",
    )
    op.create_table(
        "outbox",
        sa.Column(
            "message_id",
            sa.String,
            primary_key=True,
            comment="rule, generation, event and channel: the same news is one message, however often it is tried",
        ),
        sa.Column("channel", sa.String, nullable=False, comment="mailto:ADDRESS or webhook:NAME"),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False, comment="JSON of what is told"),
        sa.Column(
            "due_at",
            sa.DateTime,
            nullable=False,
            comment="not before, UTC: quiet hours, a mute, or the pause before another try",
        ),
        sa.Column("attempts", sa.Integer, nullable=False, comment="how often it was tried"),
        sa.Column("sent_at", sa.DateTime, comment="UTC; empty: not yet"),
        sa.Column("error", sa.Text, comment="why the last try failed"),
        comment="one row: one message to leave, or that left",
    )


def _changed(version: str = "1, 2, 3 ... by every change") -> list[sa.Column[Any]]:
    return [
        sa.Column("changed_at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("version", sa.Integer, nullable=False, comment=version),
    ]
