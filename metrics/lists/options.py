"""Lists and stories: the rows behind the numbers, as a person reads them. One function, one list.

Failed orders and one order's records, why orders fail, and ingest's ledger (runs, files, checks, quarantine, restatements, stand-ins).
Rates and totals are not here: `query.py` answers those. Every function takes a reading connection and keyword arguments, and returns plain
dictionaries, one per row, so that a page, the command line and an alert can show the same rows.

Source: design, screens (Failed orders, Order story, Data quality); rules P9: a drill-down lists exactly the rows its number counts.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Executable, Select, Table, and_, case, false, func, or_, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.measures.buyers_view import FAILED
from metrics.measures.catalog import dimension_column, find
from metrics.model.question import Question
from metrics.queries.answer import view_conditions
from metrics.schema import (
    checks,
    customers,
    invoice_lines,
    invoices,
    mapped_columns,
    order_lines,
    orders,
    products,
    quarantine,
    restatements,
    run_files,
    runs,
    shipment_lines,
    shipments,
    targets,
)

Row = dict[str, Any]
"""One row of a list, by column name."""

Where = Sequence[tuple[str, Sequence[str]]]
"""Filters as in `query.Question.where`: dimension and the values wanted."""

VERDICTS = ("on_time", "complete", "damage_free", "filled_accurately", "billed_accurately")
"""The five tests of an order, in the order they are told."""

SEPARATOR = "\x1f"
"""Stands in no order's number: control characters are refused at ingest."""

RULES_READ = 50_000
"""Quarantined records looked into when broken rules are counted: their rules are JSON, which the engines do not read alike."""


@dataclass(frozen=True)
class Listing:
    """One page of a list and what the whole list adds up to."""

    rows: list[Row]
    total: int
    sums: list[Row] = field(default_factory=list)


def rows_of(connection: Connection, statement: Executable) -> list[Row]:
    """What a statement finds, as plain dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def _dimension(name: str) -> ColumnElement[str]:
    return order_facts_table.c[dimension_column(name)]


# ---------------------------------------------------------------------------------------------------------- failed orders
def is_failed() -> ColumnElement[bool]:
    """Claim about a row of `order_facts`: the order is one of those that the measure `failed_orders` counts."""
    return and_(order_facts_table.c.state == "judged", FAILED)


def in_period(start: date | None, end: date | None, where: Where) -> list[ColumnElement[bool]]:
    """Conditions for the orders due in a period, as chosen in the filters (rules R6: service stands in the period it was due)."""
    due = order_facts_table.c.due_day
    view: list[ColumnElement[bool]] = []
    if start is not None:
        view.append(due >= start)
    if end is not None:
        view.append(due <= end)
    view.extend(_dimension(name).in_(list(values)) for name, values in where if values)
    return view


def with_names(order_id: ColumnElement[str], among: Sequence[str] | None, but: Sequence[str]) -> list[ColumnElement[bool]]:
    """Conditions that keep to some orders (None: to none in particular) and leave others out.

    The numbers go as one text and come out as a table: there may be more of them than an engine takes parameters, and DuckDB compares each row
    with each of a list.
    """
    conditions: list[ColumnElement[bool]] = []
    if among is not None:
        conditions.append(order_id.in_(_listed(among)) if among else false())
    if but:
        conditions.append(order_id.not_in(_listed(but)))
    return conditions


def _listed(order_ids: Sequence[str]) -> Select[tuple[str]]:
    return select(func.unnest(func.string_to_array(SEPARATOR.join(order_ids), SEPARATOR)))


def _broke(reasons: Sequence[str]) -> ColumnElement[bool]:
    """Claim: one of the order's false verdicts has one of these reasons."""
    facts = order_facts_table.c
    return or_(false(), *(and_(facts[verdict].is_(False), facts[f"{verdict}_reason"].in_(list(reasons))) for verdict in VERDICTS))


SORTS = {
    "due": ("due_day", True),
    "value": ("ordered_amount", True),
    "late": ("days_late", True),
    "short": ("short_amount", True),
    "customer": ("customer_id", False),
}
"""How the list of failed orders can stand: name to column and whether the largest comes first."""


def failed_orders(
    connection: Connection,
    *,
    start: date | None = None,
    end: date | None = None,
    where: Where = (),
    reasons: Sequence[str] = (),
    among: Sequence[str] | None = None,
    but: Sequence[str] = (),
    put_right: bool | None = None,
    done: Sequence[str] = (),
    sort: str = "due",
    page: int = 1,
    size: int = 50,
) -> Listing:
    """Orders that failed at least one test, one page of them, with how many there are and what they were worth.

    among, but: keep to these orders, or leave these out. put_right: keep to those that are (False: are not) put right, by the feeds or by being
    among `done`. Grain: one order. Columns: all of `order_facts`. `sums` has `ordered_amount` and
    `short_amount` of the whole list by currency: amounts of different currencies never meet.
    """
    facts = order_facts_table.c
    view = [is_failed(), *in_period(start, end, where), *with_names(facts.order_id, among, but)]
    if reasons:
        view.append(_broke(reasons))
    if put_right is not None:
        settled = facts.order_id.in_(select(recovery_facts_table.c.order_id).where(recovery_facts_table.c.resolved_at.is_not(None)))
        is_put_right = or_(settled, *with_names(facts.order_id, list(done), ()))
        view.append(is_put_right if put_right else ~is_put_right)
    column, descending = SORTS[sort]
    first = facts[column].desc().nulls_last() if descending else facts[column].asc().nulls_last()
    listing = select(order_facts_table).where(*view).order_by(first, facts.order_id).limit(size).offset((page - 1) * size)
    whole = select(
        facts.currency.label("currency"),
        func.count().label("orders"),
        func.sum(facts.ordered_amount).label("ordered_amount"),
        func.sum(facts.short_amount).label("short_amount"),
    )
    sums = rows_of(connection, whole.where(*view).group_by(facts.currency).order_by(func.count().desc(), facts.currency.asc().nulls_last()))
    return Listing(rows=rows_of(connection, listing), total=sum(int(one["orders"]) for one in sums), sums=sums)


def failure_reasons(connection: Connection, *, start: date | None = None, end: date | None = None, where: Where = ()) -> list[Row]:
    """Why orders failed: `verdict`, `reason`, `orders`, the most frequent first.

    An order that fails two tests is counted under both, so the counts add up to more than the failed orders.
    """
    facts = order_facts_table.c
    # One pass over the facts: count per combination of reasons, then unfold the few combinations here.
    told = [case((facts[verdict].is_(False), facts[f"{verdict}_reason"])).label(verdict) for verdict in VERDICTS]
    inner = select(*told).where(is_failed(), *in_period(start, end, where)).subquery()
    columns = [inner.c[verdict] for verdict in VERDICTS]
    found: Counter[tuple[str, str]] = Counter()
    for combination in rows_of(connection, select(*columns, func.count().label("orders")).group_by(*columns)):
        for verdict in VERDICTS:
            if combination[verdict] is not None:
                found[(verdict, combination[verdict])] += int(combination["orders"])
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [{"verdict": verdict, "reason": reason, "orders": orders} for (verdict, reason), orders in ranked]


def options(connection: Connection, dimension: str, *, limit: int = 500) -> list[str]:
    """Values of a dimension that orders have, in alphabetical order; empty if there are more than `limit`."""
    value = _dimension(dimension)
    inner = select(value.label("value")).distinct().subquery()
    found = [row["value"] for row in rows_of(connection, select(inner.c.value).order_by(inner.c.value).limit(limit + 1))]
    return found if len(found) <= limit else []


def date_range(connection: Connection) -> Row:
    """First and last `due_day`, and how many `orders` there are, as of the generation read."""
    due = order_facts_table.c.due_day
    return rows_of(connection, select(func.min(due).label("first_day"), func.max(due).label("last_day"), func.count().label("orders")))[0]


def nearest_day(connection: Connection, day: date, *, measure: str | None = None, where: Where = ()) -> date | None:
    """Return the day with data nearest to a day: the last on or before it, else the first after it; None if there is none.

    measure: days on which this measure has rows; None: due days of judged orders. Raises UnknownName.
    """
    if measure is None:
        dated, view = order_facts_table.c.due_day, [order_facts_table.c.state == "judged", *in_period(None, None, where)]
    else:
        found = find(measure)
        dated = found.facts.c[found.date]
        view = view_conditions(found.facts, dated, Question((measure,), where=tuple((name, tuple(values)) for name, values in where)))
    before: date | None = connection.execute(select(func.max(dated)).where(*view, dated <= day)).scalar()
    return before if before is not None else connection.execute(select(func.min(dated)).where(*view)).scalar()


def order_counts(connection: Connection, *, start: date | None = None, end: date | None = None, where: Where = ()) -> dict[str, int]:
    """How many orders due in the period are judged, pending and excluded (rules P4: the other two are always shown)."""
    facts = order_facts_table.c
    counted = select(facts.state.label("state"), func.count().label("orders")).where(*in_period(start, end, where)).group_by(facts.state)
    found = {row["state"]: int(row["orders"]) for row in rows_of(connection, counted)}
    return {state: found.get(state, 0) for state in ("judged", "pending", "excluded")}


# ------------------------------------------------------------------------------------------------------------ one order
@dataclass(frozen=True)
class OrderRecords:
    """Everything known of one order: its verdicts and the records they were judged from."""

    facts: Row
    order: Row
    lines: list[Row]
    """One order line each: `order_line_facts` and, beside it, what `order_lines` says."""
    shipments: list[Row]
    shipment_lines: list[Row]
    invoices: list[Row]
    invoice_lines: list[Row]
    customer: Row
    product_names: dict[str, str]


def _alive(table: Table) -> ColumnElement[bool]:
    return table.c.deleted.is_(False)


def order_records(connection: Connection, order_id: str) -> OrderRecords | None:
    """One order's facts and records; None if no order has that number."""
    facts = rows_of(connection, select(order_facts_table).where(order_facts_table.c.order_id == order_id))
    if not facts:
        return None
    order = rows_of(connection, select(orders).where(orders.c.order_id == order_id, _alive(orders)))
    wanted = rows_of(connection, select(order_lines).where(order_lines.c.order_id == order_id, _alive(order_lines)))
    judged = rows_of(connection, select(order_line_facts_table).where(order_line_facts_table.c.order_id == order_id))
    sent = rows_of(
        connection,
        select(shipment_lines).where(shipment_lines.c.order_id == order_id, _alive(shipment_lines)).order_by(shipment_lines.c.shipment_id),
    )
    billed = rows_of(
        connection,
        select(invoice_lines).where(invoice_lines.c.order_id == order_id, _alive(invoice_lines)).order_by(invoice_lines.c.invoice_id),
    )
    told = {row["line_no"]: row for row in judged}
    return OrderRecords(
        facts=facts[0],
        order=order[0] if order else {},
        lines=sorted(({**row, **told.get(row["line_no"], {})} for row in wanted), key=lambda row: _natural(row["line_no"])),
        shipments=_by_ids(connection, shipments, "shipment_id", sent),
        shipment_lines=sent,
        invoices=_by_ids(connection, invoices, "invoice_id", billed),
        invoice_lines=billed,
        customer=_as_of(connection, customers, "customer_id", facts[0]["customer_id"], facts[0]["ordered_day"]),
        product_names=_product_names(connection, {row["product_id"] for row in (*wanted, *sent) if row["product_id"]}),
    )


def _natural(number: str) -> tuple[int, str]:
    return (int(number), "") if number.isdigit() else (10**18, number)


def _by_ids(connection: Connection, table: Table, key: str, children: list[Row]) -> list[Row]:
    ids = sorted({child[key] for child in children})
    return rows_of(connection, select(table).where(table.c[key].in_(ids), _alive(table)).order_by(table.c[key])) if ids else []


def _as_of(connection: Connection, table: Table, key: str, value: str, day: date | None) -> Row:
    """The version of a customer that applied on a day; the first one if none did yet."""
    versions = rows_of(connection, select(table).where(table.c[key] == value, _alive(table)).order_by(table.c.valid_from))
    applied = [version for version in versions if day is None or version["valid_from"] <= day]
    return (applied or versions or [{}])[-1 if applied else 0]


def _product_names(connection: Connection, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    found = rows_of(
        connection,
        select(products.c.product_id, products.c.name)
        .where(products.c.product_id.in_(sorted(ids)), _alive(products))
        .order_by(products.c.valid_from),
    )
    return {row["product_id"]: row["name"] for row in found if row["name"]}


# -------------------------------------------------------------------------------------------------------------- targets
def targets_on(connection: Connection, day: date) -> list[Row]:
    """Targets that apply on a day: `measure`, `scope`, `target_value`, `tolerance`; of several versions the latest."""
    table = targets.c
    applying = select(targets).where(_alive(targets), table.valid_from <= day).order_by(table.measure, table.scope, table.valid_from)
    latest = {(row["measure"], row["scope"]): row for row in rows_of(connection, applying)}
    return [{name: row[name] for name in ("measure", "scope", "target_value", "tolerance")} for row in latest.values()]


# --------------------------------------------------------------------------------------------------------------- ledger
def run_history(connection: Connection, *, page: int = 1, size: int = 20) -> Listing:
    """Runs that published, the latest first, each with the rows it was given and what became of them."""
    counts = (
        select(
            run_files.c.run_id,
            func.count().label("files"),
            *(func.sum(run_files.c[name]).label(name) for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")),
        )
        .group_by(run_files.c.run_id)
        .subquery()
    )
    listing = (
        select(runs, *(column for column in counts.c if column.name != "run_id"))
        .join(counts, counts.c.run_id == runs.c.run_id, isouter=True)
        .order_by(runs.c.run_id.desc())
        .limit(size)
        .offset((page - 1) * size)
    )
    return Listing(rows=rows_of(connection, listing), total=int(connection.execute(select(func.count()).select_from(runs)).scalar_one()))


def files_of_run(connection: Connection, run_id: int) -> list[Row]:
    """Source objects of one run, one per feed it went to, with its row counts."""
    return rows_of(connection, select(run_files).where(run_files.c.run_id == run_id).order_by(run_files.c.file_id))


def checks_of_run(connection: Connection, run_id: int) -> list[Row]:
    """Expectations of one run: those that failed first, then by feed."""
    table = checks.c
    failing = case((table.rows_failed > 0, 0), else_=1)
    return rows_of(
        connection, select(checks).where(table.run_id == run_id).order_by(failing, table.rows_failed.desc(), table.feed, table.expectation)
    )


def quarantine_counts(connection: Connection) -> list[Row]:
    """Records in quarantine by `feed` and `status`: `records`."""
    table = quarantine.c
    counted = select(table.feed.label("feed"), table.status.label("status"), func.count().label("records")).group_by(table.feed, table.status)
    return sorted(rows_of(connection, counted), key=lambda row: (-row["records"], row["feed"], row["status"]))


def broken_rules(connection: Connection) -> list[Row]:
    """Rules that records in quarantine broke: `feed`, `rule`, `column`, `records`, the most frequent first.

    A record that broke two rules counts under both. Looks into the first `RULES_READ` records.
    """
    table = quarantine.c
    held = select(table.feed, table.rules, func.count().label("records")).where(table.status.in_(("rejected", "waiting")))
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows_of(connection, held.group_by(table.feed, table.rules).limit(RULES_READ)):
        for rule in {(one.get("rule") or "", one.get("column") or "") for one in json.loads(row["rules"])}:
            found[(row["feed"], *rule)] += int(row["records"])
    return [
        {"feed": feed, "rule": rule, "column": column, "records": records}
        for (feed, rule, column), records in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def quarantined(
    connection: Connection,
    *,
    feeds: Sequence[str] = (),
    statuses: Sequence[str] = (),
    rule: str | None = None,
    page: int = 1,
    size: int = 25,
) -> Listing:
    """Records in quarantine as they came, with every rule each broke (`rules` as a list), the latest run first."""
    table = quarantine.c
    view: list[ColumnElement[bool]] = []
    if feeds:
        view.append(table.feed.in_(list(feeds)))
    if statuses:
        view.append(table.status.in_(list(statuses)))
    if rule:
        view.append(table.rules.contains(json.dumps(rule, ensure_ascii=False), autoescape=True))
    order = (table.run_id.desc(), table.file_id, table.row_no)
    rows = rows_of(connection, select(quarantine).where(*view).order_by(*order).limit(size).offset((page - 1) * size))
    for row in rows:
        row["rules"] = json.loads(row["rules"])
    total = connection.execute(select(func.count()).select_from(quarantine).where(*view)).scalar_one()
    return Listing(rows=rows, total=int(total))


def restated_records(connection: Connection, *, page: int = 1, size: int = 25) -> Listing:
    """Records whose values a later record changed, the latest run first."""
    table = restatements.c
    listing = select(restatements).order_by(table.run_id.desc(), table.feed, table.key).limit(size).offset((page - 1) * size)
    return Listing(rows=rows_of(connection, listing), total=int(connection.execute(select(func.count()).select_from(restatements)).scalar_one()))


def stand_ins(connection: Connection) -> list[Row]:
    """Columns a source fills with something else, as it declared: `source`, `feed`, `column_name`, `stands_in_for`."""
    table = mapped_columns.c
    declared = table.stands_in_for.is_not(None)
    return rows_of(connection, select(mapped_columns).where(declared).order_by(table.source, table.feed, table.column_name))


def mapped_feeds(connection: Connection) -> set[str]:
    """Feeds that at least one source maps; measures of the others say "no feed"."""
    return {row["feed"] for row in rows_of(connection, select(mapped_columns.c.feed).distinct())}


def freshness(connection: Connection) -> Row:
    """The last run and the data's watermark: `data_as_of`, `data_as_of_declared`, `finished_at`, `source`, ...; {} with no run."""
    latest = select(runs).order_by(runs.c.run_id.desc()).limit(1)
    return next(iter(rows_of(connection, latest)), {})


def feed_rows(connection: Connection) -> list[Row]:
    """Rows present per feed: `feed`, `rows_loaded`, `rows_in` ..., the run that last brought any and when it was done (`last_came`, UTC)."""
    table = run_files.c
    counted = select(
        table.feed.label("feed"),
        func.sum(table.rows_in).label("rows_in"),
        func.sum(table.rows_loaded).label("rows_loaded"),
        func.sum(table.rows_quarantined).label("rows_quarantined"),
        func.sum(table.rows_superseded).label("rows_superseded"),
        func.max(table.run_id).label("last_run"),
        func.max(runs.c.finished_at).label("last_came"),
    ).join(runs, runs.c.run_id == table.run_id, isouter=True)
    return sorted(rows_of(connection, counted.group_by(table.feed)), key=lambda row: row["feed"])
