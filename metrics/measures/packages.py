"""Measures of service packages (Table 8-1): commitments met, fit of package and zone, and the value of misfits.

package_fit.py computes the fit. Source: docs/rules.md, service packages.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import Connection

from metrics.facts.money.table import STEP, money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.customer_zones import (
    DANGER,
    KEYS,
    PROTECT,
    Customer,
    by_customers,
    describe_cuts,
    zones,
)
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    COST_FEEDS,
    NEEDS_BILLS,
    NEEDS_COSTS,
    NEEDS_ORDER_LINES,
    ZONE_ASSUMPTIONS,
)
from metrics.measures.package_fit import (
    PAIRING,
    Kept,
    Misfit,
    attainments_by_period,
    days_of_period,
    over_served,
    row_counts,
    segments_with_package,
    under_served,
)
from metrics.measures.package_sources import Span
from metrics.model.measure import Direction, Measure, Need, Result, Study, Unit
from metrics.model.point import share_answer
from metrics.model.question import Answer, Ask, Question
from metrics.model.statistics import DAYS_A_YEAR


def _share_kept(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
    """Return package_attainment: package rows met of those known, by customer, segment (of the package) and row.

    Each period judges a row again.
    """
    span = Span(question.start, question.end, question.grain)
    of_customers = "customer" in (*question.by, *[name for name, _ in question.where])
    counted = _kept_by_customer(connection, span) if of_customers else _kept_by_package(connection, span)
    groups: dict[tuple[date | None, tuple[str, ...]], list[Kept]] = defaultdict(list)
    for period, keys, kept in counted:
        if all(keys[name] in values for name, values in question.where):
            groups[period, tuple(keys[name] for name in question.by)].append(kept)
    answers = []
    for (period, values), rows in groups.items():
        known = sum(row.known for row in rows)
        met = sum(row.met for row in rows)
        remark = f"each {question.grain} is judged separately; a shorter period has fewer orders that can miss a row"
        blank = Answer(
            dict(zip(question.by, values, strict=True)),
            period,
            question.measures[0],
            None,
            remark=None if question.grain is None else remark,
        )
        answers.append(share_answer(blank, met, known, sum(row.customers for row in rows) - known))
    return answers


_Counted = Iterator[tuple[date | None, dict[str, str], Kept]]
"""The period, the values of the dimensions, and the results of a package row."""


def _kept_by_package(connection: Connection, span: Span) -> _Counted:
    for (period, package), rows in row_counts(connection, span).items():
        for row, kept in rows.items():
            yield period, {"segment": package.segment, "package_row": row}, kept


def _kept_by_customer(connection: Connection, span: Span) -> _Counted:
    for period, attainment in attainments_by_period(connection, span):
        for row in attainment.rows:
            keys = {"customer": attainment.customer_id, "segment": attainment.package.segment, "package_row": row.row}
            yield period, keys, Kept(int(row.kept is True), int(row.kept is not None), 1)


def _fit(amount: Callable[[Customer], int | Decimal]) -> Callable[[Connection, Question, Ask], list[Answer]]:
    def work(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
        segments = segments_with_package(connection)
        customers, cuts = zones(connection, question.start, question.end)

        def finish(group: Sequence[Customer]) -> Result:
            value = sum(map(amount, group))
            expected = sum(amount(customer) for customer in group if PAIRING.get(customer.zone) == customer.segment)
            return Result(
                value,
                expected,
                value,
                remark=f"{describe_cuts(cuts, customers)}; expected: "
                + ", ".join(f"{z} {s}" for z, s in PAIRING.items()),
            )

        return by_customers(question, [customer for customer in customers if customer.segment in segments], finish)

    return work


def _a_year(
    misfits: Callable[[Connection, date | None, date | None], list[Misfit]], zone: str
) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """Return the annualised amounts of misfits over all customers of a zone."""

    def work(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
        amounts = {
            misfit.customer.customer_id: misfit.amount for misfit in misfits(connection, question.start, question.end)
        }
        customers, _ = zones(connection, question.start, question.end)
        inside = [customer for customer in customers if customer.zone == zone]

        def finish(group: Sequence[Customer]) -> Result:
            days = days_of_period(connection, question.start, question.end)
            mine = [amounts[customer.customer_id] for customer in group if customer.customer_id in amounts]
            amount = sum(mine, Decimal(0))
            yearly = (amount * DAYS_A_YEAR / days).quantize(STEP, ROUND_HALF_UP)
            remark = f"{len(mine)} of {len(group)} customers in {zone}; {amount:,.2f} in {days} days"
            return Result(yearly, amount, days, remark=remark)

        return by_customers(question, inside, finish)

    return work


NEEDS_PACKAGE = (Need(("service_packages.service_segment",)), Need(("customers.service_segment",)))
PACKAGE_FEEDS = (*CORE_FEEDS, *BILLING_FEEDS, "customers", "service_packages", "service_cases", "returns")

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="package_attainment",
        title="Package commitments met",
        unit=Unit.SHARE,
        direction=Direction.HIGHER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Study(_share_kept, ("customer", "segment", "package_row"), periods=True),
        definition=(
            "Commitments (quality, order fill, lead time, delivery time, payment terms, support) that were met for a "
            "customer in the period, from the package of their segment on the day of the order. Lead time and "
            "delivery time need an assumed share of orders (95%)."
        ),
        numerator="package rows met, per customer and package",
        denominator="package rows whose result is known",
        exclusions=(
            "Rows that the missing evidence could decide either way, and support through the web site, which is not "
            "tested."
        ),
        source="docs/rules.md, service packages",
        feeds=PACKAGE_FEEDS,
        needs=(*NEEDS_PACKAGE, NEEDS_ORDER_LINES),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        product_rows=(8, 11),
        short="Package met",
    ),
    Measure(
        name="package_fit",
        title="Fit of package and zone, customers",
        short="Fit of package and zone, customers",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(_fit(lambda _: 1), tuple(KEYS)),
        definition=(
            "Customers by zone and by the package of their latest segment. The numerator counts customers in the "
            "expected pairing."
        ),
        numerator="customers in the expected pairing (Protect A, Build B, Cost engineer B, Danger C)",
        denominator="customers with a package",
        exclusions="Customers without a package.",
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "customers", "service_packages"),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        needs=(*NEEDS_PACKAGE, NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 11),
    ),
    Measure(
        name="package_fit_sales",
        title="Fit of package and zone, net sales",
        short="Fit of package and zone, net sales",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(_fit(lambda customer: customer.sales), tuple(KEYS)),
        definition="Net sales value by package and zone. The numerator is that of customers in the expected pairing.",
        numerator="net sales of customers in the expected pairing",
        denominator="net sales of customers with a package",
        exclusions="Customers without a package.",
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "customers", "service_packages"),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        needs=(*NEEDS_PACKAGE, NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 11),
    ),
    Measure(
        name="package_fit_cost",
        title="Fit of package and zone, cost to serve",
        short="Fit of package and zone, cost to serve",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(_fit(lambda customer: customer.cost_to_serve), tuple(KEYS)),
        definition="Cost to serve by package and zone. The numerator is that of customers in the expected pairing.",
        numerator="cost to serve of customers in the expected pairing",
        denominator="cost to serve of customers with a package",
        exclusions="Customers without a package.",
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "customers", "service_packages"),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        needs=(*NEEDS_PACKAGE, NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 11),
    ),
    Measure(
        name="under_served_protect",
        title="Under-served Protect customers",
        short="Under-served Protect",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Study(_a_year(under_served, PROTECT), tuple(KEYS)),
        definition="Annual net sales value of Protect customers with a missed package row in the period.",
        numerator="net sales of those customers in the period",
        denominator="days of the period",
        exclusions="Customers outside Protect.",
        source="own definition",
        feeds=(*PACKAGE_FEEDS, *COST_FEEDS),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        needs=(*NEEDS_PACKAGE, NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(11,),
    ),
    Measure(
        name="over_served_danger",
        title="Over-served Danger customers",
        short="Over-served Danger",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Study(_a_year(over_served, DANGER), tuple(KEYS)),
        definition=(
            "Annual cost to serve, above the median of their own package outside Danger, of Danger customers whose "
            "fill, lead time and delivery match a better package."
        ),
        numerator="the excess cost in the period",
        denominator="days of the period",
        exclusions="Customers outside Danger.",
        source="own definition",
        feeds=(*PACKAGE_FEEDS, *COST_FEEDS),
        assumptions=(*ZONE_ASSUMPTIONS, "package_share"),
        needs=(*NEEDS_PACKAGE, NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(11,),
    ),
)
