"""Quality marks: the measures that a failed check or a late feed affects.

A failed check affects a measure if the measure depends on its column: a need of the measure, a key of its feeds, or a
source column of the facts in its formula. Only records that are still kept out count; a released record marks nothing.

A measure is withheld if one check keeps out more than WITHHELD_SHARE of a feed's records. Its number is still shown,
because every page, export and command gives the same value, but it is not judged against its target.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Connection, select

from metrics.lists import data_quality
from metrics.lists.drill_down import columns_used
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Derived, Measure
from metrics.model.reasons import columns_of
from metrics.schema import FEEDS, checks, run_files, runs

WITHHELD_SHARE = 0.10
"""Share of a feed's records kept out by one check, above which the measures it affects are withheld."""

RUNS_TO_KNOW_INTERVAL = 4
"""Minimum number of runs of a feed to know its usual interval."""
LATE_AFTER = 2
"""A feed is late after this many usual intervals, and never before one day."""

_DUE = (
    "orders.requested_by",
    "orders.requested_from",
    "orders.promised_by",
    "orders.promised_from",
    "order_lines.requested_by",
)
DUE = (*_DUE, "order_lines.promised_by", "promises.promised_by", "promises.changed_at", "promises.revision_no")
GIVEN_UP = (
    "orders.cancelled_at",
    "orders.cancelled_by",
    "order_lines.cancelled_at",
    "order_lines.cancelled_by",
    "order_lines.cancelled_qty",
)
FACTORS = ("unit_factors.factor", "unit_factors.numerator", "unit_factors.denominator")
OWED = ("order_lines.ordered_qty", "order_lines.unit", "order_lines.line_kind", *FACTORS, *GIVEN_UP)
CAME = (
    "shipments.received_at",
    "shipments.shipped_at",
    "shipment_lines.received_qty",
    "shipment_lines.shipped_qty",
    "shipment_lines.product_id",
)
DAMAGED = ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason", "returns.returned_qty")
RIGHT = (
    "shipment_lines.product_id",
    "shipment_lines.substitution_agreed",
    "shipments.received_place",
    "orders.ship_to",
)
BILLED = ("invoices.invoiced_at", "invoices.invoice_kind", "invoices.reverses_invoice_id", "invoices.due_on")
BILLED_LINES = (
    "invoice_lines.line_amount",
    "invoice_lines.billed_qty",
    "order_lines.unit_price_amount",
    "order_lines.tax_rate",
)

COLUMNS_BEHIND = {
    "due_day": DUE,
    "ordered_day": ("orders.ordered_at",),
    "arrived_day": CAME,
    "state": ("orders.order_type", *GIVEN_UP),
    "on_time": (
        *DUE,
        *CAME,
        *OWED,
        "orders.ship_to_time_zone",
        "shipments.attempted_at",
        "shipments.failure_caused_by",
    ),
    "complete": (*OWED, *CAME),
    "otif": (*DUE, *OWED, *CAME, "orders.ship_to_time_zone"),
    "damage_free": DAMAGED,
    "filled_accurately": (*RIGHT, *OWED, *CAME),
    "billed_accurately": (*BILLED, *BILLED_LINES),
    "perfect_group": (*DUE, *OWED, *CAME, *DAMAGED, *RIGHT, *BILLED, *BILLED_LINES),
    "perfect_order": (*DUE, *OWED, *CAME, *DAMAGED, *RIGHT, *BILLED, *BILLED_LINES),
    "cycle_days": ("orders.ordered_at", *CAME),
    "days_late": (*DUE, *CAME),
    "ordered_qty": ("order_lines.ordered_qty", "order_lines.unit", "unit_factors.factor"),
    "owed_qty": OWED,
    "received_qty": CAME,
    "filled_qty": (*OWED, *CAME),
    "first_pass_qty": (*OWED, "shipments.shipped_at", "shipment_lines.shipped_qty"),
    "first_pass_full": (*OWED, "shipments.shipped_at", "shipment_lines.shipped_qty"),
    "in_window_qty": (*DUE, *OWED, *CAME),
    "back_ordered": (*OWED, "shipments.shipped_at"),
    "substituted": ("shipment_lines.product_id", "shipment_lines.substitution_agreed"),
    "ordered_amount": ("order_lines.unit_price_amount", "order_lines.ordered_qty", "orders.currency", "fx_rates.rate"),
    "owed_amount": ("order_lines.unit_price_amount", *OWED, "orders.currency", "fx_rates.rate"),
    "filled_amount": ("order_lines.unit_price_amount", *OWED, *CAME, "orders.currency", "fx_rates.rate"),
    "first_pass_amount": (
        "order_lines.unit_price_amount",
        *OWED,
        "shipments.shipped_at",
        "shipment_lines.shipped_qty",
        "orders.currency",
    ),
    "item_ok": RIGHT,
    "place_ok": RIGHT,
    "overage_ok": (*OWED, *CAME),
    "cancelled_short_qty": OWED,
    "counted_qty": OWED,
    "deadline_at": DUE,
    "requested_day": _DUE,
    "promised_day": DUE,
    "in_quarantine": (),
    "first_promised_day": DUE,
    "lateness_days": (*DUE, *CAME),
    "billing_state": (*DUE, *GIVEN_UP, *BILLED_LINES),
    "missed_deadline_at": DUE,
    "shipped_day": ("shipments.shipped_at",),
    "settled_day": (*OWED, *CAME),
    "received_amount": ("order_lines.unit_price_amount", *CAME, "orders.currency", "fx_rates.rate"),
    "billed_amount": (*BILLED_LINES, "fx_rates.rate"),
}
"""Source columns of each column of the judged orders and lines."""

PARENTS = ("order_id", "line_no", "shipment_id", "invoice_id", "customer_id")
REFINING = ("promises", "unit_factors", "fx_rates")
"""Feeds that refine the records of other feeds. Measures depend on them without naming them."""

JUDGEMENT_FEEDS = (*DUE, *OWED, *CAME, "orders.ship_to_time_zone")
STEPS = ("order_events.*", "orders.ordered_at")

FACT_TABLE_FEEDS = {
    "delivery_groups": JUDGEMENT_FEEDS,
    "anchors": JUDGEMENT_FEEDS,
    "contracts": (*JUDGEMENT_FEEDS, "policies.*", "customers.policy_id", "customers.valid_from"),
    "availability_facts": JUDGEMENT_FEEDS,
    "stockout_facts": (
        *JUDGEMENT_FEEDS,
        "stockouts.*",
        "products.unit_cost_amount",
        "order_lines.unit_price_amount",
        "assumptions.*",
    ),
    "cycle_facts": ("orders.ordered_at", *CAME, *DUE, "order_events.*", "holds.*", "calendars.*"),
    "wait_facts": ("orders.ordered_at", *CAME),
    "step_facts": STEPS,
    "work_facts": STEPS,
    "late_order_facts": (*STEPS, *DUE, *CAME),
    "invoice_facts": (*BILLED, *BILLED_LINES, "invoices.credit_reason", *CAME, *OWED),
    "cash_facts": ("orders.ordered_at", *BILLED, "payments.*"),
    "payment_facts": (*BILLED, "payments.*"),
    "money_facts": (
        *BILLED,
        "invoice_lines.*",
        "products.unit_cost_amount",
        "service_costs.*",
        "service_cases.cost_amount",
        "shipments.freight_amount",
        "fx_rates.*",
    ),
    "message_facts": ("messages.*",),
    "recovery_facts": (
        *JUDGEMENT_FEEDS,
        *DAMAGED,
        *RIGHT,
        *BILLED,
        *BILLED_LINES,
        "messages.*",
        "service_cases.*",
        "products.unit_cost_amount",
    ),
    "shipment_facts": ("shipments.notice_sent_at", "shipments.received_at", "shipments.shipped_at"),
    "case_facts": ("service_cases.*",),
    "return_facts": ("returns.*",),
    "recovery_cost_facts": ("service_cases.*", "service_costs.*", *BILLED, "invoice_lines.line_amount"),
    "quote_facts": ("quotes.*",),
    "quote_option_facts": ("quotes.*", "quote_options.*"),
    "book_facts": ("buyer_scorecards.*", *JUDGEMENT_FEEDS),
}
"""Source columns of each fact table; `feed.*` is every column of a feed."""


@dataclass(frozen=True)
class Failed:
    """One check and the records it keeps out."""

    feed: str
    rule: str
    column: str
    records: int
    share: float
    """Share of the feed's records, 0 to 1."""


@dataclass(frozen=True)
class Late:
    """A late feed: when its last run finished, and its usual interval."""

    feed: str
    last: datetime
    usual: timedelta


@dataclass(frozen=True)
class Mark:
    """The quality mark of one measure."""

    failed: tuple[Failed, ...] = ()
    late: tuple[Late, ...] = ()

    @property
    def withheld(self) -> bool:
        """True if the number is withheld: shown, but not judged."""
        return any(check.share > WITHHELD_SHARE for check in self.failed)

    @property
    def records(self) -> int:
        """Records kept out by the checks that affect the measure. A record that broke two rules counts twice."""
        return sum(check.records for check in self.failed)


def columns_behind(measure: Measure) -> frozenset[str]:
    """Return every "feed.column" that a measure depends on."""
    if isinstance(measure.formula, Derived):
        return frozenset().union(*(columns_behind(MEASURES[name]) for name in measure.formula.inputs))
    used = {column.removesuffix("_known").replace("_most_", "_") for column in (measure.date, *columns_used(measure))}
    needed = (column for need in measure.needs for one in need.any_of for column in columns_of(one))
    made = {*FACT_TABLE_FEEDS.get(measure.facts.name, ()), *needed}
    made |= {one for column in used for one in COLUMNS_BEHIND.get(column, ())}
    mine = {one for one in _every(made) if one.partition(".")[0] in {*measure.feeds, *REFINING}}
    return frozenset(mine | {f"{feed}.{column}" for feed in measure.feeds for column in _keys(feed)})


def _every(columns: Iterable[str]) -> Iterator[str]:
    """The named columns; `feed.*` stands for all columns of a feed."""
    for one in columns:
        feed, _, column = one.partition(".")
        yield from (f"{feed}.{each.name}" for each in FEEDS[feed].table.columns) if column == "*" else (one,)


def _keys(feed: str) -> Iterable[str]:
    """The key of a feed, its parents' keys in it, and the version of a record."""
    own = FEEDS[feed].table.columns
    return {*FEEDS[feed].key, *(column.name for column in own if column.name in (*PARENTS, "source_updated_at"))}


def quality_marks(connection: Connection, now: datetime) -> dict[str, Mark]:
    """Return the mark of every measure that has one. now: the time (UTC) at which feeds are late."""
    kept_out, late = failed_checks(connection), late_feeds(connection, now)
    marks = {}
    for name, measure in MEASURES.items():
        columns = columns_behind(measure)
        mark = Mark(
            tuple(
                one
                for one in kept_out
                if (one.feed in measure.feeds and not one.column) or f"{one.feed}.{one.column}" in columns
            ),
            tuple(late[feed] for feed in dict.fromkeys(measure.feeds) if feed in late),
        )
        if mark.failed or mark.late:
            marks[name] = mark
    return marks


def failed_checks(connection: Connection) -> list[Failed]:
    """Return the checks that keep records out now, most records first.

    `column` is empty if the whole record cannot be read.
    """
    table = checks.c
    columns: Mapping[tuple[str, str], str] = {
        (feed, rule): column or ""
        for feed, rule, column in connection.execute(
            select(table.feed, table.expectation, table.column_name).distinct()
        )
    }
    rows_in = {row["feed"]: int(row["rows_in"]) for row in data_quality.feed_rows(connection)}
    records_by_rule: dict[tuple[str, str], int] = {}
    for row in data_quality.broken_rules(connection):
        records_by_rule[(row["feed"], row["rule"])] = (
            records_by_rule.get((row["feed"], row["rule"]), 0) + row["records"]
        )
    listed = [
        Failed(feed, rule, _known(feed, columns.get((feed, rule), "")), records, records / max(rows_in.get(feed, 0), 1))
        for (feed, rule), records in records_by_rule.items()
    ]
    return sorted(listed, key=lambda one: (-one.records, one.feed, one.rule))


def _known(feed: str, column: str) -> str:
    """A column of the feed, or nothing: a check of the whole record names none of its columns."""
    return column if column in FEEDS[feed].table.columns else ""


def late_feeds(connection: Connection, now: datetime) -> dict[str, Late]:
    """Return the late feeds, by the usual interval of their runs."""
    finished_runs = (
        select(run_files.c.feed, runs.c.finished_at)
        .join(runs, runs.c.run_id == run_files.c.run_id)
        .where(runs.c.finished_at.is_not(None))
    )
    times: dict[str, set[datetime]] = {}
    for feed, finished in connection.execute(finished_runs):
        times.setdefault(feed, set()).add(finished)
    late = {}
    for feed, finish_times in times.items():
        ordered = sorted(finish_times)
        if len(ordered) < RUNS_TO_KNOW_INTERVAL:
            continue
        gaps = sorted(later - before for before, later in pairwise(ordered))
        usual = gaps[len(gaps) // 2]
        if now - ordered[-1] > max(usual * LATE_AFTER, timedelta(days=1)):
            late[feed] = Late(feed, ordered[-1], usual)
    return late
