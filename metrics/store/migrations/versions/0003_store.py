"""Create the store. Replaces migrations 0001 to 0003 of earlier versions and keeps the revision of the last one.

A store at revision 0003 is up to date. An older store lacks only tables, and they are created here (see
`metrics/store/migrate.py`).

The tables are those of `metrics/store/tables.py`. Before the first change of a table that is already here, copy its
definition into this file, so that the next migration still starts from the tables of revision 0003.
"""

from alembic import op
from sqlalchemy import Connection, MetaData, insert, inspect, select

from metrics.store.tables import metadata, run_history

revision = "0003"
down_revision = None

TABLES = (
    "run_history", "audit_trail", "work_items", "work_comments", "written_assumptions", "written_targets",
    "written_packages", "saved_views", "alert_rules", "alert_readings", "outbox",
)  # fmt: skip


def upgrade() -> None:
    """Create the missing tables, and adopt the run history of a server that had no store yet."""
    connection = op.get_bind()
    before = inspect(connection)
    adopt = (
        connection.dialect.name == "postgresql"
        and not before.has_table("run_history")
        and before.has_table("run_history", schema="buyerview")
    )
    metadata.create_all(connection, [metadata.tables[name] for name in TABLES])
    if adopt:
        _adopt_run_history(connection)


def _adopt_run_history(connection: Connection) -> None:
    """Move the run history out of the schema of the warehouse, its place before there was a store."""
    former = run_history.to_metadata(MetaData(), schema="buyerview")
    connection.execute(insert(run_history).from_select(list(former.c.keys()), select(former)))
    former.drop(connection)
