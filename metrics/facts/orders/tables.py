"""Tables of the order line facts and the order facts.

A verdict is true, false or unknown (null); the column after it has the reason. `__init__.py` has the SELECTs that fill
the tables.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, MetaData, String, Table, Text

from metrics.facts.orders.column_comments import COMMENTS
from metrics.schema import AMOUNT, EXACT_AMOUNT, FACTOR, PRICE, QTY, AnyColumn
from metrics.sql.dialects import SqlType

NONE = "(none)"
"""Dimension value if the data has none."""
SEVERAL = "(several)"
"""Dimension value of an order with several product categories or carriers, so that parts add up to the total."""
GOODS_VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")
PARTS = ("item_ok", "place_ok", "overage_ok")
"""The parts of `filled_accurately`: right product, right place, no more than owed."""

DIMENSION_COLUMNS = (
    "segment",
    "region",
    "channel",
    "fulfilment_model",
    "currency",
    "customer_id",
    "product_category",
    "carrier",
)

RECEIVED_COLUMNS = (
    "counted_qty",
    "received_qty",
    "shipped_qty",
    "unproven_qty",
    "filled_qty",
    "filled_most_qty",
    "in_window_qty",
    "in_window_most_qty",
    "damaged_qty",
    "filled_amount",
    "filled_most_amount",
    "received_amount",
    "first_pass_qty",
    "first_pass_amount",
    "first_pass_full",
    "back_ordered",
    "substituted",
)
"""Columns that are null, never 0, if no source maps consignments."""

facts_metadata = MetaData()


def _columns(*names_and_types: tuple[str, SqlType | type[SqlType]]) -> list[AnyColumn]:
    return [Column(name, kind, comment=COMMENTS[name]) for name, kind in names_and_types]


_SHARED = (
    ("customer_id", String),
    ("customer_name", String),
    ("segment", String),
    ("region", String),
    ("channel", String),
    ("fulfilment_model", String),
    ("currency", String),
    ("product_category", String),
    ("carrier", String),
    ("ordered_at", DateTime),
    ("ordered_at_is_date", Boolean),
    ("ordered_day", Date),
    ("requested_day", Date),
    ("promised_day", Date),
    ("first_promised_day", Date),
    ("due_day", Date),
    ("shipped_day", Date),
    ("deadline_at", DateTime),
    ("state", String),
    ("in_quarantine", Boolean),
    ("lateness_days", Integer),
)
_VERDICTS = tuple(pair for name in GOODS_VERDICTS for pair in ((name, Boolean), (f"{name}_reason", String)))

order_line_facts_table = Table(
    "order_line_facts",
    facts_metadata,
    *_columns(
        ("order_id", String),
        ("line_no", String),
        *_SHARED,
        ("product_id", String),
        ("line_kind", String),
        ("order_type", String),
        ("base_unit", String),
        ("request_at", DateTime),
        ("promise_at", DateTime),
        ("first_due_at", DateTime),
        *_VERDICTS,
        *[(name, Boolean) for name in PARTS],
        ("ordered_qty", QTY),
        ("owed_qty", QTY),
        ("counted_qty", QTY),
        ("received_qty", QTY),
        ("shipped_qty", QTY),
        ("unproven_qty", QTY),
        ("filled_qty", QTY),
        ("filled_most_qty", QTY),
        ("first_pass_qty", QTY),
        ("first_pass_full", Boolean),
        ("back_ordered", Boolean),
        ("substituted", Boolean),
        ("cancelled_short_qty", QTY),
        ("overdue_open", Boolean),
        ("damaged_qty", QTY),
        ("in_window_qty", QTY),
        ("in_window_most_qty", QTY),
        ("billed_qty", QTY),
        ("unit_price_amount", PRICE),
        ("unit_cost_amount", AMOUNT),
        ("rate", FACTOR),
        ("ordered_amount", EXACT_AMOUNT),
        ("owed_amount", EXACT_AMOUNT),
        ("filled_amount", EXACT_AMOUNT),
        ("filled_most_amount", EXACT_AMOUNT),
        ("first_pass_amount", EXACT_AMOUNT),
        ("received_amount", EXACT_AMOUNT),
        ("billed_amount", AMOUNT),
        ("settled_at", DateTime),
        ("settled_day", Date),
        ("invoice_window_end", DateTime),
        ("next_change_at", DateTime),
    ),
    comment="one row: one order line, judged under the strict policy",
    info={"grain": "line"},
)

order_facts_table = Table(
    "order_facts",
    facts_metadata,
    *_columns(
        ("order_id", String),
        *_SHARED,
        ("order_type", String),
        ("billing_state", String),
        ("time_zone_assumed", Boolean),
        ("ship_to_time_zone", String),
        ("payment_terms", String),
        ("special_request", String),
        *_VERDICTS,
        *[(name, Boolean) for name in PARTS],
        ("perfect_order", Boolean),
        ("first_pass_full", Boolean),
        ("settled_at", DateTime),
        ("arrived_day", Date),
        ("cycle_days", Integer),
        ("days_late", Integer),
        ("missed_deadline_at", DateTime),
        ("line_count", BigInteger),
        ("goods_line_count", BigInteger),
        ("ordered_qty", QTY),
        ("owed_qty", QTY),
        ("received_qty", QTY),
        ("rate", FACTOR),
        ("ordered_amount", EXACT_AMOUNT),
        ("received_amount", EXACT_AMOUNT),
        ("short_amount", EXACT_AMOUNT),
        ("billed_amount", AMOUNT),
        ("next_change_at", DateTime),
    ),
    comment="one row: one order, judged under the strict policy",
    info={"grain": "order"},
)


facts_state = Table(
    "facts_state",
    facts_metadata,
    Column("as_of", DateTime, nullable=False, comment="instant the facts are judged at, UTC"),
    Column("mapped", Text, nullable=False, comment="JSON list of the feed.column mapped when they were built"),
    comment="one row: the inputs of the stored facts",
)
