"""Which numbers a failed check concerns, and which feeds are late: what stands beside a number so that a reader knows
how far to trust it.

A check that failed concerns a measure if its column is one the measure rests on: what the measure needs, the keys of
its feeds (a record without its key belongs to nothing), and the columns of its feeds that the facts in its formula are
made of. What counts are the records still kept out now, not those that failed once: a released record marks nothing.

A number is *held* where a check that concerns it keeps out more than `HELD_SHARE` of its feed's records: it is still
shown, since every screen, export and command gives the same value, but it is not judged against its target.
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
from metrics.schema import FEEDS, checks, run_files, runs

WITHHELD_SHARE = 0.10
"""More of a feed's records than this kept out by one check hold the numbers it concerns."""

RUNS_TO_KNOW_INTERVAL = 4
"""Fewer runs than this of a feed say nothing of when the next was to come."""
LATE_AFTER = 2
"""A feed is late after so many times its usual gap, and never before a day has passed."""

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
OWED = ("order_lines.ordered_qty", "order_lines.unit", "order_lines.line_kind", "unit_factors.factor", *GIVEN_UP)
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
    "settled_day": (*OWED, *CAME),
    "received_amount": ("order_lines.unit_price_amount", *CAME, "orders.currency", "fx_rates.rate"),
    "billed_amount": (*BILLED_LINES, "fx_rates.rate"),
}
"""What the columns of the judged orders and lines (and of ledgers that judge them anew) are made of."""

PARENTS = ("order_id", "line_no", "shipment_id", "invoice_id", "customer_id")
REFINING = ("promises", "unit_factors", "fx_rates")
"""Feeds that refine the records of others: a measure that does not name them rests on them all the same."""

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
"""What the rows of each ledger are made of; `feed.*` is every column of a feed."""


@dataclass(frozen=True)
class Failed:
    """One check and the records it keeps out."""

    feed: str
    rule: str
    column: str
    records: int
    share: float
    """Of the feed's records, 0 to 1."""


@dataclass(frozen=True)
class Late:
    """A feed that did not come when it was to come: when it last did, and its usual gap."""

    feed: str
    last: datetime
    usual: timedelta


@dataclass(frozen=True)
class Mark:
    """What stands beside one measure."""

    failed: tuple[Failed, ...] = ()
    late: tuple[Late, ...] = ()

    @property
    def held(self) -> bool:
        """Whether the number is shown and not judged."""
        return any(one.share > WITHHELD_SHARE for one in self.failed)

    @property
    def records(self) -> int:
        """Records kept out by the checks that concern it (one that broke two rules counts twice)."""
        return sum(one.records for one in self.failed)


def columns_behind(measure: Measure) -> frozenset[str]:
    """Every "feed.column" a measure rests on."""
    if isinstance(measure.formula, Derived):
        return frozenset().union(*(columns_behind(MEASURES[name]) for name in measure.formula.inputs))
    used = {column.removesuffix("_known").replace("_most_", "_") for column in (measure.date, *columns_used(measure))}
    made = {*FACT_TABLE_FEEDS.get(measure.facts.name, ()), *(one for need in measure.needs for one in need.any_of)}
    made |= {one for column in used for one in COLUMNS_BEHIND.get(column, ())}
    mine = {one for one in _every(made) if one.partition(".")[0] in {*measure.feeds, *REFINING}}
    return frozenset(mine | {f"{feed}.{column}" for feed in measure.feeds for column in _keys(feed)})


def _every(columns: Iterable[str]) -> Iterator[str]:
    """The columns named, all of a feed's where `feed.*` is."""
    for one in columns:
        feed, _, column = one.partition(".")
        yield from (f"{feed}.{each.name}" for each in FEEDS[feed].table.columns) if column == "*" else (one,)


def _keys(feed: str) -> Iterable[str]:
    """The key of a feed, those of its parents in it, and which version of a record it is."""
    own = FEEDS[feed].table.columns
    return {*FEEDS[feed].key, *(column.name for column in own if column.name in (*PARENTS, "source_updated_at"))}


def quality_marks(connection: Connection, now: datetime) -> dict[str, Mark]:
    """The mark of every measure that has one. `now`, UTC: against which a feed is late."""
    kept_out, late = failed_checks(connection), late_feeds(connection, now)
    found = {}
    for name, measure in MEASURES.items():
        rests = columns_behind(measure)
        mark = Mark(
            tuple(
                one
                for one in kept_out
                if (one.feed in measure.feeds and not one.column) or f"{one.feed}.{one.column}" in rests
            ),
            tuple(late[feed] for feed in dict.fromkeys(measure.feeds) if feed in late),
        )
        if mark.failed or mark.late:
            found[name] = mark
    return found


def failed_checks(connection: Connection) -> list[Failed]:
    """Checks that keep records out now, the most records first; `column` is empty where the whole record cannot be
    read.
    """
    table = checks.c
    columns: Mapping[tuple[str, str], str] = {
        (feed, rule): column or ""
        for feed, rule, column in connection.execute(
            select(table.feed, table.expectation, table.column_name).distinct()
        )
    }
    rows_in = {row["feed"]: int(row["rows_in"]) for row in data_quality.feed_rows(connection)}
    found: dict[tuple[str, str], int] = {}
    for row in data_quality.broken_rules(connection):
        found[(row["feed"], row["rule"])] = found.get((row["feed"], row["rule"]), 0) + row["records"]
    listed = [
        Failed(feed, rule, _known(feed, columns.get((feed, rule), "")), records, records / max(rows_in.get(feed, 0), 1))
        for (feed, rule), records in found.items()
    ]
    return sorted(listed, key=lambda one: (-one.records, one.feed, one.rule))


def _known(feed: str, column: str) -> str:
    """A column of the feed, or nothing: a check of the whole record names none of its columns."""
    return column if column in FEEDS[feed].table.columns else ""


def late_feeds(connection: Connection, now: datetime) -> dict[str, Late]:
    """Feeds that are late, by how often their runs come."""
    brought = (
        select(run_files.c.feed, runs.c.finished_at)
        .join(runs, runs.c.run_id == run_files.c.run_id)
        .where(runs.c.finished_at.is_not(None))
    )
    times: dict[str, set[datetime]] = {}
    for feed, finished in connection.execute(brought):
        times.setdefault(feed, set()).add(finished)
    found = {}
    for feed, came in times.items():
        ordered = sorted(came)
        if len(ordered) < RUNS_TO_KNOW_INTERVAL:
            continue
        gaps = sorted(later - before for before, later in pairwise(ordered))
        usual = gaps[len(gaps) // 2]
        if now - ordered[-1] > max(usual * LATE_AFTER, timedelta(days=1)):
            found[feed] = Late(feed, ordered[-1], usual)
    return found
