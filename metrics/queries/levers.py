"""Levers: what would raise the share of perfect orders most, if it were gone.

A lever is a failure reason at one value of a dimension, for example late deliveries of one carrier. Its orders failed
only because of it: every failed test of every line has this reason, and every failed line has this value. If the lever
is gone, these tests pass, and the order is judged again. It becomes perfect, or unknown if one of its other tests is
unknown. All other orders stay as they are, so that the new rate is exact.

Two failures follow from another one of the same line, and go with it:

- A line of which nothing was received is also incomplete. If it had been received, its other tests would be unknown.
- A line that was received wrong (product or place) is also incomplete, or never received. Its right goods would have an
  unknown date and quantity.

A test of a line has one reason, the first that applies (`policy.FALSE_CODES`). Source: P2 (AND per order), P3 (three
values), P7 (point, coverage and range).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from sqlalchemy import CTE, Connection, String, and_, case, cast, false, func, literal, or_, select, true

from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.facts.orders.line_verdicts import one_or_several
from metrics.facts.orders.tables import GOODS_VERDICTS, NONE, SEVERAL
from metrics.facts.recovery_costs import recovery_cost_facts_table
from metrics.model.point import share_answer
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.statements import view_conditions
from metrics.schema import EXACT_AMOUNT, QTY, Row, orders
from metrics.sql.dialects import Columns, Expression, Rows, count_if, sum_known, times
from metrics.sql.exchange_rates import converted, reporting_currency

ALL = "all"
"""The dimension of a reason at all values."""
DIMENSIONS = ("carrier", "product_category", "place", "customer", "segment")
"""The dimensions of levers. The place is the address of delivery (`orders.ship_to`)."""
NOT_A_VALUE = (NONE, SEVERAL)
"""Values that name nobody. Their orders are counted under the reason at all values only."""

LAST = "zzz"
"""A text after all reasons in every sort order."""

_line, _o = order_line_facts_table.c, order_facts_table.c


@dataclass(frozen=True)
class Lever:
    """A reason at a value of a dimension.

    orders: judged orders that failed only because of it. perfect: those of them that become perfect without it; the
    others become unknown. without: the share of perfect orders if it is gone.
    value, cost, lost_margin: ordered value, cost of recovery, and margin of the goods not received of these orders, in
    the reporting currency; None: not known.
    """

    reason: str
    dimension: str
    of: str
    orders: int
    perfect: int
    without: Answer
    value: Decimal | None
    cost: Decimal | None
    lost_margin: Decimal | None


@dataclass(frozen=True)
class Levers:
    """The levers of the orders in view, those that raise the rate most first.

    whole: the share of perfect orders now. failed: failed orders. several: those of them with several reasons, which no
    single lever explains. The orders of a reason at all values, summed over the reasons, are the other failed orders.
    currency: the reporting currency, or without exchange rates the only currency of the orders; None: neither.
    """

    whole: Answer
    failed: int
    several: int
    currency: str | None
    levers: tuple[Lever, ...]

    def of_dimension(self, dimension: str) -> tuple[Lever, ...]:
        """Return the levers of a dimension."""
        return tuple(lever for lever in self.levers if lever.dimension == dimension)


def levers(connection: Connection, question: Question) -> Levers:
    """Return the levers of the orders due in the period of a question without measures, with its filters."""
    (whole,) = answer(connection, replace(question, measures=("perfect_order",)))
    failed = _failed_orders(question).cte("failed_orders")
    f = failed.c
    count, several, first, last = connection.execute(
        select(func.count(), count_if(f.reason.is_(None)), func.min(f.currency), func.max(f.currency))
    ).one()
    known = mapped(connection)
    has_rates = "fx_rates.rate" in known
    only = first if first == last else None
    currency = reporting_currency(connection, known) if has_rates else only
    found = [
        _lever(dict(row), whole, has_rates=has_rates)
        for name in (ALL, *DIMENSIONS)  # DuckDB 1.5 never ends with one statement for all of a million orders
        for row in connection.execute(_of_dimension(failed, name)).mappings()
    ]
    return Levers(whole, int(count), int(several), currency, tuple(sorted(found, key=_rank)))


def orders_of(connection: Connection, question: Question, reason: str, dimension: str, of: str) -> list[str]:
    """Return the numbers of the orders of a lever, in alphabetical order."""
    single = _failed_orders(question).subquery("failed_orders")
    s = single.c
    inside = [s.reason == reason, *([] if dimension == ALL else [s[dimension] == of])]
    return list(connection.execute(select(s.order_id).where(*inside).order_by(s.order_id)).scalars())


def top(found: Levers, number: int) -> tuple[Lever, ...]:
    """Return the best levers of different reasons, each at a named value.

    No order has two of them, so that their orders add up. Segments are left out: they say who is served badly, and not
    where.
    """
    best: dict[str, Lever] = {}
    for lever in found.levers:
        if lever.dimension not in (ALL, "segment") and lever.of not in NOT_A_VALUE and lever.perfect:
            best.setdefault(lever.reason, lever)
    return tuple(best.values())[:number]


def without(whole: Answer, orders_gone: int, made_perfect: int) -> Answer:
    """Return the share of perfect orders without some failed orders, of which some become perfect and others unknown.

    Several levers can go together if they share no order.
    """
    known, unknown = int(whole.denominator or 0), int(whole.unknown or 0)
    undecided = orders_gone - made_perfect
    blank = Answer(whole.dimensions, whole.period, whole.measure, None)
    perfect = int(whole.numerator or 0) + made_perfect
    return share_answer(blank, perfect, known - undecided, unknown + undecided, combined=True)


def _rank(lever: Lever) -> tuple[int, int, int, str, str]:
    return -lever.perfect, -lever.orders, (ALL, *DIMENSIONS).index(lever.dimension), lever.reason, lever.of


def _lever(row: Row, whole: Answer, *, has_rates: bool) -> Lever:
    number, perfect = int(row["orders"]), int(row["perfect"])
    is_known = has_rates or row["currency_first"] == row["currency_last"]
    value, cost, lost_margin = (row[name] if is_known else None for name in ("value", "cost", "lost_margin"))
    gone = without(whole, number, perfect)
    return Lever(row["reason"], row["dimension"], row["of"], number, perfect, gone, value, cost, lost_margin)


def _of_dimension(failed: CTE, dimension: str) -> Rows:
    """Return the levers of a dimension from the failed orders with one reason."""
    f = failed.c
    return (
        select(
            literal(dimension, String).label("dimension"),
            f[dimension].label("of"),
            f.reason,
            func.count().label("orders"),
            count_if(~f.is_unknown).label("perfect"),
            *[sum_known(true(), f[name]).label(name) for name in ("value", "cost", "lost_margin")],
            func.min(f.currency).label("currency_first"),
            func.max(f.currency).label("currency_last"),
        )
        .where(f.reason.is_not(None))
        .group_by(f[dimension], f.reason)
    )


def _failed_orders(question: Question) -> Rows:
    """Return the failed orders in view.

    reason: the only reason of all failed tests; null if there are several. carrier, product_category: of the failed
    lines. is_unknown: without the reason the order is unknown, and not perfect.
    """
    lines = _failed_lines(question).subquery("lines_of_failed_orders")
    x = lines.c
    spent = recovery_cost_facts_table.c
    costs = (
        select(spent.order_id, sum_known(true(), spent.amount).label("cost"))
        .group_by(spent.order_id)
        .subquery("recovery_costs")
    )
    by_order = (
        select(
            x.order_id,
            func.min(x.first_reason).label("first_reason"),
            func.max(x.last_reason).label("last_reason"),
            *[_of_failed_lines(x, name).label(name) for name in ("carrier", "product_category")],
            func.max(case((x.is_unknown, 1), else_=0)).label("unknown"),
            sum_known(true(), x.lost_margin).label("lost_margin"),
        )
        .group_by(x.order_id)
        .subquery("by_order")
    )
    tables = (
        order_facts_table.join(by_order, by_order.c.order_id == _o.order_id)
        .outerjoin(orders, orders.c.order_id == _o.order_id)
        .outerjoin(costs, costs.c.order_id == _o.order_id)
    )
    b = by_order.c
    return select(
        _o.order_id,
        literal(ALL, String).label(ALL),
        case((b.first_reason == b.last_reason, b.first_reason), else_=None).label("reason"),
        b.carrier,
        b.product_category,
        func.coalesce(orders.c.ship_to, literal(NONE, String)).label("place"),
        _o.customer_id.label("customer"),
        _o.segment,
        _o.currency,
        or_(b.unknown == 1, *[_o[name].is_(None) for name in GOODS_VERDICTS]).label("is_unknown"),
        converted(_o.ordered_amount, _o.rate).label("value"),
        costs.c.cost,
        b.lost_margin,
    ).select_from(tables)


def _of_failed_lines(lines: Columns, name: str) -> Expression:
    """Return the only value of a column in the failed lines of an order, `(several)` or `(none)`."""
    value = case((lines.first_reason.is_not(None), lines[name]), else_=None)
    return one_or_several(func.min(value), func.max(value))


def _failed_lines(question: Question) -> Rows:
    """Return the lines of the failed orders in view, with the first and the last reason of their failed tests."""
    reasons = _reasons_of_line()
    unknown_goods = or_(
        *[_line[name].is_(None) for name in ("on_time", "complete", "otif")],
        *[_is_untested(name) for name in ("damage_free", "filled_accurately")],
    )
    is_unknown = or_(and_(_line.state == "judged", unknown_goods), _is_untested("billed_accurately"), _received_wrong())
    first = func.nullif(func.least(*[func.coalesce(reason, LAST) for reason in reasons]), LAST)
    last = func.nullif(func.greatest(*[func.coalesce(reason, "") for reason in reasons]), "")
    return (
        select(
            _line.order_id,
            _line.carrier,
            _line.product_category,
            first.label("first_reason"),
            last.label("last_reason"),
            is_unknown.label("is_unknown"),
            _lost_margin().label("lost_margin"),
        )
        .select_from(order_line_facts_table.join(order_facts_table, _o.order_id == _line.order_id))
        .where(FAILED, *view_conditions(order_facts_table, _o.due_day, question))
    )


def _reasons_of_line() -> list[Expression]:
    """Return the reason of each failed test of a line, without failures that follow from another; null: none.

    OTIF has a reason of its own only if none of its two tests is known to have failed.
    """
    wrong = _received_wrong()
    never = func.coalesce(and_(_line.on_time.is_(False), _line.on_time_reason == "never_received"), false())
    follows = {
        "on_time": and_(wrong, never),
        "complete": or_(wrong, never),
        "otif": or_(_line.on_time.is_(False), _line.complete.is_(False)),
    }
    return [
        case((and_(_line[name].is_(False), ~follows.get(name, false())), _line[f"{name}_reason"]), else_=None)
        for name in GOODS_VERDICTS
    ]


def _received_wrong() -> Expression:
    """Return whether the line lacks goods because others came, or because they came to another place."""
    wrong = and_(_line.filled_accurately.is_(False), _line.filled_accurately_reason.in_(("wrong_item", "wrong_place")))
    return func.coalesce(and_(wrong, _line.complete.is_(False)), false())


def _is_untested(name: str) -> Expression:
    """Return whether a test of a line is unknown. A line of which nothing was received has nothing to test."""
    return and_(_line[name].is_(None), func.coalesce(_line[f"{name}_reason"], "") != "nothing_received")


def _lost_margin() -> Expression:
    """Return the margin of the goods owed and not received, in the reporting currency; null: not known."""
    short_qty = cast(_line.owed_qty - _line.filled_qty, QTY)
    sales = converted(cast(_line.owed_amount - _line.filled_amount, EXACT_AMOUNT), _line.rate)
    margin = cast(sales - times(short_qty, _line.unit_cost_amount), EXACT_AMOUNT)
    return case((_line.state != "judged", None), (short_qty == 0, cast(literal(0), EXACT_AMOUNT)), else_=margin)
