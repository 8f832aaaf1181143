"""Every table of the store. Its state in a database is made by the migrations; a test holds the two together.

Moments are naive UTC, as in the warehouse. A `version` counts a row's changes: who saves names the version they read,
and is told if another came first.
"""

from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

run_history = Table(
    "run_history",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping, or its file where it could not be read"),
    Column("started_at", DateTime, nullable=False, comment="UTC"),
    Column("finished_at", DateTime, nullable=False, comment="UTC"),
    Column("outcome", String, nullable=False, comment="published, unchanged, failed"),
    Column("generation", Integer, comment="the generation it published"),
    Column("report", Text, nullable=False, comment="JSON of the run's report, or of what went wrong"),
    comment="one row: one run, however it ended",
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("entry", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("who", String, nullable=False, comment="the name the person gave"),
    Column(
        "what",
        String,
        nullable=False,
        comment="what was done to which kind of thing: work item assigned, target changed ...",
    ),
    Column("key", String, nullable=False, comment="which one"),
    Column("before", Text, comment="JSON of what changed, as it was; empty: new"),
    Column("after", Text, comment="JSON of what changed, as it is; empty: deleted"),
    Index("audit_trail_of_a_key", "key"),
    comment="one row: one change somebody made; never changed or deleted",
)

work_items = Table(
    "work_items",
    metadata,
    Column("order_id", String, primary_key=True, comment="orders.order_id; the item stays when the order goes"),
    Column(
        "customer",
        String,
        comment="who ordered, as known when the item was begun: all there is of an order that is gone",
    ),
    Column("status", String, nullable=False, comment="open or resolved"),
    Column("owner", String, comment="who works on it; empty: unassigned"),
    Column("detected_at", DateTime, comment="when we noticed, UTC"),
    Column("acknowledged_at", DateTime, comment="when the buyer was first told or answered, UTC; empty: not yet"),
    Column("resolved_at", DateTime, comment="when it was put right, UTC; empty: open"),
    Column("remedy", String, comment="what was done: apology, replaced, credited, reshipped, other"),
    Column("remedy_note", Text, comment="what was done, in words"),
    Column("resolved_by", String, comment="who resolved it"),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ... by every change"),
    Index("work_items_by_status", "status", "owner"),
    comment="one row: what people do about one order",
)

work_comments = Table(
    "work_comments",
    metadata,
    Column("comment_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("order_id", String, nullable=False, comment="work_items.order_id"),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("who", String, nullable=False, comment="the name the person gave"),
    Column("text", Text, nullable=False, comment="as typed"),
    Index("work_comments_of_an_order", "order_id"),
    comment="one row: one thing somebody said about an order; never changed",
)


def _written(name: str, comment: str, *own: Column[Any]) -> Table:
    """A table of what people write of one feed, by the feed's key and columns; values as text, which is exact on both
    engines.
    """
    return Table(
        name,
        metadata,
        *own,
        Column("valid_from", Date, primary_key=True, comment="first day"),
        Column("deleted", Boolean, nullable=False, comment="true: taken back, as if it had never been written"),
        Column("changed_at", DateTime, nullable=False, comment="UTC"),
        Column("version", Integer, nullable=False, comment="1, 2, 3 ... by every change"),
        comment=comment,
    )


assumption_edits = _written(
    "written_assumptions",
    "one row: one assumed number a person wrote, as in the feed assumptions",
    Column("assumption", String, primary_key=True, comment="name"),
    Column("scope", String, primary_key=True, comment="all, segment:A or customer:ID"),
    Column("assumed_value", String, nullable=False, comment="the number"),
)

target_edits = _written(
    "written_targets",
    "one row: one target a person wrote, as in the feed targets",
    Column("measure", String, primary_key=True, comment="name of a measure"),
    Column("scope", String, primary_key=True, comment="all, segment:A or customer:ID"),
    Column("target_value", String, nullable=False, comment="the target"),
    Column("tolerance", String, comment="how far off target is still 'watch'"),
)

package_edits = _written(
    "written_packages",
    "one row: one service package a person wrote, as in the feed service_packages",
    Column("service_segment", String, primary_key=True, comment="whose package"),
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
    Column("name", String, nullable=False, comment="what its owner calls it"),
    Column("owner", String, nullable=False, comment="the name of whoever saved it"),
    Column("shared", Boolean, nullable=False, comment="whether others see it in their list"),
    Column("page", String, nullable=False, comment="path of the page; empty: the scorecard"),
    Column(
        "query",
        Text,
        nullable=False,
        comment="what was chosen, as it stands in the address; a relative period stays relative",
    ),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ... by every change"),
    comment="one row: one view of a page somebody keeps",
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("rule_id", Integer, primary_key=True, comment="1, 2, 3 ..."),
    Column("name", String, nullable=False, comment="what its owner calls it"),
    Column("owner", String, nullable=False, comment="the name of whoever wrote it"),
    Column("measure", String, nullable=False, comment="name of a measure"),
    Column(
        "rule",
        Text,
        nullable=False,
        comment="JSON of the rest: condition, limit, period, filters, quiet hours, channels (metrics/alerts.py)",
    ),
    Column("status", String, nullable=False, comment="clear or firing"),
    Column("streak", Integer, nullable=False, comment="times in a row its condition has held while clear"),
    Column("generation", Integer, comment="the generation it was looked at for last"),
    Column("changed_at", DateTime, nullable=False, comment="UTC"),
    Column("version", Integer, nullable=False, comment="1, 2, 3 ... by every change of the rule itself"),
    comment="one row: one alert rule and how it stands",
)

alert_readings = Table(
    "alert_readings",
    metadata,
    Column("rule_id", Integer, primary_key=True, comment="alert_rules.rule_id"),
    Column("generation", Integer, primary_key=True, comment="the generation read"),
    Column("at", DateTime, nullable=False, comment="UTC"),
    Column("starts_on", Date, nullable=False, comment="first day of the period read"),
    Column("ends_on", Date, nullable=False, comment="its last day"),
    Column("number", String, comment="the value, exact; empty: none"),
    Column("decided", String, nullable=False, comment="clear, firing or why nothing was proven"),
    Column("event", String, comment="fired or over; empty: nothing changed"),
    comment="one row: what one rule saw in one generation",
)

outbox = Table(
    "outbox",
    metadata,
    Column(
        "message_id",
        String,
        primary_key=True,
        comment="rule, generation, event and channel: the same news is one message, however often it is tried",
    ),
    Column("channel", String, nullable=False, comment="mailto:ADDRESS or webhook:NAME"),
    Column("subject", String, nullable=False),
    Column("body", Text, nullable=False, comment="JSON of what is told"),
    Column(
        "due_at",
        DateTime,
        nullable=False,
        comment="not before, UTC: quiet hours, a mute, or the pause before another try",
    ),
    Column("attempts", Integer, nullable=False, comment="how often it was tried"),
    Column("sent_at", DateTime, comment="UTC; empty: not yet"),
    Column("error", Text, comment="why the last try failed"),
    comment="one row: one message to leave, or that left",
)
