"""Convert quantities and prices to base units during the merge.

A row is converted if its unit is not the base unit of its product. Quantities are multiplied by the factor, and prices
are divided by it. The factor is the one valid on the local day of the order. A row without a factor waits in
quarantine. A row whose quantity does not fit four decimals is rejected. The row keeps its `unit`, and its original is
stored in `as_sent_<feed>`, so a corrected factor converts the original. Source: R12 (unit conversion).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    FromClause,
    String,
    Table,
    and_,
    case,
    cast,
    func,
    insert,
    or_,
    select,
)

from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.validate.cross_row_rules import CrossRowRule
from metrics.schema import FACTOR, FEEDS, PRICE, QTY, order_lines, orders, products, unit_factors
from metrics.sql.dialects import Expression, Rows, local_time, times, typed_null

QUANTITIES = {
    "order_lines": ("ordered_qty", "cancelled_qty"),
    "shipment_lines": ("shipped_qty", "received_qty", "damaged_qty"),
    "invoice_lines": ("billed_qty",),
}
"""Columns in the unit of the row, by feed."""
PRICED = ("order_lines", "invoice_lines")
"""Feeds whose `unit_price_amount` is the price of one unit of the row."""
LIMIT = 1_000_000_000
"""Quantities and prices must be smaller than this, converted or not."""
STEP = Decimal("0.00000001")


@dataclass(frozen=True)
class Units:
    """Conversions of some rows of a feed.

    rows: a table of file_id, row_no, product_id, unit, day, factor. prices: the converted price of each price and
    factor, or None.
    """

    rows: Table
    prices: Table | None

    def drop(self, connection: Connection) -> None:
        """Drop the temporary tables."""
        for table in (self.rows, self.prices):
            if table is not None:
                table.drop(connection)


def find_units(connection: Connection, feed: str, rows: FromClause) -> Units | None:
    """Return the rows to convert, each with its factor (null: missing). Returns None if no row names a unit.

    Rows whose order or order line is not loaded yet are left out, because they wait for it. Charges without an order
    line are left out, because they have no product.
    """
    if (
        feed not in QUANTITIES
        or connection.execute(select(rows.c.row_no).where(rows.c.unit.is_not(None)).limit(1)).first() is None
    ):
        return None
    named = create_temporary(
        connection,
        f"named_units_{feed}",
        *(Column(one, BigInteger) for one in ("file_id", "row_no")),
        *(Column(one, String) for one in ("product_id", "unit")),
        Column("day", Date),
    )
    connection.execute(
        insert(named).from_select([column.name for column in named.columns], _rows_with_unit(feed, rows))
    )
    to_convert = create_temporary(
        connection,
        f"units_{feed}",
        *(Column(column.name, column.type) for column in named.columns),
        Column("factor", FACTOR),
    )
    base = _version_on_day(named, products, products.c.base_unit, [], "base")
    factor = _version_on_day(named, unit_factors, unit_factors.c.factor, ["unit"], "factors")
    beside = named.outerjoin(base, _same_conversion(named, base)).outerjoin(factor, _same_conversion(named, factor))
    wanted = (
        select(*named.columns, factor.c.value)
        .select_from(beside)
        .where(or_(base.c.value.is_(None), base.c.value != named.c.unit))
    )
    connection.execute(insert(to_convert).from_select([column.name for column in to_convert.columns], wanted))
    named.drop(connection)
    return Units(to_convert, _prices(connection, feed, rows, to_convert) if feed in PRICED else None)


def _rows_with_unit(feed: str, rows: FromClause) -> Rows:
    """Select the rows that name a unit, with their product and the local day of their order."""
    product: ColumnElement[str]
    if feed == "order_lines":
        joined, product = rows.join(orders, orders.c.order_id == rows.c.order_id), rows.c.product_id
    else:
        line = and_(order_lines.c.order_id == rows.c.order_id, order_lines.c.line_no == rows.c.line_no)
        joined = rows.join(order_lines, line).join(orders, orders.c.order_id == rows.c.order_id)
        packed = feed == "shipment_lines"
        product = func.coalesce(rows.c.product_id, order_lines.c.product_id) if packed else order_lines.c.product_id
    instant = cast(local_time(orders.c.ordered_at, orders.c.ship_to_time_zone), Date)
    day = case((orders.c.ordered_at_is_date, cast(orders.c.ordered_at, Date)), else_=instant)
    return (
        select(rows.c.file_id, rows.c.row_no, product, rows.c.unit, day)
        .select_from(joined)
        .where(rows.c.unit.is_not(None))
    )


def _version_on_day(named: Table, versions: Table, value: Expression, more: list[str], alias: str) -> FromClause:
    """Select product_id, unit, day and value: the newest version valid on each day."""
    wanted = select(named.c.product_id, named.c.unit, named.c.day).distinct().subquery()
    place = func.row_number().over(
        partition_by=[wanted.c.product_id, wanted.c.unit, wanted.c.day], order_by=versions.c.valid_from.desc()
    )
    same = and_(
        *(versions.c[one] == wanted.c[one] for one in ("product_id", *more)),
        versions.c.valid_from <= wanted.c.day,
        ~versions.c.deleted,
    )
    ranked = select(wanted, value.label("value"), place.label("place")).join_from(wanted, versions, same).subquery()
    return (
        select(ranked.c.product_id, ranked.c.unit, ranked.c.day, ranked.c.value)
        .where(ranked.c.place == 1)
        .subquery(alias)
    )


def _same_conversion(named: Table, conversions: FromClause) -> ColumnElement[bool]:
    return and_(*(conversions.c[one] == named.c[one] for one in ("product_id", "unit", "day")))


def _prices(connection: Connection, feed: str, rows: FromClause, to_convert: Table) -> Table:
    """Return a table of each price and factor, and their quotient. Null: the quotient is too large for a price.

    Python divides, because engines divide decimals differently.
    """
    prices = create_temporary(
        connection, f"unit_prices_{feed}", Column("price", PRICE), Column("factor", FACTOR), Column("base_price", PRICE)
    )
    pairs = (
        select(rows.c.unit_price_amount, to_convert.c.factor)
        .join_from(rows, to_convert, _same_row(rows, to_convert))
        .where(rows.c.unit_price_amount.is_not(None), to_convert.c.factor.is_not(None))
        .distinct()
    )
    quotients = (
        (price, factor, (price / factor).quantize(STEP, ROUND_HALF_EVEN)) for price, factor in connection.execute(pairs)
    )
    insert_rows(
        connection,
        prices,
        (
            {"price": price, "factor": factor, "base_price": one if one < LIMIT else None}
            for price, factor, one in quotients
        ),
    )
    return prices


def _same_row(rows: FromClause, conversions: FromClause) -> ColumnElement[bool]:
    return and_(conversions.c.file_id == rows.c.file_id, conversions.c.row_no == rows.c.row_no)


def rules(feed: str, rows: FromClause, units: Units) -> Iterator[CrossRowRule]:
    """Yield the conversion rules over the rows of `units`."""
    to_convert = units.rows
    described = (
        func.coalesce(to_convert.c.product_id, "") + " / " + to_convert.c.unit + " / " + cast(to_convert.c.day, String)
    )
    yield CrossRowRule(
        "unit_has_factor",
        "unit",
        (
            "No factor converts this unit on this day. Send the unit_factors row for this product and unit, "
            "valid on that day. If this is the base unit of the product, send it as base_unit in products."
        ),
        select(to_convert.c.file_id, to_convert.c.row_no, described.label("value")).where(
            to_convert.c.factor.is_(None)
        ),
        "unit_factors",
    )
    joined = rows.join(to_convert, _same_row(rows, to_convert))
    inexact = or_(*(_is_inexact(rows.c[one], to_convert.c.factor) for one in QUANTITIES[feed]))
    yield CrossRowRule(
        "quantity_converts_exactly",
        "unit",
        "Quantity × factor has more than four decimals or is too large. Correct the quantity or the factor.",
        select(rows.c.file_id, rows.c.row_no, described.label("value"))
        .select_from(joined)
        .where(to_convert.c.factor.is_not(None), inexact),
    )
    if units.prices is not None:
        price = units.prices
        same = and_(price.c.price == rows.c.unit_price_amount, price.c.factor == to_convert.c.factor)
        yield CrossRowRule(
            "price_converts",
            "unit_price_amount",
            "Price ÷ factor is too large for a price. Correct the price or the factor.",
            select(rows.c.file_id, rows.c.row_no, described.label("value"))
            .select_from(joined.join(price, same))
            .where(price.c.base_price.is_(None)),
        )


def _in_base_units(quantity: Expression, factor: Expression) -> Expression:
    product = times(quantity, factor)
    return case((product < LIMIT, cast(product, QTY)), else_=typed_null(QTY))


def _is_inexact(quantity: Expression, factor: Expression) -> ColumnElement[bool]:
    base = _in_base_units(quantity, factor)
    return and_(quantity.is_not(None), or_(base.is_(None), base != times(quantity, factor)))


def select_converted(feed: str, rows: FromClause, units: Units | None) -> Rows:
    """Select all columns of the rows, converted to base units where there is a factor."""
    names = [column.name for column in FEEDS[feed].table.columns]
    if units is None:
        return select(*(rows.c[one] for one in names))
    factor = units.rows.c.factor
    new: dict[str, Expression] = {one: _in_base_units(rows.c[one], factor) for one in QUANTITIES[feed]}
    joined = rows.outerjoin(units.rows, _same_row(rows, units.rows))
    if units.prices is not None:
        price = units.prices
        joined = joined.outerjoin(price, and_(price.c.price == rows.c.unit_price_amount, price.c.factor == factor))
        new["unit_price_amount"] = price.c.base_price
    columns = (
        case((factor.is_not(None), new[one]), else_=rows.c[one]).label(one) if one in new else rows.c[one]
        for one in names
    )
    return select(*columns).select_from(joined)
