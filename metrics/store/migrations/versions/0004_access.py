"""Add access: who may do what, and the sign-ins that have ended."""

from alembic import op
from sqlalchemy import Column, DateTime, Integer, String, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "access_grants",
        Column("person", String, primary_key=True, comment="name from the sign-in, in lower case"),
        Column("role", String, nullable=False, comment="viewer, agent, analyst, editor or administrator"),
        Column("scope", Text, nullable=False, comment="JSON of the conditions (dimension, values); []: every row"),
        Column("changed_at", DateTime, nullable=False, comment="UTC"),
        Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
        comment="one row: the access of one person",
    )
    op.create_table(
        "ended_sessions",
        Column("session", String, primary_key=True, comment="hash of the cookie of a sign-in"),
        Column("ended_at", DateTime, nullable=False, comment="UTC"),
        comment="one row: one sign-in that has ended; its cookie is no longer accepted",
    )
