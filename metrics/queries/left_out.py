"""Quarantined records that a measure leaves out: the coverage of sums of money, and the range of shares.

Shares of orders and order lines judge orders in quarantine as unknown, so they need nothing here. A record counts for
every group and period that it may belong to. Source: R34 (impossible dates); P7 (point, coverage and range).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    FromClause,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.facts.recoveries import recovery_facts_table
from metrics.measures.catalog import MEASURES, dimension_column, dimensions_of, find
from metrics.model.measure import Measure, Ratio, Total, Unit
from metrics.model.question import Answer, Question
from metrics.model.statistics import divide
from metrics.schema import invoices, quarantine, quarantine_values, shipments
from metrics.sql.dialects import Expression, period_start, typed_null
from metrics.warehouse.query_cache import cached_per_generation

Group = tuple[tuple[str | None, ...], date | None]
"""The values of the question's dimensions, and the period. An empty value or period is not known."""

OWN_FEEDS = {
    "message_facts": ("messages",),
    "case_facts": ("service_cases",),
    "quote_facts": ("quotes", "quote_options"),
    "quote_option_facts": ("quotes", "quote_options"),
    "shipment_facts": ("shipments", "shipment_lines"),
    "payment_facts": ("invoices", "invoice_lines", "payments"),
    "invoice_facts": ("invoices", "invoice_lines"),
    "book_facts": ("buyer_scorecards",),
    "stockout_facts": ("stockouts",),
}
"""The feeds whose records are the rows of a fact table."""
OF_ORDERS = (cycle_facts_table, recovery_facts_table)
"""Fact tables in which orders with a record in quarantine have no row, or no known failure."""


def with_left_out(connection: Connection, question: Question, answers: Sequence[Answer]) -> list[Answer]:
    """Return the answers. Money gets a coverage and a remark, and a share counts left out records as unknown."""
    groups: dict[str, dict[Group, Counter[str]]] = {}
    for name in dict.fromkeys(question.measures):
        measure = find(name)
        if feeds := _feeds(measure):
            groups[name] = _kept_out(connection, replace(question, measures=()), _alike(name), feeds)
    patterns = {
        name: {tuple(value is not None for value in known) for known, _ in counted} for name, counted in groups.items()
    }
    return [
        _completed(find(name), one, _left_out(one, question.by, groups[name], patterns[name]))
        if (name := one.measure) in groups
        else one
        for one in answers
    ]


def _left_out(
    answer: Answer, by: Sequence[str], groups: dict[Group, Counter[str]], patterns: Iterable[tuple[bool, ...]]
) -> Counter[str]:
    """Return the records of each feed that may belong to an answer: what is known of them agrees with it.

    patterns: which of the dimensions the groups know. There are few, so an answer looks up few groups.
    """
    values = tuple(answer.dimensions[name] for name in by)
    found: Counter[str] = Counter()
    for known in {
        tuple(value if is_known else None for value, is_known in zip(values, pattern, strict=True))
        for pattern in patterns
    }:
        for period in {None, answer.period}:
            found.update(groups.get((known, period), {}))
    return found


def _feeds(measure: Measure) -> tuple[str, ...]:
    """Return the feeds of which a measure leaves out quarantined records. `orders` stands for whole orders."""
    if measure.unit is Unit.MONEY:
        return measure.feeds
    if measure.unit is Unit.SHARE and isinstance(measure.formula, Ratio):
        if measure.facts in OF_ORDERS:
            return ("orders",)
        return tuple(feed for feed in OWN_FEEDS.get(measure.facts.name, ()) if feed in measure.feeds)
    return ()


def _completed(measure: Measure, answer: Answer, left_out: Counter[str]) -> Answer:
    count = left_out.total()
    if isinstance(measure.formula, Total) and answer.value is not None:
        without_rate = int(answer.unknown or 0) if measure.facts is money_facts_table else 0
        unknown = without_rate + count
        total = int(answer.judged or 0) + count
        answer = replace(answer, coverage=divide(total - unknown, total), judged=total or None, unknown=unknown or None)
    if not count or answer.value is None:
        return answer
    if isinstance(measure.formula, Ratio) and measure.unit is Unit.SHARE:
        answer = _wider(measure.formula, answer, count)
    feeds = ", ".join(sorted(left_out))
    remark = f"Leaves out {count:,} quarantined {'record' if count == 1 else 'records'} of {feeds}."
    if measure.facts in OF_ORDERS and measure.unit is Unit.SHARE:
        remark = f"Leaves out {count:,} {'order' if count == 1 else 'orders'} with records in quarantine."
    return replace(answer, remark=f"{answer.remark.rstrip('.')}. {remark}" if answer.remark else remark)


def _wider(formula: Ratio, answer: Answer, count: int) -> Answer:
    """Return a share whose coverage and range include `count` more unknown rows. It still lists its own rows.

    The weight of a row of an amount is not known.
    """
    if formula.denominator.amount is not None:
        return replace(answer, worst=0.0, best=1.0)
    # A share of rows counts whole rows.
    numerator, judged, unknown = (int(part or 0) for part in (answer.numerator, answer.judged, answer.unknown))
    known = judged - unknown
    judged, unknown = judged + count, unknown + count
    return replace(
        answer,
        coverage=divide(known, judged),
        worst=divide(numerator, judged),
        best=divide(numerator + unknown, judged),
    )


@cache
def _alike(name: str) -> str:
    """Return the first measure of the catalogue that leaves out the same records, so that both share one count."""

    def traits(measure: Measure) -> tuple[object, ...]:
        return measure.facts.name, measure.date, measure.unit is Unit.SHARE, _feeds(measure), dimensions_of(measure)

    wanted = traits(find(name))
    return next(other for other, measure in MEASURES.items() if traits(measure) == wanted)


@cached_per_generation
def _kept_out(connection: Connection, question: Question, name: str, feeds: Sequence[str]) -> dict[Group, Counter[str]]:
    """Count the open quarantined records of these feeds in the period and selection of a question, by feed.

    name: one of the measures that leave out the same records.
    """
    measure = find(name)
    keys = tuple(_column(dimension, measure) for dimension in question.by)
    known = ((_column(dimension, measure), values) for dimension, values in question.where)
    where = tuple((column, values) for column, values in known if column is not None)
    if measure.facts in OF_ORDERS and measure.unit is Unit.SHARE:
        records = _orders(connection, measure, keys, where, question.grain)
    else:
        by_order = measure.facts in (order_facts_table, order_line_facts_table) and measure.date in order_facts_table.c
        records = _records(connection, measure.date if by_order else None, keys, where, question.grain)
    groups: dict[Group, Counter[str]] = defaultdict(Counter)
    for feed, day, period, *values, count in records:
        too_early = day is not None and question.start is not None and day < question.start
        too_late = day is not None and question.end is not None and day > question.end
        if feed in feeds and not too_early and not too_late:
            groups[tuple(values), period][feed] += count
    return groups


Records = Sequence[tuple[Any, ...]]  # Any: the driver's values
"""A row for each feed, day, period and combination of dimension values, with its number of records at the end."""
Where = tuple[tuple[str, tuple[str, ...]], ...]
"""Columns of order facts, and the values wanted."""


@cached_per_generation
def _records(
    connection: Connection, dated_by: str | None, keys: Sequence[str | None], where: Where, grain: str | None
) -> Records:
    """Return the open quarantined records of all days and feeds, which the questions of a page share.

    dated_by: the day of the record's order. None: the day of the record or of its document. A key of None is not known.
    """
    q, v, o = quarantine.c, quarantine_values.c, order_facts_table.c
    tables: FromClause = quarantine.outerjoin(quarantine_values, and_(v.file_id == q.file_id, v.row_no == q.row_no))
    if dated_by is not None or where or any(keys):
        tables = tables.outerjoin(order_facts_table, o.order_id == q.order_id)
    if dated_by is not None:
        day: Expression = o[dated_by]
    else:
        # A condition on the left side only would make DuckDB compare every record with every document.
        of_invoice = case((q.feed == "invoice_lines", v.document_id))
        of_shipment = case((q.feed == "shipment_lines", v.document_id))
        tables = tables.outerjoin(invoices, invoices.c.invoice_id == of_invoice)
        tables = tables.outerjoin(shipments, shipments.c.shipment_id == of_shipment)
        day = func.coalesce(v.happened_on, cast(invoices.c.invoiced_at, Date), cast(shipments.c.shipped_at, Date))
    wanted = [or_(_known(column).is_(None), _known(column).in_(values)) for column, values in where]
    is_open = (q.status.in_(("rejected", "waiting")), ~func.coalesce(v.deleted, False))
    values = [typed_null(q.feed.type) if key is None else _known(key) for key in keys]
    return _counted(
        connection, select(*_labelled(q.feed, day, grain, values)).select_from(tables).where(*is_open, *wanted)
    )


@cached_per_generation
def _orders(
    connection: Connection, measure: Measure, keys: Sequence[str | None], where: Where, grain: str | None
) -> Records:
    """Return the judged orders of all days with a quarantined record, which the measure leaves out."""
    o, facts = order_facts_table.c, measure.facts.c
    values = [typed_null(quarantine.c.feed.type) if key is None else o[key] for key in keys]
    rows = (
        select(*_labelled(literal("orders"), o[measure.date], grain, values))
        .select_from(order_facts_table.outerjoin(measure.facts, facts.order_id == o.order_id))
        .where(
            o.state == "judged",
            o.complete_reason == "quarantined",
            ~FAILED if measure.facts is recovery_facts_table else facts.order_id.is_(None),
            o[measure.date].is_not(None),
            *[or_(o[column].is_(None), o[column].in_(wanted)) for column, wanted in where],
        )
    )
    return _counted(connection, rows)


def _labelled(feed: Expression, day: Expression, grain: str | None, values: Sequence[Expression]) -> list[Expression]:
    period = period_start(literal_column(f"'{grain}'"), day) if grain is not None else typed_null(Date())
    keys = [value.label(f"key_{place}") for place, value in enumerate(values)]
    return [feed.label("feed"), day.label("day"), period.label("period"), *keys]


def _counted(connection: Connection, records: Select[Any]) -> Records:
    rows = records.subquery("kept_out")
    return [tuple(row) for row in connection.execute(select(*rows.c, func.count()).group_by(*rows.c))]


def _column(name: str, measure: Measure) -> str | None:
    """Return the column of order facts with a dimension of a record's order; None if its value is not known."""
    column = dimension_column(name, measure)
    return column if column in order_facts_table.c else None


def _known(column: str) -> Expression:
    """Return a dimension of the record's order; null if it is not known."""
    known = order_facts_table.c[column]
    return func.coalesce(known, quarantine_values.c.customer_id) if column == "customer_id" else known
