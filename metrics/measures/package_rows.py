"""Results of service package rows (met, missed, unknown), and the comparison of packages.

Source: docs/rules.md, service packages; P3 (three values).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from metrics.measures.package_evidence import Evidence
from metrics.measures.package_terms import (
    DELIVERY,
    FILL,
    LEAD_TIME,
    QUALITY,
    ROWS,
    SUPPORT,
    TERMS,
    WINDOWS,
    Package,
    written_terms,
)

MATCHED = (FILL, LEAD_TIME, DELIVERY)
"""The rows in which one package can be better than another."""


@dataclass(frozen=True)
class RowResult:
    """One package row for one customer: met, missed or unknown (None).

    value: the share reached, of `n`. needed: the requirement in words.
    """

    row: str
    kept: bool | None
    value: Decimal | None
    n: int | Decimal
    needed: str


def row_results(package: Package, got: Evidence, share: Decimal) -> list[RowResult]:
    """Return every row of the package that can be tested.

    share: the share of orders that must meet lead time and delivery time. A row with unknowns is met (or missed) only
    if no unknown could change the result (P3).
    """
    results = [row_result(row, package, got, share) for row in ROWS]
    return [result for result in results if result is not None]


def row_result(row: str, package: Package, got: Evidence, share: Decimal) -> RowResult | None:
    """Return one row of the package; None if it cannot be tested."""
    if row == QUALITY:
        return _quality_kept(package, got)
    if row == FILL:
        words = "{:.0%} of orders at first pass"
        return _share_kept(FILL, package.order_fill_min, got.filled, got.fill_unknown, got.fill_orders, words)
    if row == LEAD_TIME:
        return _lead_time_kept(package, got, share)
    if row == DELIVERY:
        return _delivery_kept(package, got, share)
    return _terms_kept(package, got) if row == TERMS else _support_kept(package, got)


def _part(part: int | Decimal, whole: int | Decimal) -> Decimal | None:
    return Decimal(part) / Decimal(whole) if whole else None


def _at_least(true_n: int, unknown_n: int, n: int, needed: Decimal) -> bool | None:
    if not n:
        return None
    if true_n >= needed * n:
        return True
    return False if true_n + unknown_n < needed * n else None


def _share_kept(row: str, needed: Decimal | None, true_n: int, unknown_n: int, n: int, words: str) -> RowResult | None:
    if needed is None:
        return None
    return RowResult(
        row, _at_least(true_n, unknown_n, n, needed), _part(true_n, n - unknown_n), n, words.format(needed)
    )


def _quality_kept(package: Package, got: Evidence) -> RowResult | None:
    limit = package.defect_share_max
    if limit is None:
        return None
    most, least = (limit * got.received_qty, got.defect_qty)

    def passes(defects: Decimal) -> bool:
        return defects < most if package.defect_below else defects <= most

    met = None
    words = f"{'less than' if package.defect_below else 'at most'} {limit:.0%} of units"
    if len(got.base_units) > 1:  # quantities of several base units are never added up
        return RowResult(QUALITY, None, None, got.received_qty, f"{words}; received in several base units")
    if got.received_qty and passes(least + got.defect_unknown_qty):
        met = True
    elif got.received_qty and not passes(least):
        met = False
    return RowResult(QUALITY, met, _part(least, got.received_qty - got.defect_unknown_qty), got.received_qty, words)


def _lead_time_kept(package: Package, got: Evidence, share: Decimal) -> RowResult | None:
    limit = package.lead_time_days_max
    if limit is None:
        return None
    within_limit = sum(n for days, n in got.cycle_days.items() if days <= limit)
    n = got.cycle_days.total()
    return RowResult(
        LEAD_TIME,
        _at_least(within_limit, 0, n, share),
        _part(within_limit, n),
        n,
        f"{share:.0%} of orders within {limit} days",
    )


def _delivery_kept(package: Package, got: Evidence, share: Decimal) -> RowResult | None:
    window = package.delivery_window
    if window is None:
        return None
    unknown = got.hour_unknown if window == "hour" else 0
    words = {"hour": "within 1 hour of the request", "day": "on the day requested", "week": "in the week requested"}[
        window
    ]
    met = _at_least(got.in_window[window], unknown, got.requested, share)
    return RowResult(
        DELIVERY,
        met,
        _part(got.in_window[window], got.requested - unknown),
        got.requested,
        f"{share:.0%} of orders {words}",
    )


def _terms_kept(package: Package, got: Evidence) -> RowResult | None:
    if package.payment_terms is None:
        return None
    n, unknown = got.terms.total(), got.terms[None]
    right = got.terms[written_terms(package)]
    return RowResult(
        TERMS,
        _at_least(right, unknown, n, Decimal(1)),
        _part(right, n - unknown),
        n,
        f"every invoice {package.payment_terms}",
    )


def _support_kept(package: Package, got: Evidence) -> RowResult | None:
    """Judge customer service support. Support through the web site is not tested."""
    if package.support_level not in ("dedicated_rep", "next_available_rep"):
        return None
    own_rep = package.support_level == "dedicated_rep"
    right = got.acknowledged_with_rep if own_rep else got.acknowledged
    words = "a dedicated representative and every case acknowledged" if own_rep else "every case acknowledged"
    return RowResult(SUPPORT, _at_least(right, 0, got.cases, Decimal(1)), _part(right, got.cases), got.cases, words)


def is_better(package: Package, other: Package) -> bool:
    """Return True if one package promises no less fill, lead time and delivery than another, and more of one."""
    ours, theirs = _promised(package), _promised(other)
    if ours is None or theirs is None:
        return False
    return ours != theirs and all(one_s >= other_s for one_s, other_s in zip(ours, theirs, strict=True))


def _promised(package: Package) -> tuple[Decimal, Decimal, Decimal] | None:
    """Return fill, lead time and delivery as numbers; higher is better. None if one is not promised."""
    if package.order_fill_min is None or package.lead_time_days_max is None or package.delivery_window is None:
        return None
    return (
        package.order_fill_min,
        -Decimal(package.lead_time_days_max),
        -Decimal(WINDOWS.index(package.delivery_window)),
    )


def meets(package: Package, got: Evidence, share: Decimal) -> bool:
    """Return True if fill, lead time and delivery were all certainly as good as a package promises."""
    asked = replace(package, defect_share_max=None, payment_terms=None, support_level=None)
    results = row_results(asked, got, share)
    return len(results) == 3 and all(result.kept for result in results)
