"""Products that were missing most: goods lines due in the period of which less came than was owed. Source: rules, section 4 (b)."""

from sqlalchemy import Connection, and_, cast, func, select

from metrics.availability import final_known
from metrics.facts import order_line_facts_table
from metrics.listing import Listing, rows_of
from metrics.query import in_view
from metrics.question import Question
from metrics.rates import at_rate
from metrics.schema import AMOUNT, products
from metrics.sqltools import count_if, sum_if


def worst_products(connection: Connection, question: Question, *, page: int = 1, size: int = 10) -> Listing:
    """One page of products with goods missing, the largest missing value first (by pieces where no price is known).

    Columns: product_id, name, lines (judged), short_lines, missing_qty (base unit), missing_amount (reporting currency, of lines with a price and
    a rate).
    """
    line = order_line_facts_table.c
    view = [*in_view(order_line_facts_table, line.due_day, question), line.state == "judged", line.line_kind == "goods"]
    missing = line.owed_qty - line.filled_qty
    short = and_(final_known, missing > 0)  # what the fill rates in the end count as missing
    worth = cast(at_rate(line.owed_amount - line.filled_amount, line.rate), AMOUNT)
    summed = (
        select(
            line.product_id,
            func.count().label("lines"),
            count_if(short).label("short_lines"),
            sum_if(short, missing).label("missing_qty"),
            sum_if(and_(short, worth.is_not(None)), worth).label("missing_amount"),
        )
        .where(*view)
        .group_by(line.product_id)
        .subquery("summed")
    )
    listed = (
        select(summed)
        .where(summed.c.short_lines > 0)
        .order_by(summed.c.missing_amount.desc().nulls_last(), summed.c.missing_qty.desc(), summed.c.product_id)
        .limit(size)
        .offset((page - 1) * size)
    )
    total = connection.execute(select(func.count()).select_from(summed).where(summed.c.short_lines > 0)).scalar_one()
    rows = rows_of(connection, listed)
    p = products.c
    known = select(p.product_id, func.max(p.name)).where(~p.deleted, p.product_id.in_([row["product_id"] for row in rows])).group_by(p.product_id)
    names = {row[0]: row[1] for row in connection.execute(known)} if rows else {}
    return Listing(rows=[{**row, "name": names.get(row["product_id"])} for row in rows], total=int(total))
