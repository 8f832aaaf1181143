"""Rollup tables, generated from the catalogue, and the choice of the smallest table for a question.

A rollup sums every additive part of every measure, by day and dimensions with few values, or by month and customer. A
new measure adds its columns automatically. After a run, a rollup is updated by difference: the former facts of changed
orders are subtracted and the new ones are added. Columns are BIGINT or DECIMAL(18, x), never HUGEINT.

Grain of `rollup_<facts>_<date>`: day × BY_DAY. Grain of `rollup_<facts>_<date>_customer`: month × customer × currency.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    FromClause,
    Insert,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    union_all,
)

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.measures.catalog import MEASURES, dimension_column
from metrics.model.measure import Additive, Measure, Part
from metrics.sql.dialects import Expression, analyze, period_start
from metrics.sql.temporary_tables import temporary_table

BY_DAY = ("segment", "region", "channel", "fulfilment_model", "currency")
BY_MONTH = ("customer_id", "currency")
UNIT = ("base_unit",)
"""Further dimension of facts with quantities: quantities of several base units are never added up."""
PERIODS = ("day", "week", "month", "quarter")
ROLLED = (order_facts_table, order_line_facts_table)
"""Fact tables with rollups. The other fact tables are small enough to query directly."""

rollup_metadata = MetaData()


@dataclass(frozen=True, eq=False)  # compared by identity: statements are cached per rollup
class Rollup:
    """A rollup: its table, the fact table and date it sums, its dimensions, and its periods, shortest first."""

    table: Table
    facts: Table
    date: str
    dimensions: tuple[str, ...]
    periods: tuple[str, ...]
    parts: dict[str, Part]


def rollup_column(measure: Measure, role: str) -> str:
    """Return the rollup column of one part of a measure."""
    return f"{measure.name}__{role}"


def _parts_of(facts: Table, date_column: str) -> dict[str, Part]:
    return {
        rollup_column(measure, role): part
        for measure in MEASURES.values()
        if measure.facts is facts and measure.date == date_column and isinstance(measure.formula, Additive)
        for role, part in measure.parts.items()
    }


def _rollup(
    facts: Table, date_column: str, dimensions: tuple[str, ...], periods: tuple[str, ...], suffix: str
) -> Rollup:
    parts = _parts_of(facts, date_column)
    table = Table(
        f"rollup_{facts.name.removesuffix('_facts')}_{date_column.removesuffix('_day')}{suffix}",
        rollup_metadata,
        *[Column(period, Date) for period in periods],
        *[Column(name, String) for name in dimensions],
        Column("rows_summed", BigInteger),
        *[Column(name, part.over(facts).type) for name, part in parts.items()],
        comment=f"{facts.name} by {', '.join((*periods[:1], *dimensions))}, dated by {date_column}",
    )
    return Rollup(table, facts, date_column, dimensions, periods, parts)


def _all() -> tuple[Rollup, ...]:
    sources = dict.fromkeys(
        (measure.facts, measure.date)
        for measure in MEASURES.values()
        if measure.facts in ROLLED and isinstance(measure.formula, Additive)
    )
    return tuple(
        rollup
        for facts, date_column in sources
        for unit in [tuple(name for name in UNIT if name in facts.c)]
        for rollup in (
            _rollup(facts, date_column, (*BY_DAY, *unit), PERIODS, ""),
            _rollup(facts, date_column, (*BY_MONTH, *unit), PERIODS[2:], "_customer"),
        )
    )


ROLLUPS: tuple[Rollup, ...] = _all()


def summed(rollup: Rollup, facts: FromClause, *, sign: int = 1) -> Select[tuple[object, ...]]:
    """Return the SELECT of the rollup's rows for these facts, with the columns of its table. Sign -1 subtracts them."""
    day = facts.c[rollup.date]
    periods = [
        day.label("day") if period == "day" else period_start(_grain(period), day).label(period)
        for period in rollup.periods
    ]
    keys = select(*periods, *[facts.c[name] for name in rollup.dimensions], *_needed(rollup, facts)).select_from(facts)
    inner = keys.where(day.is_not(None)).subquery()
    grouped = [inner.c[name] for name in (*rollup.periods, *rollup.dimensions)]
    rows: Expression = cast(func.count(), BigInteger)
    totals: list[Expression] = [part.over(inner) for part in rollup.parts.values()]
    if sign < 0:
        rows, totals = -rows, [-total for total in totals]
    labelled = [
        cast(total, rollup.table.c[name].type).label(name) for name, total in zip(rollup.parts, totals, strict=True)
    ]
    return select(*grouped, rows.label("rows_summed"), *labelled).group_by(*grouped)


def _needed(rollup: Rollup, facts: FromClause) -> list[Expression]:
    """Fact columns that the parts are computed from, apart from the keys."""
    keys = {*rollup.dimensions, *rollup.periods}
    return [column for column in facts.columns if column.name not in keys]


def _grain(period: str) -> Expression:
    return literal_column(f"'{period}'")


def rebuild_rollups(connection: Connection) -> None:
    """Fill all rollups from the facts."""
    rollup_metadata.create_all(connection)
    for rollup in ROLLUPS:
        connection.execute(delete(rollup.table))
        connection.execute(_fill_statement(rollup))


@cache  # building the statement takes longer than running it on one day's records
def _fill_statement(rollup: Rollup) -> Insert:
    return _insert(rollup, summed(rollup, rollup.facts))


def update_rollups(connection: Connection, before: dict[str, Table], after: dict[str, Table]) -> None:
    """Subtract the facts `before` (by name of the fact table) from all rollups and add the facts `after`.

    Only the affected rows are rewritten. Rows without facts are deleted.
    """
    for rollup in ROLLUPS:
        name = rollup.facts.name
        fresh = temporary_table(
            f"{rollup.table.name}_fresh", {column.name: column.type for column in rollup.table.columns}
        )
        fresh.create(connection)
        connection.execute(_updated_rows(rollup, fresh, before[name], after[name]))
        analyze(connection, fresh)
        connection.execute(
            delete(rollup.table).where(select(fresh.c.rows_summed).where(_same_row(rollup, fresh)).exists())
        )
        connection.execute(_insert(rollup, select(*fresh.columns).where(fresh.c.rows_summed != literal(0, Integer))))
        fresh.drop(connection)


@cache
def _updated_rows(rollup: Rollup, fresh: Table, before: Table, after: Table) -> Insert:
    """Fill `fresh` with the updated content of the affected rows."""
    shift = union_all(summed(rollup, before, sign=-1), summed(rollup, after)).cte("shift")
    stored = select(*rollup.table.c).where(select(shift.c.rows_summed).where(_same_row(rollup, shift)).exists())
    both = union_all(stored, select(*shift.c)).subquery()
    keys = [both.c[key] for key in (*rollup.periods, *rollup.dimensions)]
    sums = [cast(func.sum(both.c[key]), rollup.table.c[key].type).label(key) for key in ("rows_summed", *rollup.parts)]
    return insert(fresh).from_select([c.name for c in fresh.columns], select(*keys, *sums).group_by(*keys))


def _same_row(rollup: Rollup, rows: FromClause) -> Expression:
    return and_(*[rollup.table.c[key] == rows.c[key] for key in (*rollup.periods[:1], *rollup.dimensions)])


def _insert(rollup: Rollup, rows: Select[tuple[object, ...]]) -> Insert:
    return insert(rollup.table).from_select([c.name for c in rollup.table.columns], rows)


def smallest_rollup(
    facts: Table,
    date_column: str,
    *,
    dimensions: Iterable[str],
    columns: frozenset[str] = frozenset(),
    grain: str | None,
    start: date | None,
    end: date | None,
) -> Rollup | None:
    """Return the smallest rollup that can answer, or None if only the fact table can.

    dimensions: every dimension in the breakdown or filters. columns: other columns that it must have.
    A rollup by month can only answer for whole months.
    """
    wanted = {dimension_column(name) for name in dimensions} | columns
    for rollup in ROLLUPS:
        if rollup.facts is not facts or rollup.date != date_column or not wanted <= set(rollup.dimensions):
            continue
        if grain is not None and grain not in rollup.periods:
            continue
        if "day" not in rollup.periods and not _whole_months(start, end):
            continue
        return rollup
    return None


def _whole_months(start: date | None, end: date | None) -> bool:
    return (start is None or start.day == 1) and (end is None or (end + timedelta(days=1)).day == 1)
