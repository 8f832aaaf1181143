"""Add the hash chain of the audit trail."""

from alembic import op
from sqlalchemy import Column, Integer, String

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "audit_chain",
        Column("entry", Integer, primary_key=True, autoincrement=False, comment="audit_trail.entry"),
        Column("sha256", String, nullable=False, comment="hash of the entry and of the hash before it"),
        comment="one row: the hash of one entry of the audit trail; entries of earlier versions have none",
    )
