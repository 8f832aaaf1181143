"""Returns: returned goods, the reason, and the days until the whole return was credited.

Grain: one row per returned order line. Key: return_id, return_line_no.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: R22 (returns), section 4 (h) (order management influences).
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)

from metrics.facts.customer_contacts import day_at, happened_by
from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import NONE, order_facts_table, order_line_facts_table
from metrics.schema import QTY, returns
from metrics.sql.dialects import Rows, count_if, days_between
from metrics.sql.moments import moment_span

return_facts_table = fact_table(
    "return_facts",
    "return",
    "one row: one returned order line that was announced by as_of",
    Column("return_id", String, comment="returns.return_id"),
    Column("return_line_no", String, comment="returns.return_line_no"),
    Column("order_id", String, comment="order line that delivered the goods"),
    Column("line_no", String, comment="order line that delivered the goods"),
    Column("return_reason", String, comment="returns.reason"),
    Column("due_day", Date, comment="due day of the order line, by which returns are counted"),
    Column("announced_day", Date, comment="local day the return was announced"),
    Column("goods", Boolean, comment="true: the order line is a goods line of a sale"),
    Column("base_unit", String, comment="base unit of the product on the day of the order"),
    Column("returned_qty", QTY, comment="returned quantity, base unit"),
    Column(
        "handling_days",
        Integer,
        comment="days until the whole return was credited, or until as_of; only on the return's first line, else null",
    ),
    Column("credited", Boolean, comment="true: the whole return is credited; only on its first line, else null"),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every announced return of a known order line, or nothing if no source maps returns."""
    if "returns.return_id" not in context.mapped:
        return ()
    r, line = returns.c, order_line_facts_table.c
    zone = order_facts_table.c.ship_to_time_zone
    tables: FromClause = returns.join(
        order_line_facts_table, and_(line.order_id == r.order_id, line.line_no == r.line_no)
    )
    tables = tables.join(order_facts_table, order_facts_table.c.order_id == r.order_id)
    tables, announced = moment_span(tables, dict(r.items()), "announced_at", zone)
    tables, credited = moment_span(tables, dict(r.items()), "credited_at", zone)
    tables, today = day_at(tables, context.as_of, zone)
    lines = (
        select(
            *[r[name] for name in ("return_id", "return_line_no", "order_id", "line_no", "returned_qty")],
            func.coalesce(r.reason, literal(NONE, String)).label("return_reason"),
            line.due_day,
            cast(announced.day, Date).label("announced_day"),
            and_(line.line_kind == "goods", line.order_type == "sale").label("goods"),
            line.base_unit,
            cast(case((happened_by(credited, context.as_of), credited.day), else_=None), Date).label("credited_day"),
            cast(today, Date).label("today"),
            func.row_number().over(partition_by=r.return_id, order_by=r.return_line_no).label("place"),
            *order_dimensions(order_line_facts_table),
        )
        .select_from(tables)
        .where(~r.deleted, happened_by(announced, context.as_of))
        .cte("returned_lines")
    )
    returned = lines.c
    whole_returns = (
        select(
            returned.return_id,
            func.min(returned.announced_day).label("announced_day"),
            func.max(returned.credited_day).label("credited_day"),
            func.max(returned.today).label("today"),
            count_if(returned.credited_day.is_(None)).label("uncredited_n"),
        )
        .group_by(returned.return_id)
        .cte("whole_returns")
    )
    w = whole_returns.c
    first, credited_whole = returned.place == 1, w.uncredited_n == 0
    days = days_between(w.announced_day, case((credited_whole, w.credited_day), else_=w.today))
    values = {
        "handling_days": cast(case((first, days), else_=None), Integer),
        "announced_day": case((first, w.announced_day), else_=returned.announced_day),
        "credited": cast(case((first, credited_whole), else_=None), Boolean),
    }
    columns = [
        values[column.name].label(column.name) if column.name in values else returned[column.name]
        for column in return_facts_table.columns
    ]
    return (select(*columns).select_from(lines.join(whole_returns, w.return_id == returned.return_id)),)


FACT_TABLES: tuple[FactTable, ...] = (FactTable(return_facts_table, select_rows),)
