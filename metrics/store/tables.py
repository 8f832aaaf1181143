"""Every table of the store. The migrations create them; a test compares the two.

Moments are naive UTC, as in the warehouse. `version` counts the changes of a row. A save names the version it read, and
fails with ChangedMeanwhile if the row has changed since.
"""

from sqlalchemy import Boolean, Column, Date, DateTime, Index, Integer, MetaData, String, Table, Text

from metrics.schema import AnyColumn

metadata = MetaData()

run_history = Table(
    "run_history",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping, or its file if it could not be read"),
    Column("started_at", DateTime, nullable=False, comment="UTC"),
    Column("finished_at", DateTime, nullable=False, comment="UTC"),
    Column("outcome", String, nullable=False, comment="published, unchanged, failed"),
    Column("generation", Integer, comment="the published generation"),
    Column("report", Text, nullable=False, comment="JSON of the run's report, or of the error"),
    comment="one row: one run, successful or not",
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("entry", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("who", String, nullable=False, comment="the user's name"),
    Column(
        "what",
        String,
        nullable=False,
        comment="the action: work item assigned, target changed ...",
    ),
    Column("key", String, nullable=False, comment="the thing that changed"),
    Column("before", Text, comment="JSON of the changed values before; empty: new"),
    Column("after", Text, comment="JSON of the changed values after; empty: deleted"),
    Index("audit_trail_of_a_key", "key"),
    comment="one row: one change by a user; never changed or deleted",
)

audit_chain = Table(
    "audit_chain",
    metadata,
    Column("entry", Integer, primary_key=True, autoincrement=False, comment="audit_trail.entry"),
    Column("sha256", String, nullable=False, comment="hash of the entry and of the hash before it"),
    comment="one row: the hash of one entry of the audit trail; entries of earlier versions have none",
)

work_items = Table(
    "work_items",
    metadata,
    Column("order_id", String, primary_key=True, comment="orders.order_id; the item stays when the order goes"),
    Column(
        "customer",
        String,
        comment="who ordered, stored when the item was created, so that it survives the order",
    ),
    Column("status", String, nullable=False, comment="open or resolved"),
    Column("owner", String, comment="who works on it; empty: unassigned"),
    Column("detected_at", DateTime, comment="when the failure was detected, UTC"),
    Column("acknowledged_at", DateTime, comment="when the buyer was first informed, UTC; empty: not yet"),
    Column("resolved_at", DateTime, comment="when it was resolved, UTC; empty: open"),
    Column("remedy", String, comment="the remedy: apology, replaced, credited, reshipped, other"),
    Column("remedy_note", Text, comment="description of the remedy"),
    Column("resolved_by", String, comment="who resolved it"),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
    Index("work_items_by_status", "status", "owner"),
    comment="one row: the work on one order",
)

work_comments = Table(
    "work_comments",
    metadata,
    Column("comment_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("order_id", String, nullable=False, comment="work_items.order_id"),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("who", String, nullable=False, comment="the user's name"),
    Column("text", Text, nullable=False, comment="as typed"),
    Index("work_comments_of_an_order", "order_id"),
    comment="one row: one comment on an order; never changed",
)


def _edits_table(name: str, comment: str, *own: AnyColumn) -> Table:
    """Return the table of user edits of one feed: the feed's key and columns, values as exact text."""
    return Table(
        name,
        metadata,
        *own,
        Column("valid_from", Date, primary_key=True, comment="first day"),
        Column("deleted", Boolean, nullable=False, comment="true: reverted, as if it had never been saved"),
        Column("changed_at", DateTime, nullable=False, comment="UTC"),
        Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
        comment=comment,
    )


assumption_edits = _edits_table(
    "written_assumptions",
    "one row: one edited assumption, as in the feed assumptions",
    Column("assumption", String, primary_key=True, comment="name"),
    Column("scope", String, primary_key=True, comment="all, segment:A or customer:ID"),
    Column("assumed_value", String, nullable=False, comment="the number"),
)

target_edits = _edits_table(
    "written_targets",
    "one row: one edited target, as in the feed targets",
    Column("measure", String, primary_key=True, comment="name of a measure"),
    Column("scope", String, primary_key=True, comment="all, segment:A or customer:ID"),
    Column("target_value", String, nullable=False, comment="the target"),
    Column("tolerance", String, comment="distance from the target that still counts as 'watch'"),
)

package_edits = _edits_table(
    "written_packages",
    "one row: one edited service package, as in the feed service_packages",
    Column("service_segment", String, primary_key=True, comment="the segment that gets the package"),
    Column("defect_share_max", String, comment="units damaged or returned defective / units received, at most"),
    Column("order_fill_min", String, comment="first-pass order fill, at least"),
    Column("lead_time_days_max", String, comment="days from order to arrival, at most"),
    Column("delivery_window", String, comment="hour, day or week"),
    Column("payment_terms", String, comment="as written"),
    Column("support_level", String, comment="dedicated_rep, next_available_rep or web"),
)

saved_views = Table(
    "saved_views",
    metadata,
    Column("view_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("name", String, nullable=False, comment="name given by its owner"),
    Column("owner", String, nullable=False, comment="name of the user who saved it"),
    Column("shared", Boolean, nullable=False, comment="true: other users see it in their list"),
    Column("page", String, nullable=False, comment="path of the page; empty: the scorecard"),
    Column(
        "query",
        Text,
        nullable=False,
        comment="the filters, as in the address; a relative period stays relative",
    ),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
    comment="one row: one saved view of a page",
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("name", String, nullable=False, comment="name given by its owner"),
    Column("owner", String, nullable=False, comment="name of the user who created it"),
    Column("measure", String, nullable=False, comment="name of a measure"),
    Column(
        "rule",
        Text,
        nullable=False,
        comment="JSON of the rest: condition, limit, period, filters, quiet hours, channels (metrics/alerts/rules.py)",
    ),
    Column("status", String, nullable=False, comment="clear or firing"),
    Column(
        "streak",
        Integer,
        nullable=False,
        comment="consecutive periods in which the condition was met while the rule is clear",
    ),
    Column("generation", Integer, comment="the last generation it was checked against"),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes of the rule itself"),
    comment="one row: one alert rule and its status",
)

alert_readings = Table(
    "alert_readings",
    metadata,
    Column("rule_id", Integer, primary_key=True, comment="alert_rules.rule_id"),
    Column("generation", Integer, primary_key=True, comment="the generation checked"),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("starts_on", Date, nullable=False, comment="first day of the period checked"),
    Column("ends_on", Date, nullable=False, comment="last day of the period checked"),
    Column("number", String, comment="the value, exact; empty: none"),
    Column("decided", String, nullable=False, comment="clear, firing, or the reason why neither is proven"),
    Column("event", String, comment="fired or over; empty: no change"),
    comment="one row: one check of one rule against one generation",
)

outbox = Table(
    "outbox",
    metadata,
    Column(
        "message_id",
        String,
        primary_key=True,
        comment="rule, generation, event and channel, so that a retry does not create a second message",
    ),
    Column("channel", String, nullable=False, comment="mailto:ADDRESS, webhook:NAME, slack:NAME or teams:NAME"),
    Column("subject", String, nullable=False),
    Column("body", Text, nullable=False, comment="JSON of the content"),
    Column(
        "due_at",
        DateTime,
        nullable=False,
        comment="earliest time to send, UTC, after quiet hours, a mute or the pause before a retry",
    ),
    Column("attempts", Integer, nullable=False, comment="number of attempts to send it"),
    Column("sent_at", DateTime, comment="UTC; empty: not yet"),
    Column("error", Text, comment="error of the last attempt"),
    comment="one row: one message to send, or sent",
)

access_grants = Table(
    "access_grants",
    metadata,
    Column("person", String, primary_key=True, comment="name from the sign-in, in lower case"),
    Column("role", String, nullable=False, comment="viewer, agent, analyst, editor or administrator"),
    Column("scope", Text, nullable=False, comment="JSON of the conditions (dimension, values); []: every row"),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ...; counts changes"),
    comment="one row: the access of one person",
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session", String, primary_key=True, comment="hash of the cookie of a sign-in"),
    Column("ended_at", DateTime, nullable=False, comment="UTC"),
    comment="one row: one sign-in that has ended; its cookie is no longer accepted",
)

notes = Table(
    "notes",
    metadata,
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
