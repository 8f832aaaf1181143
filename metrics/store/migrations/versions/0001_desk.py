"""Run history (adopted where an earlier version kept it), work items with their comments, and the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    held = sa.inspect(connection)
    if not held.has_table("run_history"):
        run_history = op.create_table(
            "run_history",
            sa.Column(
                "source",
                sa.String,
                nullable=False,
                comment="name of the mapping, or its file where it could not be read",
            ),
            sa.Column("started_at", sa.DateTime, nullable=False, comment="UTC"),
            sa.Column("finished_at", sa.DateTime, nullable=False, comment="UTC"),
            sa.Column("outcome", sa.String, nullable=False, comment="published, unchanged, failed"),
            sa.Column("generation", sa.Integer, comment="the generation it published"),
            sa.Column("report", sa.Text, nullable=False, comment="JSON of the run's report, or of what went wrong"),
            comment="one row: one run, however it ended",
        )
        if connection.dialect.name == "postgresql" and held.has_table(
            "run_history", schema="buyerview"
        ):  # where it was before there was a store
            before = run_history.to_metadata(sa.MetaData(), schema="buyerview")
            op.execute(sa.insert(run_history).from_select(list(before.c.keys()), sa.select(before)))
            before.drop(connection)
    op.create_table(
        "audit_trail",
        sa.Column("entry", sa.Integer, primary_key=True, comment="1, 2, 3 ..."),
        sa.Column("at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("who", sa.String, nullable=False, comment="the name the person gave"),
        sa.Column(
            "what",
            sa.String,
            nullable=False,
            comment="what was done to which kind of thing: work item assigned, target changed ...",
        ),
        sa.Column("key", sa.String, nullable=False, comment="which one"),
        sa.Column("before", sa.Text, comment="JSON of what changed, as it was; empty: new"),
        sa.Column("after", sa.Text, comment="JSON of what changed, as it is; empty: deleted"),
        comment="one row: one change somebody made; never changed or deleted",
    )
    op.create_index("audit_trail_of_a_key", "audit_trail", ["key"])
    op.create_table(
        "work_items",
        sa.Column(
            "order_id", sa.String, primary_key=True, comment="orders.order_id; the item stays when the order goes"
        ),
        sa.Column(
            "customer",
            sa.String,
            comment="who ordered, as known when the item was begun: all there is of an order that is gone",
        ),
        sa.Column("status", sa.String, nullable=False, comment="open or resolved"),
        sa.Column("owner", sa.String, comment="who works on it; empty: unassigned"),
        sa.Column("detected_at", sa.DateTime, comment="when we noticed, UTC"),
        sa.Column(
            "acknowledged_at", sa.DateTime, comment="when the buyer was first told or answered, UTC; empty: not yet"
        ),
        sa.Column("resolved_at", sa.DateTime, comment="when it was put right, UTC; empty: open"),
        sa.Column("remedy", sa.String, comment="what was done: apology, replaced, credited, reshipped, other"),
        sa.Column("remedy_note", sa.Text, comment="what was done, in words"),
        sa.Column("resolved_by", sa.String, comment="who resolved it"),
        sa.Column("changed_at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("version", sa.Integer, nullable=False, comment="1, 2, 3 ... by every change"),
        comment="one row: what people do about one order",
    )
    op.create_index("work_items_by_status", "work_items", ["status", "owner"])
    op.create_table(
        "work_comments",
        sa.Column("comment_id", sa.Integer, primary_key=True, comment="1, 2, 3 ..."),
        sa.Column("order_id", sa.String, nullable=False, comment="work_items.order_id"),
        sa.Column("at", sa.DateTime, nullable=False, comment="UTC"),
        sa.Column("who", sa.String, nullable=False, comment="the name the person gave"),
        sa.Column("text", sa.Text, nullable=False, comment="as typed"),
        comment="one row: one thing somebody said about an order; never changed",
    )
    op.create_index("work_comments_of_an_order", "work_comments", ["order_id"])
