"""Convert quantities and prices to base units during the merge.

A row is converted if its unit is not the base unit of its product. Quantities are multiplied by the factor, and prices
are divided by it. The factor is the one valid on the local day of the order, as an exact fraction. Quantities are
rounded to four decimals (half up), which is finer than any rounding step. A row without a factor waits in quarantine. A
row whose quantity is too large, or too small for four decimals, is rejected. The row keeps its `unit`, and its original
is stored in `as_sent_<feed>`, so a corrected factor converts the original. Source: R12 (unit conversion).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Date,
    FromClause,
    Integer,
    Numeric,
    String,
    Table,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    union,
)

from ingest.storage.bulk_insert import create_temporary, insert_rows
from ingest.validate.cross_row_rules import CrossRowRule
from metrics.schema import FACTOR, FEEDS, PRICE, QTY, order_lines, orders, products, unit_factors
from metrics.sql.dialects import Expression, Rows, local_time

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
QUANTITY_STEP = Decimal("0.0001")
FRACTION = ("numerator", "denominator")


@dataclass(frozen=True)
class Units:
    """Conversions of some rows of a feed.

    rows: a table of file_id, row_no, product_id, unit, day, numerator, denominator (null: no factor). prices and
    quantities: the converted value of each value and fraction.
    """

    rows: Table
    prices: Table | None
    quantities: Table

    def drop(self, connection: Connection) -> None:
        """Drop the temporary tables."""
        for table in (self.rows, self.prices, self.quantities):
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
        *(Column(one, FACTOR) for one in FRACTION),
    )
    u = unit_factors.c
    base = _version_on_day(named, products, {"base_unit": products.c.base_unit}, [], "base")
    one = cast(literal(1, Integer), FACTOR)
    fraction: dict[str, Expression] = {
        "numerator": func.coalesce(u.numerator, u.factor),
        "denominator": case((u.numerator.is_(None), one), else_=func.coalesce(u.denominator, one)),
    }
    factor = _version_on_day(named, unit_factors, fraction, ["unit"], "factors")
    beside = named.outerjoin(base, _same_conversion(named, base)).outerjoin(factor, _same_conversion(named, factor))
    wanted = (
        select(*named.columns, *(factor.c[name] for name in FRACTION))
        .select_from(beside)
        .where(or_(base.c.base_unit.is_(None), base.c.base_unit != named.c.unit))
    )
    connection.execute(insert(to_convert).from_select([column.name for column in to_convert.columns], wanted))
    named.drop(connection)
    prices = _prices(connection, feed, rows, to_convert) if feed in PRICED else None
    return Units(to_convert, prices, _quantities(connection, feed, rows, to_convert))


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


def _version_on_day(
    named: Table, versions: Table, values: Mapping[str, Expression], more: list[str], alias: str
) -> FromClause:
    """Select product_id, unit, day and the values of the newest version valid on each day."""
    wanted = select(named.c.product_id, named.c.unit, named.c.day).distinct().subquery()
    place = func.row_number().over(
        partition_by=[wanted.c.product_id, wanted.c.unit, wanted.c.day], order_by=versions.c.valid_from.desc()
    )
    same = and_(
        *(versions.c[one] == wanted.c[one] for one in ("product_id", *more)),
        versions.c.valid_from <= wanted.c.day,
        ~versions.c.deleted,
    )
    labelled = (value.label(name) for name, value in values.items())
    ranked = select(wanted, *labelled, place.label("place")).join_from(wanted, versions, same).subquery()
    columns = (ranked.c[one] for one in ("product_id", "unit", "day", *values))
    return select(*columns).where(ranked.c.place == 1).subquery(alias)


def _same_conversion(named: Table, conversions: FromClause) -> ColumnElement[bool]:
    return and_(*(conversions.c[name] == named.c[name] for name in ("product_id", "unit", "day")))


def _prices(connection: Connection, feed: str, rows: FromClause, to_convert: Table) -> Table:
    """Return a table of each price and fraction, and their quotient. Null: the quotient is too large for a price."""

    def convert(price: Decimal, numerator: Decimal, denominator: Decimal) -> Decimal | None:
        base = (price * denominator / numerator).quantize(STEP, ROUND_HALF_EVEN)
        return base if abs(base) < LIMIT else None

    return _converted(connection, f"unit_prices_{feed}", rows, to_convert, ["unit_price_amount"], PRICE, convert)


def _quantities(connection: Connection, feed: str, rows: FromClause, to_convert: Table) -> Table:
    """Return a table of each quantity and fraction, and the quantity in base units. Null: it does not fit."""

    def convert(quantity: Decimal, numerator: Decimal, denominator: Decimal) -> Decimal | None:
        base = (quantity * numerator / denominator).quantize(QUANTITY_STEP, ROUND_HALF_UP)
        return base if abs(base) < LIMIT and bool(base) == bool(quantity) else None

    return _converted(connection, f"unit_quantities_{feed}", rows, to_convert, QUANTITIES[feed], QTY, convert)


def _converted(
    connection: Connection,
    name: str,
    rows: FromClause,
    to_convert: Table,
    columns: Iterable[str],
    kind: "Numeric[Decimal]",
    convert: Callable[[Decimal, Decimal, Decimal], Decimal | None],
) -> Table:
    """Create a table of each value of some columns and its fraction, with the converted value.

    Python divides, because engines divide decimals differently.
    """
    table = create_temporary(
        connection, name, Column("amount", kind), *(Column(one, FACTOR) for one in FRACTION), Column("base", kind)
    )
    fraction = [to_convert.c[one] for one in FRACTION]
    values = union(
        *(
            select(rows.c[column].label("amount"), *fraction)
            .join_from(rows, to_convert, _same_row(rows, to_convert))
            .where(rows.c[column].is_not(None), to_convert.c.numerator.is_not(None))
            .distinct()
            for column in columns
        )
    )
    with localcontext() as context:
        context.prec = 60
        converted = [
            dict(zip(("amount", *FRACTION, "base"), (*row, convert(*row)), strict=True))
            for row in connection.execute(values)
        ]
    insert_rows(connection, table, converted)
    return table


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
            to_convert.c.numerator.is_(None)
        ),
        "unit_factors",
    )
    for name, column, columns, table, do in (
        (
            "quantity_converts",
            "unit",
            QUANTITIES[feed],
            units.quantities,
            "Quantity × factor is too large, or too small for four decimals. Correct the quantity or the factor.",
        ),
        (
            "price_converts",
            "unit_price_amount",
            ("unit_price_amount",),
            units.prices,
            "Price ÷ factor is too large for a price. Correct the price or the factor.",
        ),
    ):
        if table is not None:
            misfits = (_misfits(to_convert, rows.c[one], table) for one in columns)
            joined = rows.join(to_convert, _same_row(rows, to_convert))
            broken = select(rows.c.file_id, rows.c.row_no, described.label("value")).select_from(joined)
            yield CrossRowRule(name, column, do, broken.where(or_(*misfits)))


def _same_value(value: Expression, to_convert: FromClause, table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.amount == value, *(table.c[one] == to_convert.c[one] for one in FRACTION))


def _misfits(to_convert: Table, value: Expression, table: Table) -> ColumnElement[bool]:
    """Return the condition that a value has a factor and does not convert."""
    return select(literal(1)).where(_same_value(value, to_convert, table), table.c.base.is_(None)).exists()


def select_converted(feed: str, rows: FromClause, units: Units | None) -> Rows:
    """Select all columns of the rows, converted to base units where there is a factor."""
    names = [column.name for column in FEEDS[feed].table.columns]
    if units is None:
        return select(*(rows.c[name] for name in names))
    joined = rows.outerjoin(units.rows, _same_row(rows, units.rows))
    new: dict[str, Expression] = {}
    tables = dict.fromkeys(QUANTITIES[feed], units.quantities)
    if units.prices is not None:
        tables["unit_price_amount"] = units.prices
    for one, table in tables.items():
        converted = table.alias(f"converted_{one}")
        joined = joined.outerjoin(converted, _same_value(rows.c[one], units.rows, converted))
        new[one] = case((units.rows.c.numerator.is_not(None), converted.c.base), else_=rows.c[one]).label(one)
    return select(*(new.get(name, rows.c[name]) for name in names)).select_from(joined)
