"""Package commitments met, fit of package and zone, and misfits. packages.py declares the measures.

Source: docs/rules.md, service packages.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from metrics.facts.assumptions import assumed
from metrics.facts.money.table import money_facts_table
from metrics.measures.customer_zones import BUILD, COST_ENGINEER, DANGER, PROTECT, ZONES, Customer, median, zones
from metrics.measures.package_evidence import (
    Cell,
    Evidence,
    evidence,
    evidence_by_period,
    own_cells,
    own_evidence,
    same_evidence,
)
from metrics.measures.package_rows import MATCHED, RowResult, is_better, meets, row_result, row_results
from metrics.measures.package_sources import Span
from metrics.measures.package_terms import ROWS, Package, package_on, packages
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


@dataclass(frozen=True)
class Kept:
    """The customers for whom a package row was met, those whose result is known, and all with the package."""

    met: int
    known: int
    customers: int


class _Judge:
    """Judges rows under the own package. The same evidence is judged once."""

    def __init__(self, connection: Connection) -> None:
        self.packages = packages(connection)
        self._share = assumed(connection, "package_share")
        self._known: dict[tuple[Any, ...], bool | None] = {}
        nothing = Evidence()
        self.tested = [
            [row for row in ROWS if row_result(row, package, nothing, self._share)] for package in self.packages
        ]
        """The rows of each package that can be tested."""

    def kept(self, row: str, number: int, sums: tuple[Any, ...]) -> bool | None:
        """Return the result of a tested row for the sums of `own_cells`."""
        key = (row, number, sums)
        if key not in self._known:
            package = self.packages[number]
            result = row_result(row, package, own_evidence(row, package, sums), self._share)
            self._known[key] = None if result is None else result.kept
        return self._known[key]


@cached_per_generation
def verdicts(
    connection: Connection, start: date | None, end: date | None
) -> dict[tuple[str, int], dict[str, bool | None]]:
    """Return the tested rows with evidence and their results, by customer and place of the package."""
    judge = _Judge(connection)
    found: dict[tuple[str, int], dict[str, bool | None]] = defaultdict(dict)
    for row, cells in own_cells(judge.packages, Span(start, end)).items():
        for customer_id, number, _, *sums in connection.execute(cells).all():
            cell = found[customer_id, number]
            if row in judge.tested[number]:
                cell[row] = judge.kept(row, number, tuple(sums))
    return found


@cached_per_generation
def row_counts(connection: Connection, span: Span) -> dict[tuple[date | None, Package], dict[str, Kept]]:
    """Return the results of each package row over all customers, by period and package that a customer had.

    Counts the attainments of `attainments_by_period`. With a grain, customers with the same evidence are counted by
    the warehouse, because each period judges every customer again.
    """
    judge = _Judge(connection)
    met: Counter[tuple[date | None, int, str]] = Counter()
    known: Counter[tuple[date | None, int, str]] = Counter()
    had: Counter[tuple[date | None, int]] = Counter()
    if span.grain is None:
        for (_, number), results in verdicts(connection, span.start, span.end).items():
            had[None, number] += 1
            for row, kept in results.items():
                met[None, number, row] += kept is True
                known[None, number, row] += kept is not None
    else:
        for row, number, period, *numbers, count in connection.execute(same_evidence(judge.packages, span)).all():
            if row is None:
                had[period, number] += count
            elif row in judge.tested[number]:
                kept = judge.kept(row, number, tuple(one for one in numbers if one is not None))
                met[period, number, row] += count if kept else 0
                known[period, number, row] += 0 if kept is None else count
    return {
        (period, judge.packages[number]): {
            row: Kept(met[period, number, row], known[period, number, row], count) for row in judge.tested[number]
        }
        for (period, number), count in sorted(had.items(), key=lambda item: (item[0][0] or date.min, item[0][1]))
    }


def fit_matrix(
    connection: Connection, start: date | None = None, end: date | None = None, *, pairing: Mapping[str, str] = PAIRING
) -> list[FitCell]:
    """Return every package by every zone. A customer counts under their latest segment.

    Customers without a package are left out.
    """
    customers, _ = zones(connection, start, end)
    verdicts_of: dict[str, list[bool]] = defaultdict(list)
    for (customer_id, _), rows in verdicts(connection, start, end).items():
        verdicts_of[customer_id] += [kept for kept in rows.values() if kept is not None]
    cells = []
    for segment in segments_with_package(connection):
        for zone in ZONES:
            inside = [customer for customer in customers if (customer.segment, customer.zone) == (segment, zone)]
            of_zone = [verdict for customer in inside for verdict in verdicts_of[customer.customer_id]]
            cells.append(
                FitCell(
                    segment,
                    zone,
                    pairing.get(zone) == segment,
                    len(inside),
                    sum((customer.sales for customer in inside), Decimal(0)),
                    sum((customer.cost_to_serve for customer in inside), Decimal(0)),
                    sum(of_zone),
                    len(of_zone),
                )
            )
    return cells


def segments_with_package(connection: Connection) -> list[str]:
    """Return the segments that have a package."""
    return sorted({package.segment for package in packages(connection)})


@cached_per_generation
def under_served(connection: Connection, start: date | None = None, end: date | None = None) -> list[Misfit]:
    """Return Protect customers with a missed package row, and their net sales in the period."""
    missed: dict[str, list[str]] = defaultdict(list)
    listed = packages(connection)

    def in_order(item: tuple[tuple[str, int], object]) -> tuple[str, date]:
        package = listed[item[0][1]]
        return package.segment, package.valid_from or date.min

    for (customer_id, _), results in sorted(verdicts(connection, start, end).items(), key=in_order):
        missed[customer_id] += [row for row in ROWS if results.get(row) is False]
    customers, _ = zones(connection, start, end)
    return [
        Misfit(customer, customer.sales, ", ".join(missed[customer.customer_id]))
        for customer in customers
        if customer.zone == PROTECT and missed[customer.customer_id]
    ]


@cached_per_generation
def over_served(connection: Connection, start: date | None = None, end: date | None = None) -> list[Misfit]:
    """Return Danger customers whose fill, lead time and delivery were as good as a better package.

    The amount is their cost to serve above the median of their own package outside Danger.
    """
    share = assumed(connection, "package_share")
    customers, _ = zones(connection, start, end)
    listed = packages(connection)
    in_force = [
        package
        for segment in segments_with_package(connection)
        if (package := package_on(listed, segment, end)) is not None
    ]
    better_than = {
        package: [other for other in in_force if is_better(other, package)]
        for segment in {customer.segment for customer in customers}
        if (package := package_on(listed, segment, end)) is not None
    }
    of_segment = {package.segment: package for package, better in better_than.items() if better}
    danger = [customer for customer in customers if customer.zone == DANGER and customer.segment in of_segment]
    together: dict[str, Evidence] = defaultdict(Evidence)
    among = [customer.customer_id for customer in danger]
    for (customer_id, _), got in evidence(connection, start, end, customers=among, rows=MATCHED).items():
        together[customer_id] += got
    costs: dict[str | None, list[Decimal]] = defaultdict(list)
    for customer in customers:
        if customer.zone != DANGER:
            costs[customer.segment].append(customer.cost_to_serve)
    medians = {segment: median(amounts) for segment, amounts in costs.items()}
    misfits = []
    for customer in danger:
        better = [
            other
            for other in better_than[of_segment[customer.segment]]
            if meets(other, together[customer.customer_id], share)
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
