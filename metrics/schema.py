"""The data model: every feed, and every table of the run log, with the meaning and unit of each column.

`FEEDS` are the tables that ingest fills. The other tables are ingest's run log. Fact tables and rollups are not here:
`metrics/facts/` and `metrics/queries/rollups.py` declare them.

A moment (`ordered_at`, `promised_by`, `received_at` ...) has two columns: the value and `<name>_is_date`. A value with
a time is an instant in UTC, and the flag is false. A value that came as a bare date is that calendar day at 00:00, *not
shifted*, and the flag is true. The instants of that day depend on the order's `ship_to_time_zone`; `metrics/facts/`
computes them. If the value is null, the flag is null.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, MetaData, Numeric, String, Table, Text

metadata = MetaData()

AnyColumn = Column[Any]  # Any: tables mix columns of every type
Row = dict[str, Any]  # Any: a row's values as the driver returns them
"""A row as a dictionary."""
RowValues = Mapping[str, Any]  # Any: see Row
"""A row that is only read: a `Row`, or a row of a result."""

QTY = Numeric(18, 4)
"""A quantity in the product's base unit, or a unit price: exact, four decimals."""
AMOUNT = Numeric(18, 4)
"""Money in `currency`: exact, four decimals."""
EXACT_AMOUNT = Numeric(38, 12)
"""Money calculated from a quantity and a price, or from an amount and a rate: exact, never rounded before a sum."""
PRICE = Numeric(18, 8)
"""Price of one base unit: exact, eight decimals, so that converting a price per box of 12 keeps the line's amount."""
SHARE = Numeric(9, 6)
"""A share from 0 to 1 (a rate of 25 % is 0.25)."""
FACTOR = Numeric(18, 8)
"""A conversion factor or exchange rate: exact, eight decimals."""

PROVENANCE = ("source", "file_id", "row_no", "source_updated_at", "deleted")
"""Columns of every feed besides its own: the origin of the current version of a row."""


def text(name: str, comment: str, *, required: bool = False) -> Column[Any]:
    """Return a text column."""
    return Column(name, String, nullable=not required, comment=comment)


def moment(name: str, comment: str, *, required: bool = False) -> tuple[Column[Any], Column[Any]]:
    """Return the two columns of a moment: the value, and the flag for a bare date."""
    return (
        Column(
            name, DateTime, nullable=not required, comment=f"{comment} UTC instant, or a local calendar day at 00:00"
        ),
        Column(f"{name}_is_date", Boolean, nullable=not required, comment=f"true: {name} came as a bare date"),
    )


def first_day(table: Table) -> str | None:
    """Return the name of a table's first column of days; None without one. Fact tables are stored by this day."""
    return next((column.name for column in table.columns if isinstance(column.type, Date)), None)


def feed(name: str, comment: str, *columns: Column[Any] | tuple[Column[Any], Column[Any]]) -> Table:
    """Return a feed's table: its own columns, then the provenance columns.

    It has no index and no constraint, because merging keeps keys unique.
    """
    flat = [part for column in columns for part in (column if isinstance(column, tuple) else (column,))]
    return Table(
        name,
        metadata,
        *flat,
        Column("source", String, nullable=False, comment="name of the mapping that loaded the row"),
        Column(
            "file_id",
            BigInteger,
            nullable=False,
            comment="run_files.file_id of the source object of this version",
        ),
        Column(
            "row_no",
            BigInteger,
            nullable=False,
            comment="record number in that object, from 1, without the header",
        ),
        Column("source_updated_at", DateTime, comment="when the source last changed the record, UTC; the newest wins"),
        Column("deleted", Boolean, nullable=False, comment="true: deleted; measures ignore the record"),
        comment=comment,
    )


orders = feed(
    "orders",
    "one row: one buyer order",
    text("order_id", "key", required=True),
    text("customer_id", "who ordered", required=True),
    moment("ordered_at", "when the buyer ordered.", required=True),
    moment("requested_from", "start of the window the buyer asked for."),
    moment("requested_by", "deadline the buyer asked for."),
    moment("promised_from", "start of the window first promised."),
    moment("promised_by", "deadline first promised (ATP or ATD)."),
    text("channel", "how they order: edi, web, phone, field ..."),
    text("order_type", "sale, replacement, sample or internal"),
    text("fulfilment_model", "make_to_stock (buy, make, sell) or make_to_order (sell, make, buy)"),
    text("special_request", "special request of the buyer"),
    text("region", "sales region of the order; empty: the customer's region on the day of the order"),
    text("currency", "ISO 4217 code of the order's prices"),
    text("bill_to", "party to be billed"),
    text("payment_terms", "agreed terms, as written"),
    text("ship_to", "place the goods are to be delivered to"),
    text("ship_to_time_zone", "IANA zone of that place; the source's declared zone if it came empty", required=True),
    Column(
        "time_zone_assumed",
        Boolean,
        nullable=False,
        comment="true: the zone came empty and is the source's declared one",
    ),
    text("delivery_term", "Incoterm: who carries, where it is handed over"),
    moment("cancelled_at", "when the whole order was cancelled."),
    text("cancelled_by", "buyer or seller; empty counts as seller"),
    text("cancel_reason", "why, as coded by the source"),
)

order_lines = feed(
    "order_lines",
    "one row: one product wanted on one order",
    text("order_id", "key", required=True),
    text("line_no", "key", required=True),
    text("product_id", "what is wanted"),
    text(
        "unit",
        "unit the source counts in; empty: the base unit. Ingest converts quantities and prices to base units (R12)",
    ),
    Column("ordered_qty", QTY, nullable=False, comment="wanted, base unit"),
    Column("unit_price_amount", PRICE, comment="agreed price of one base unit, net of discount"),
    Column("tax_rate", SHARE, comment="agreed tax rate"),
    text("line_kind", "goods, service, fee or discount", required=True),
    moment("requested_by", "deadline asked for; empty: the order's."),
    moment("promised_by", "deadline first promised; empty: the order's."),
    Column(
        "cancelled_qty",
        QTY,
        comment="how much of the line was cancelled; empty with cancelled_at set: all not yet received",
    ),
    moment("cancelled_at", "when the line was cancelled."),
    text("cancelled_by", "buyer or seller; empty counts as seller"),
    text("cancel_reason", "why, as coded by the source"),
)

shipments = feed(
    "shipments",
    "one row: one consignment",
    text("shipment_id", "key", required=True),
    text("carrier", "who carried it"),
    moment("shipped_at", "when it left."),
    moment("received_at", "proof of delivery at the buyer; empty: not proven."),
    text("received_place", "where it was received"),
    Column("freight_amount", AMOUNT, comment="cost of carrying it, in currency"),
    text("currency", "ISO 4217 code of freight_amount"),
    moment("notice_sent_at", "advance ship notice."),
    moment("attempted_at", "first delivery attempt."),
    text("failure_caused_by", "buyer, seller or carrier"),
)

shipment_lines = feed(
    "shipment_lines",
    "one row: what one consignment carried for one order line",
    text("shipment_id", "key", required=True),
    text("shipment_line_no", "key", required=True),
    text("order_id", "the order line it was for", required=True),
    text("line_no", "the order line it was for", required=True),
    text("product_id", "what was actually packed"),
    text("unit", "unit the source counts in; empty: the base unit (converted as order_lines.unit)"),
    Column("shipped_qty", QTY, nullable=False, comment="sent, base unit"),
    Column("received_qty", QTY, comment="received, base unit; empty: as shipped"),
    Column("damaged_qty", QTY, comment="received damaged, base unit; empty: not recorded"),
    Column("substitution_agreed", Boolean, comment="true: the buyer agreed to another product"),
)

invoices = feed(
    "invoices",
    "one row: one billing document",
    text("invoice_id", "key", required=True),
    text("invoice_kind", "invoice, credit or reversal", required=True),
    text("reverses_invoice_id", "the invoice a reversal takes back"),
    moment("invoiced_at", "document date.", required=True),
    Column("due_on", Date, comment="when payment is due"),
    text("bill_to", "party billed"),
    text("payment_terms", "terms billed, as written"),
    text("currency", "ISO 4217 code"),
    text("credit_reason", "billing, damage, defect, short, goodwill or return"),
)

invoice_lines = feed(
    "invoice_lines",
    "one row: one billed line",
    text("invoice_id", "key", required=True),
    text("invoice_line_no", "key", required=True),
    text("order_id", "the order line billed; empty for freight and other charges"),
    text("line_no", "the order line billed; empty for freight and other charges"),
    text("unit", "unit the source counts in; empty: the base unit (converted as order_lines.unit)"),
    Column("billed_qty", QTY, comment="billed, base unit"),
    Column("unit_price_amount", PRICE, comment="billed price of one base unit"),
    Column(
        "line_amount",
        AMOUNT,
        nullable=False,
        comment="billed without tax; positive except for discounts, the document's kind gives the sign",
    ),
    Column("tax_amount", AMOUNT, comment="tax billed"),
)

customers = feed(
    "customers",
    "one row: one customer as of a date",
    text("customer_id", "key", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first local day this version applies"),
    text("name", "name"),
    text("service_segment", "A, B, C ...: which service package they are promised"),
    text("region", "sales region"),
    text("city", "city"),
    text("account_manager", "dedicated representative"),
    text("policy_id", "contract that judges their orders"),
)

products = feed(
    "products",
    "one row: one product as of a date",
    text("product_id", "key", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first local day this version applies"),
    text("name", "name"),
    text("category", "product family"),
    text("base_unit", "piece, kg, m, l: the unit quantities are in"),
    Column("unit_cost_amount", AMOUNT, comment="cost of one base unit"),
    Column("available_from", Date, comment="first day it can be ordered"),
)

service_packages = feed(
    "service_packages",
    "one row: what a segment is promised as of a date (Table 8-1)",
    text("service_segment", "key", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first day"),
    Column("defect_share_max", SHARE, comment="units damaged or returned defective / units received, at most"),
    Column("order_fill_min", SHARE, comment="first-pass order fill, at least"),
    Column("lead_time_days_max", Integer, comment="days from order to arrival, at most"),
    text("delivery_window", "hour, day or week: how near to the request it arrives"),
    text("payment_terms", "as written, e.g. 4/10 net 30"),
    text("support_level", "dedicated_rep, next_available_rep or web"),
)

policies = feed(
    "policies",
    "one row: how a contract judges as of a date",
    text("policy_id", "key", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first local day of order"),
    text("timing", "DEADLINE or WINDOW"),
    Column("early_tolerance_days", Integer, comment="local calendar days"),
    Column("early_tolerance_hours", Numeric(9, 4), comment="elapsed hours"),
    Column("late_tolerance_days", Integer, comment="local calendar days"),
    Column("late_tolerance_hours", Numeric(9, 4), comment="elapsed hours"),
    Column("under_tolerance_share", SHARE, comment="share of owed_qty that may be missing"),
    Column("over_tolerance_share", SHARE, comment="share of owed_qty that may be too much"),
    Column("claims_days", Integer, comment="days in which damage may be claimed"),
    Column("invoice_days", Integer, comment="days after receipt in which the first bill must come"),
    text("anchor", "requested, first_promise or current_promise"),
)

targets = feed(
    "targets",
    "one row: a target for everyone, a segment or a customer, as of a date",
    text("measure", "key: name of a measure of the catalogue", required=True),
    text("scope", "key: all, segment:A or customer:ID", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first day"),
    Column(
        "target_value", Numeric(18, 6), nullable=False, comment="the target, in the measure's unit (a share as 0 to 1)"
    ),
    Column("tolerance", Numeric(18, 6), comment="how far off target is still 'watch', in the same unit; empty: 0"),
)

unit_factors = feed(
    "unit_factors",
    "one row: how a unit of a product converts to its base unit as of a date",
    text("product_id", "key", required=True),
    text("unit", "key: box, pallet ... or the base unit itself (factor 1) to give its rounding step", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first local day of order"),
    Column("factor", FACTOR, nullable=False, comment="base units in one; numerator / denominator, if these are given"),
    Column("numerator", FACTOR, comment="exact factor as a fraction: numerator / denominator base units in one"),
    Column("denominator", FACTOR, comment="denominator of the exact factor; empty with numerator set: 1"),
    Column(
        "rounding_step",
        QTY,
        comment="smallest difference of base units that counts (R11); empty: 1 for pieces, else 0.001",
    ),
)

promises = feed(
    "promises",
    "one row: a promise made or changed for one order line",
    text("order_id", "key", required=True),
    text("line_no", "key", required=True),
    Column("revision_no", Integer, nullable=False, comment="key: 1, 2, 3 ...; the first is the first promise itself"),
    moment("promised_by", "the deadline now promised.", required=True),
    moment("changed_at", "when it was made or changed.", required=True),
    text("changed_by", "buyer or seller; empty counts as seller"),
    text("basis", "ATP (available to promise) or ATD (available to deliver)"),
    text("reason", "why, as coded by the source"),
)

holds = feed(
    "holds",
    "one row: an order that was stopped for a while",
    text("hold_id", "key", required=True),
    text("order_id", "the order stopped", required=True),
    text("kind", "credit, data, stock or other"),
    moment("placed_at", "when it was stopped.", required=True),
    moment("released_at", "when it went on; empty: still stopped."),
    text("caused_by", "buyer or seller; empty counts as seller"),
)

payments = feed(
    "payments",
    "one row: money received for an invoice",
    text("payment_id", "key", required=True),
    text("invoice_id", "the invoice paid", required=True),
    moment("paid_at", "when it came in.", required=True),
    Column("amount", AMOUNT, nullable=False, comment="received, in currency"),
    text("currency", "ISO 4217 code"),
)

order_events = feed(
    "order_events",
    "one row: one attempt at one of the 13 order-to-cash steps of an order",
    text("order_id", "key", required=True),
    Column("step", Integer, nullable=False, comment="key: 1 to 13 (docs/rules.md, Cycle time)"),
    Column("event_no", Integer, nullable=False, comment="key: attempt, from 1"),
    moment("started_at", "when it started."),
    moment("finished_at", "when it was done; empty: going on."),
)

quotes = feed(
    "quotes",
    "one row: one inquiry and its answer",
    text("quote_id", "key", required=True),
    text("customer_id", "who asked", required=True),
    moment("asked_at", "when the buyer asked.", required=True),
    moment("answered_at", "when we answered; empty: not yet."),
    text("order_id", "the order it became; empty: none"),
)

quote_options = feed(
    "quote_options",
    "one row: one option offered in the answer to an inquiry",
    text("quote_id", "key", required=True),
    text("option_no", "key", required=True),
    Column("price_amount", AMOUNT, comment="price of the whole offer, in currency"),
    text("currency", "ISO 4217 code"),
    Column("lead_time_days", Integer, comment="offered days from order to arrival"),
    Column("accepted", Boolean, comment="true: the buyer chose it"),
)

messages = feed(
    "messages",
    "one row: one message to a buyer, sent or due",
    text("message_id", "key", required=True),
    text("order_id", "the order it is about; empty: none"),
    text("customer_id", "the recipient; empty: the order's customer"),
    text("phase", "pre, during or post the transaction"),
    text("kind", "quote, acknowledgement, delay_notice, ship_notice, invoice or case_reply"),
    moment("due_at", "deadline for sending it."),
    moment("sent_at", "when it was sent; empty: not yet."),
    Column("correct", Boolean, comment="true: its content was correct; empty: not known"),
)

service_cases = feed(
    "service_cases",
    "one row: a complaint, question, parts request, special request or sudden change",
    text("case_id", "key", required=True),
    text("order_id", "the order it is about; empty: none"),
    text("customer_id", "who raised it; empty: the order's customer"),
    text("kind", "complaint, question, parts_request, special_request or sudden_change"),
    moment("opened_at", "when it was raised.", required=True),
    moment("acknowledged_at", "when we first answered."),
    moment("resolved_at", "when it was settled; empty: open."),
    Column("granted", Boolean, comment="true: the request was granted; empty: undecided"),
    Column("cost_amount", AMOUNT, comment="what settling it cost, in currency"),
    text("currency", "ISO 4217 code"),
)

returns = feed(
    "returns",
    "one row: goods of one order line coming back",
    text("return_id", "key", required=True),
    text("return_line_no", "key", required=True),
    text("order_id", "the order line they were delivered for", required=True),
    text("line_no", "the order line they were delivered for", required=True),
    Column("returned_qty", QTY, nullable=False, comment="coming back, base unit"),
    text("reason", "damage, defect, wrong_item, wrong_place, wrong_quantity, not_wanted, other"),
    moment("announced_at", "when the buyer announced it.", required=True),
    moment("received_at", "when it was back."),
    moment("credited_at", "when it was credited."),
)

stockouts = feed(
    "stockouts",
    "one row: demand that met no stock before an order line existed",
    text("stockout_id", "key", required=True),
    text("customer_id", "who wanted it", required=True),
    text("product_id", "what was wanted"),
    Column("wanted_qty", QTY, comment="how much, base unit"),
    moment("wanted_at", "when it was wanted.", required=True),
    text(
        "outcome", "waited, back_ordered, sale_lost or buyer_lost; empty: not known; orders since overrule buyer_lost"
    ),
)

service_costs = feed(
    "service_costs",
    "one row: a cost of serving a customer",
    text("cost_id", "key", required=True),
    text("customer_id", "whom it served", required=True),
    text("order_id", "the order it served; empty: the customer as a whole"),
    text("activity", "order_taking, picking, freight, expedite, visit, case ..."),
    Column("amount", AMOUNT, nullable=False, comment="in currency"),
    text("currency", "ISO 4217 code"),
    Column("incurred_on", Date, nullable=False, comment="local day"),
)

calendars = feed(
    "calendars",
    "one row: the working hours of one day",
    text("calendar_id", "key: ship_from, ship_to, a ship_to place, or default", required=True),
    Column("day", Date, nullable=False, comment="key: local day"),
    moment("opens_at", "when work begins; empty: closed that day."),
    moment("closes_at", "when work ends; empty: closed that day."),
)

fx_rates = feed(
    "fx_rates",
    "one row: the rate of a currency on a day",
    text("currency", "key: ISO 4217 code", required=True),
    Column("on_date", Date, nullable=False, comment="key: the day"),
    Column("rate", FACTOR, nullable=False, comment="units of the reporting currency for one unit of currency"),
    text("reporting_currency", "ISO 4217 code the rate leads to; the same in every row", required=True),
)

buyer_scorecards = feed(
    "buyer_scorecards",
    "one row: one order in the buyer's own books",
    text("customer_id", "key", required=True),
    text("order_id", "key: as the buyer calls it", required=True),
    moment("due_by", "the deadline the buyer judged by."),
    moment("received_at", "when it came by the buyer's book."),
    Column("received_qty", QTY, comment="goods received by the buyer's book, base unit, all lines"),
    Column("passed", Boolean, comment="the buyer's verdict: on time and in full"),
)

assumptions = feed(
    "assumptions",
    "one row: one assumption (named in metrics/facts/assumptions.py), as of a date",
    text("assumption", "key: name", required=True),
    text("scope", "key: all, segment:A or customer:ID", required=True),
    Column("valid_from", Date, nullable=False, comment="key: first day"),
    Column("assumed_value", Numeric(18, 6), nullable=False, comment="the number, in the assumption's unit"),
)


@dataclass(frozen=True)
class Feed:
    """Properties of a feed for merging and validation: its table, its key, and whether the core measures need it."""

    table: Table
    key: tuple[str, ...]
    core: bool = False
    parent: str | None = None
    """The feed of the parent record. A row waits until its parent has arrived."""


FEEDS: dict[str, Feed] = {
    "products": Feed(products, ("product_id", "valid_from")),
    "unit_factors": Feed(unit_factors, ("product_id", "unit", "valid_from")),
    "orders": Feed(orders, ("order_id",), core=True),
    "order_lines": Feed(order_lines, ("order_id", "line_no"), core=True, parent="orders"),
    "shipments": Feed(shipments, ("shipment_id",), core=True),
    "shipment_lines": Feed(
        shipment_lines,
        ("shipment_id", "shipment_line_no"),
        core=True,
        parent="order_lines",
    ),
    "invoices": Feed(invoices, ("invoice_id",), core=True),
    "invoice_lines": Feed(
        invoice_lines,
        ("invoice_id", "invoice_line_no"),
        core=True,
        parent="order_lines",
    ),
    "customers": Feed(customers, ("customer_id", "valid_from")),
    "service_packages": Feed(service_packages, ("service_segment", "valid_from")),
    "policies": Feed(policies, ("policy_id", "valid_from")),
    "targets": Feed(targets, ("measure", "scope", "valid_from")),
    "assumptions": Feed(assumptions, ("assumption", "scope", "valid_from")),
    "calendars": Feed(calendars, ("calendar_id", "day")),
    "fx_rates": Feed(fx_rates, ("currency", "on_date")),
    "promises": Feed(
        promises,
        ("order_id", "line_no", "revision_no"),
        parent="order_lines",
    ),
    "holds": Feed(holds, ("hold_id",), parent="orders"),
    "order_events": Feed(order_events, ("order_id", "step", "event_no"), parent="orders"),
    "payments": Feed(payments, ("payment_id",), parent="invoices"),
    "quotes": Feed(quotes, ("quote_id",)),
    "quote_options": Feed(quote_options, ("quote_id", "option_no"), parent="quotes"),
    "messages": Feed(messages, ("message_id",), parent="orders"),
    "service_cases": Feed(service_cases, ("case_id",), parent="orders"),
    "returns": Feed(returns, ("return_id", "return_line_no"), parent="order_lines"),
    "stockouts": Feed(stockouts, ("stockout_id",)),
    "service_costs": Feed(service_costs, ("cost_id",)),
    "buyer_scorecards": Feed(buyer_scorecards, ("customer_id", "order_id")),
}
"""Every feed by name, parents before children. A row with an empty parent key does not wait.

Rows of shipment_lines and invoice_lines also wait for their own header (`ingest/load/`).
"""

runs = Table(
    "runs",
    metadata,
    Column("run_id", BigInteger, nullable=False, comment="1, 2, 3 ..."),
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("started_at", DateTime, nullable=False, comment="UTC"),
    Column("finished_at", DateTime, comment="UTC"),
    Column("outcome", String, nullable=False, comment="published"),
    Column(
        "data_as_of",
        DateTime,
        comment="the data's own watermark, UTC: all orders of this generation are judged at this instant",
    ),
    Column(
        "data_as_of_declared",
        Boolean,
        nullable=False,
        comment="true: the source declared it; false: latest accepted event",
    ),
    Column("generation", BigInteger, nullable=False, comment="number of the generation this run published"),
    Column("sha256", String, comment="hash of the run, its files and the hash before it; empty: an earlier version"),
    comment="one row: one ingest run that published",
)

run_files = Table(
    "run_files",
    metadata,
    Column("file_id", BigInteger, nullable=False, comment="1, 2, 3 ... over all runs"),
    Column("run_id", BigInteger, nullable=False, comment="runs.run_id"),
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False, comment="the feed its rows went to"),
    Column(
        "name",
        String,
        nullable=False,
        comment="source object: file, connection and feed, or sources of a SELECT",
    ),
    Column("sha256", String, nullable=False, comment="of the object's content"),
    Column(
        "rows_staged",
        BigInteger,
        nullable=False,
        comment="records read from the object (differs from rows_in for a SELECT)",
    ),
    Column("rows_in", BigInteger, nullable=False, comment="rows given to the feed; never changes"),
    Column("rows_loaded", BigInteger, nullable=False, comment="rows that are the present version of their key"),
    Column("rows_quarantined", BigInteger, nullable=False, comment="rows in quarantine, waiting ones included"),
    Column(
        "rows_superseded", BigInteger, nullable=False, comment="repeats, older versions and versions replaced since"
    ),
    comment="one row: one source object given to one feed in one run; the last three counts add up to rows_in",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("file_id", BigInteger, nullable=False, comment="run_files.file_id"),
    Column("run_id", BigInteger, nullable=False, comment="run that rejected it"),
    Column("feed", String, nullable=False, comment="feed it was meant for"),
    Column("object_name", String, nullable=False, comment="run_files.name"),
    Column("row_no", BigInteger, nullable=False, comment="record number inside the object, from 1"),
    Column("key", Text, comment="its key as JSON, as far as it could be read"),
    Column(
        "order_id",
        String,
        comment="the order it belongs to, as far as it could be read: that order is unknown meanwhile, not failed",
    ),
    Column("line_no", String, comment="the order line it belongs to, as far as it could be read"),
    Column(
        "record", Text, nullable=False, comment="the record as it came: JSON of source column to text, or the raw line"
    ),
    Column("rules", Text, nullable=False, comment="JSON list of every broken rule: {rule, column, value, message}"),
    Column("status", String, nullable=False, comment="rejected; waiting (for its parent); released; dropped"),
    Column("waits_for", String, comment="feed and key it waits for"),
    comment="one row: one rejected record",
)

quarantine_values = Table(
    "quarantine_values",
    metadata,
    Column("file_id", BigInteger, nullable=False, comment="quarantine.file_id"),
    Column("row_no", BigInteger, nullable=False, comment="quarantine.row_no"),
    text("customer_id", "customer of the order, or of the record"),
    *moment("ordered_at", "when the buyer ordered."),
    *moment("requested_by", "requested deadline."),
    *moment("promised_by", "first promised deadline."),
    text("order_type", "sale, replacement, sample or internal"),
    text("region", "sales region of the order"),
    text("channel", "order channel"),
    text("fulfilment_model", "make_to_stock or make_to_order"),
    text("currency", "ISO 4217 code"),
    text("ship_to_time_zone", "zone of the order; else the declared zone of the source"),
    text("product_id", "product ordered"),
    text("line_kind", "goods, service or fee"),
    Column("ordered_qty", QTY, comment="ordered quantity, if it is above zero and in the base unit"),
    Column("unit_price_amount", PRICE, comment="agreed price, under the same condition"),
    text("document_id", "shipment or invoice that the record belongs to"),
    Column("happened_on", Date, comment="day of the record's own event, for example invoiced_at"),
    Column("deleted", Boolean, comment="true: the record withdraws an earlier record"),
    comment="one row: the values that could be read of one quarantined record; a value that breaks a rule is left out",
)

checks = Table(
    "checks",
    metadata,
    Column("run_id", BigInteger, nullable=False, comment="runs.run_id"),
    Column("feed", String, nullable=False, comment="feed checked"),
    Column("expectation", String, nullable=False, comment="name of the expectation or of the rule across batches"),
    Column("column_name", String, comment="column(s) it concerns"),
    Column("rows_checked", BigInteger, nullable=False),
    Column("rows_failed", BigInteger, nullable=False),
    comment="one row: one expectation in one run",
)

run_warnings = Table(
    "run_warnings",
    metadata,
    Column("run_id", BigInteger, nullable=False, comment="run that noted it"),
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False, comment="feed concerned"),
    Column("code", String, nullable=False, comment="kind of warning, e.g. same_key_differs"),
    Column("object_name", String, comment="run_files.name; null: the feed as a whole"),
    Column("column_name", String, comment="column concerned"),
    Column("rows_concerned", BigInteger, nullable=False, comment="number of records"),
    Column("message", Text, nullable=False, comment="what was found, and what to do"),
    Column("measures", Text, comment="measures concerned, separated by commas"),
    comment="one row: one present warning about records that were loaded; reading the object again replaces it",
)

restatements = Table(
    "restatements",
    metadata,
    Column("run_id", BigInteger, nullable=False, comment="run that changed it"),
    Column("feed", String, nullable=False),
    Column("key", Text, nullable=False, comment="JSON of the key"),
    Column("before", Text, nullable=False, comment="JSON of the changed columns before"),
    Column("after", Text, nullable=False, comment="JSON of the changed columns after"),
    Column("why", String, nullable=False, comment="correction, deletion or undeletion"),
    comment="one row: one key whose values a later record changed",
)

restated_quantities = Table(
    "restated_quantities",
    metadata,
    Column("order_id", String, nullable=False, comment="order_lines.order_id"),
    Column("line_no", String, nullable=False, comment="order_lines.line_no"),
    Column("run_id", BigInteger, nullable=False, comment="run that loaded the version"),
    Column("data_as_of", DateTime, nullable=False, comment="runs.data_as_of of that run, UTC"),
    Column(
        "before_qty",
        QTY,
        nullable=False,
        comment="without file_id: ordered_qty before, else after_qty",
    ),
    Column("after_qty", QTY, nullable=False, comment="ordered_qty of the version"),
    Column("unit", String, comment="order_lines.unit of the version"),
    Column("source_updated_at", DateTime, comment="order_lines.source_updated_at of the version"),
    Column("deleted", Boolean, comment="order_lines.deleted of the version"),
    Column("file_id", BigInteger, comment="run_files.file_id of the version; null: stored before its place was"),
    Column("row_no", BigInteger, comment="order_lines.row_no of the version"),
    comment="one row: one version of a line that has several (typed for R14; `restatements` has JSON)",
)

local_days = Table(
    "local_days",
    metadata,
    Column("zone", String, nullable=False, comment="IANA zone, one of orders.ship_to_time_zone"),
    Column("day", Date, nullable=False, comment="local calendar day"),
    Column("starts_at", DateTime, nullable=False, comment="its first instant, UTC"),
    Column("ends_at", DateTime, nullable=False, comment="its last microsecond, UTC"),
    comment="one row: first and last instant of a local day, which may have 23 or 25 hours; the same on every engine",
)

mapped_columns = Table(
    "mapped_columns",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping"),
    Column("feed", String, nullable=False),
    Column("column_name", String, nullable=False, comment="a column this source fills; others are 'not tested'"),
    Column("stands_in_for", String, comment="real content of the column if a stand-in was declared, e.g. 'ship date'"),
    comment="one row: one column a source maps (P3: unmapped is not tested, mapped and empty is unknown)",
)
