"""Evidence to judge service packages: sums per customer and package for each row of Table 8-1.

`package_sources.py` has the rows that are summed. Source: docs/rules.md, service packages.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Select,
    String,
    Subquery,
    cast,
    func,
    literal,
    select,
    union,
    union_all,
)

from metrics.measures.package_sources import SOURCES, Span
from metrics.measures.package_terms import (
    ROWS,
    Package,
    packages,
)
from metrics.schema import QTY
from metrics.sql.dialects import Expression, typed_null
from metrics.warehouse.query_cache import cached_per_generation


@dataclass(frozen=True)
class Evidence:
    """The evidence of one customer under one package in a period: counts of orders unless named otherwise, known and
    unknown.
    """

    received_qty: Decimal = Decimal(0)
    defect_qty: Decimal = Decimal(0)
    defect_unknown_qty: Decimal = Decimal(0)
    base_units: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    fill_unknown: int = 0
    fill_orders: int = 0
    cycle_days: Counter[int] = field(default_factory=Counter)
    in_window: Counter[str] = field(default_factory=Counter)
    hour_unknown: int = 0
    requested: int = 0
    terms: Counter[str | None] = field(default_factory=Counter)
    cases: int = 0
    acknowledged: int = 0
    acknowledged_with_rep: int = 0

    def __add__(self, other: "Evidence") -> "Evidence":
        """Add two pieces of evidence."""
        return Evidence(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


Cell = tuple[str, Package]
"""A customer and their package."""


def evidence(
    connection: Connection,
    start: date | None = None,
    end: date | None = None,
    *,
    customers: Collection[str] | None = None,
    rows: Collection[str] = ROWS,
) -> dict[Cell, Evidence]:
    """Return the evidence of every customer in the period; each sum uses its measure's own day.

    customers: read the evidence of these customers only. rows: read that of these package rows only.
    """
    only = None if customers is None else tuple(customers)
    return _evidence_by_period(connection, Span(start, end, customers=only), rows).get(None, {})


@cached_per_generation
def evidence_by_period(connection: Connection, span: Span) -> dict[date | None, dict[Cell, Evidence]]:
    """Return the evidence of each period, by its first day. The result equals a separate query of each period."""
    return _evidence_by_period(connection, span, ROWS)


def _evidence_by_period(
    connection: Connection, span: Span, rows: Collection[str]
) -> dict[date | None, dict[Cell, Evidence]]:
    listed = packages(connection)
    gathered: dict[date | None, dict[tuple[str, int], dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for row, source in SOURCES.items():
        if row not in rows:
            continue
        found = source.rows(listed, span)
        keys = (found.c[source.spread_over],) if source.spread_over else ()
        for customer_id, number, period, *values in connection.execute(
            _per_cell(found, source.sums(found.c), *keys)
        ).all():
            cell = gathered[period][customer_id, number]
            for name, value in source.fields(*values).items():  # adding up `Evidence` objects took half of the time
                if isinstance(value, dict):
                    cell.setdefault(name, Counter()).update(value)
                else:
                    cell[name] = value
    return {
        period: {(customer_id, listed[number]): Evidence(**cell) for (customer_id, number), cell in cells.items()}
        for period, cells in gathered.items()
    }


def _per_cell(rows: Subquery, sums: Sequence[Expression], *keys: Expression) -> Select[Any]:
    """Return the sums per customer, package and period of rows that have a package."""
    r = rows.c
    by = (r.customer_id, r.number, r.period, *keys)
    labelled = [one.label(f"sum_{place}") for place, one in enumerate(sums)]
    return select(*by, *labelled).where(r.number.is_not(None)).group_by(*by)


# --- evidence under the own package, which needs one row per customer and package ------------------------------------


def own_cells(listed: Sequence[Package], span: Span) -> dict[str, Select[Any]]:
    """Return a SELECT for each package row: customer, place of the package in `listed`, period, then sums.

    `own_evidence` reads the sums, which are all numbers. They suffice to judge the package itself, and no other one.
    """
    selects = {}
    for row, source in SOURCES.items():
        found = source.rows(listed, span)
        sums = source.sums(found.c) if source.own_sums is None else source.own_sums(found.c, listed)
        selects[row] = _per_cell(found, sums)
    return selects


def same_evidence(listed: Sequence[Package], span: Span) -> CompoundSelect[Any]:
    """Return the number of customers with the same sums of `own_cells`: row, place of the package, period, sums, count.

    Rows without a name count the customers of a package and period. Missing sums are null.
    """
    cells = {row: cell.cte(f"cells_{place}") for place, (row, cell) in enumerate(own_cells(listed, span).items())}
    sums = {row: [c for c in cell.c if c.name.startswith("sum_")] for row, cell in cells.items()}
    most = max(map(len, sums.values()))
    arms = []
    for row, cell in cells.items():
        numbers = [*[cast(one, QTY) for one in sums[row]], *[typed_null(QTY)] * (most - len(sums[row]))]
        arms.append(
            select(literal(row, String), cell.c.number, cell.c.period, *numbers, func.count()).group_by(
                cell.c.number, cell.c.period, *sums[row]
            )
        )
    everyone = union(*[select(cell.c.customer_id, cell.c.number, cell.c.period) for cell in cells.values()]).subquery()
    e = everyone.c
    nothing = [typed_null(QTY)] * most
    count = select(typed_null(String()), e.number, e.period, *nothing, func.count()).group_by(e.number, e.period)
    return union_all(*arms, count)


def own_evidence(row: str, package: Package, sums: Sequence[Any]) -> Evidence:
    """Return the sums of a row of `own_cells` as evidence under its package."""
    source = SOURCES[row]
    return Evidence(**(source.fields(*sums) if source.own_fields is None else source.own_fields(package, *sums)))
