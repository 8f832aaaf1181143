"""Products with the most missing goods: goods lines due in the period that received less than was owed.

Source: docs/rules.md, Product availability.
"""

from sqlalchemy import Connection, and_, case, func, select

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import order_line_facts_table
from metrics.lists.rows import Listing, rows_of
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Ratio
from metrics.model.question import Question
from metrics.queries.statements import view_conditions
from metrics.schema import products
from metrics.sql.dialects import Expression, count_if


def most_often_short(connection: Connection, question: Question, *, page: int = 1, size: int = 10) -> Listing:
    """Return one page of products with missing goods, largest missing value first (quantity if no price is known).

    `missing_qty` is in the `base_unit` of the short lines; both are null if these have several base units. Without
    exchange rates, `missing_amount` is null if they have several currencies. Source: N7 (unlike units).
    """
    line, table = order_line_facts_table.c, order_line_facts_table
    units = _of("unit_fill_final")
    wanted, came = units.denominator, units.numerator
    assert wanted.amount is not None
    assert came.amount is not None
    short = and_(wanted.condition, wanted.amount > came.amount)
    unit = _one_of(case((short, line.base_unit)))
    worth = _lacking(_of("value_fill_final"))
    if "fx_rates.rate" not in mapped(connection):
        worth = case((_one_of(case((short, line.currency))).is_not(None), worth))
    summed = (
        select(
            line.product_id,
            count_if(line.state == "judged").label("lines"),
            count_if(short).label("short_lines"),
            case((unit.is_not(None), _lacking(units))).label("missing_qty"),
            unit.label("base_unit"),
            worth.label("missing_amount"),
        )
        .where(*view_conditions(table, line.due_day, question), line.line_kind == "goods")
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
    names = _names(connection, [row["product_id"] for row in rows])
    return Listing(rows=[{**row, "name": names.get(row["product_id"])} for row in rows], total=int(total))


def _of(name: str) -> Ratio:
    formula = MEASURES[name].formula
    assert isinstance(formula, Ratio)
    return formula


def _lacking(formula: Ratio) -> Expression:
    """Denominator minus numerator, as a column of a grouped SELECT; null if nothing is known of the group."""
    wanted, came = (part.over(order_line_facts_table) for part in (formula.denominator, formula.numerator))
    return case((wanted > 0, wanted - came))


def _one_of(column: Expression) -> Expression:
    """The only value of a column in a group; null if there are several."""
    return case((func.min(column) == func.max(column), func.min(column)))


def _names(connection: Connection, ids: list[str]) -> dict[str, str]:
    p = products.c
    named = select(p.product_id, func.max(p.name)).where(~p.deleted, p.product_id.in_(ids)).group_by(p.product_id)
    return {row[0]: row[1] for row in connection.execute(named)}
