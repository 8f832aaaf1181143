"""Add notes on numbers and trends."""

from alembic import op
from sqlalchemy import Column, Date, DateTime, Integer, String, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "notes",
        Column("note_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
        Column("measure", String, comment="name of a measure; empty: every measure"),
        Column("segment", String, comment="segment of the number; empty: every segment"),
        Column("starts_on", Date, comment="first day the note is about; empty: no day"),
        Column("ends_on", Date, comment="last day the note is about; empty: the first day only"),
        Column("text", Text, nullable=False, comment="as typed"),
        Column("who", String, nullable=False, comment="the user's name"),
        Column("scope", Text, nullable=False, comment="JSON of the rows that the user saw, as in access_grants"),
        Column("created_at", DateTime, nullable=False, comment="UTC"),
        Column("changed_at", DateTime, nullable=False, comment="UTC"),
        Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
        comment="one row: one note on a number or a trend",
    )
