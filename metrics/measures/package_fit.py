"""Package commitments met, fit of package and zone, and misfits. packages.py declares the measures.

Source: docs/rules.md, service packages.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, func, select

from metrics.facts.assumptions import assumed
from metrics.facts.money.table import money_facts_table
from metrics.measures.customer_zones import BUILD, COST_ENGINEER, DANGER, PROTECT, ZONES, Customer, median, zones
from metrics.measures.package_evidence import Cell, Evidence, Span, evidence, evidence_by_period
from metrics.measures.package_rows import RowResult, is_better, meets, row_results
from metrics.measures.package_terms import Package, package_on, packages
from metrics.warehouse.query_cache import cached_per_generation

PAIRING: Mapping[str, str] = {PROTECT: "A", BUILD: "B", COST_ENGINEER: "B", DANGER: "C"}
"""The package expected for each zone. These are defaults of the product."""


@dataclass(frozen=True)
class Attainment:
    """The package rows met for one customer in a period."""

    customer_id: str
    package: Package
    rows: tuple[RowResult, ...]


@dataclass(frozen=True)
class FitCell:
    """Customers of one package in one zone: their money in the period, and package rows met of those known."""

    segment: str
    zone: str
    expected: bool
    customers: int
    sales: Decimal
    cost_to_serve: Decimal
    kept: int
    known: int


@dataclass(frozen=True)
class Misfit:
    """A customer whose service is worse or better than their zone requires.

    amount: money in the period. why: the reason in words.
    """

    customer: Customer
    amount: Decimal
    why: str


def attainments(connection: Connection, start: date | None = None, end: date | None = None) -> list[Attainment]:
    """Return one row per customer and package promised in the period, by customer."""
    return [attainment for _, attainment in attainments_by_period(connection, Span(start, end))]


@cached_per_generation
def attainments_by_period(connection: Connection, span: Span) -> list[tuple[date | None, Attainment]]:
    """Return the rows with the first day of their period, in period order."""
    share = assumed(connection, "package_share")
    return [
        (period, Attainment(customer_id, package, tuple(row_results(package, got, share))))
        for period, cells in sorted(evidence_by_period(connection, span).items(), key=lambda item: item[0] or date.min)
        for (customer_id, package), got in sorted(cells.items(), key=_in_order)
    ]


def _in_order(item: tuple[Cell, Evidence]) -> tuple[str, str, date]:
    (customer_id, package), _ = item
    return customer_id, package.segment, package.valid_from or date.min


def fit_matrix(
    connection: Connection, start: date | None = None, end: date | None = None, *, pairing: Mapping[str, str] = PAIRING
) -> list[FitCell]:
    """Return every package by every zone. A customer counts under their latest segment.

    Customers without a package are left out.
    """
    customers, _ = zones(connection, start, end)
    verdicts_of: dict[str, list[bool]] = defaultdict(list)
    for attainment in attainments(connection, start, end):
        verdicts_of[attainment.customer_id] += [row.kept for row in attainment.rows if row.kept is not None]
    cells = []
    for segment in segments_with_package(connection):
        for zone in ZONES:
            inside = [customer for customer in customers if (customer.segment, customer.zone) == (segment, zone)]
            verdicts = [verdict for customer in inside for verdict in verdicts_of[customer.customer_id]]
            cells.append(
                FitCell(
                    segment,
                    zone,
                    pairing.get(zone) == segment,
                    len(inside),
                    sum((customer.sales for customer in inside), Decimal(0)),
                    sum((customer.cost_to_serve for customer in inside), Decimal(0)),
                    sum(verdicts),
                    len(verdicts),
                )
            )
    return cells


def segments_with_package(connection: Connection) -> list[str]:
    """Return the segments that have a package."""
    return sorted({package.segment for package in packages(connection)})


def under_served(connection: Connection, start: date | None = None, end: date | None = None) -> list[Misfit]:
    """Return Protect customers with a missed package row, and their net sales in the period."""
    missed: dict[str, list[str]] = defaultdict(list)
    for attainment in attainments(connection, start, end):
        missed[attainment.customer_id] += [row.row for row in attainment.rows if row.kept is False]
    customers, _ = zones(connection, start, end)
    return [
        Misfit(customer, customer.sales, ", ".join(missed[customer.customer_id]))
        for customer in customers
        if customer.zone == PROTECT and missed[customer.customer_id]
    ]


def over_served(connection: Connection, start: date | None = None, end: date | None = None) -> list[Misfit]:
    """Return Danger customers whose fill, lead time and delivery were as good as a better package.

    The amount is their cost to serve above the median of their own package outside Danger.
    """
    share = assumed(connection, "package_share")
    customers, _ = zones(connection, start, end)
    together: dict[str, Evidence] = defaultdict(Evidence)
    for (customer_id, _), got in evidence(connection, start, end).items():
        together[customer_id] += got
    listed = packages(connection)
    in_force = [
        package
        for segment in segments_with_package(connection)
        if (package := package_on(listed, segment, end)) is not None
    ]
    costs: dict[str | None, list[Decimal]] = defaultdict(list)
    for customer in customers:
        if customer.zone != DANGER:
            costs[customer.segment].append(customer.cost_to_serve)
    medians = {segment: median(of_segment) for segment, of_segment in costs.items()}
    misfits = []
    for customer in customers:
        own = package_on(listed, customer.segment, end)
        if customer.zone != DANGER or own is None:
            continue
        better = [
            other for other in in_force if is_better(other, own) and meets(other, together[customer.customer_id], share)
        ]
        usual = medians.get(customer.segment)
        if better and usual is not None:
            why = (
                f"served as {' and '.join(other.segment for other in better)}; the median of {customer.segment} "
                f"outside Danger is {usual:,.2f}"
            )
            misfits.append(Misfit(customer, max(Decimal(0), customer.cost_to_serve - usual), why))
    return misfits


def days_of_period(connection: Connection, start: date | None, end: date | None) -> int:
    """Return the number of days in a period. Open ends are the first and last movement of money."""
    m = money_facts_table.c
    first, last = connection.execute(select(func.min(m.day), func.max(m.day)).where(m.day.is_not(None))).one()
    return ((end or last) - (start or first)).days + 1
