"""Terms of service packages: Table 8-1, and the packages that users define.

Source: docs/rules.md, service packages; R35 (valid on order day).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, Integer, and_, case, cast, literal, null, select

from metrics.schema import service_packages
from metrics.sql.dialects import Expression

QUALITY, FILL, LEAD_TIME, DELIVERY, TERMS, SUPPORT = (
    "Product quality", "Order fill", "Lead time", "Delivery time", "Payment terms", "Customer service support",
)  # fmt: skip

ROWS = (QUALITY, FILL, LEAD_TIME, DELIVERY, TERMS, SUPPORT)
"""The rows of Table 8-1."""

SEGMENTS = ("A", "B", "C")

TABLE_8_1 = {
    QUALITY: ("Less than 1%", "5%–10%", "10%–15%"),
    FILL: ("98%", "92%", "88%"),
    LEAD_TIME: ("3 days", "7 days", "14 days"),
    DELIVERY: ("Within 1 hour of request", "On day requested", "During week requested"),
    TERMS: ("4/10 net 30", "3/10 net 30", "2/10 net 30"),
    SUPPORT: ("Dedicated rep", "Next available rep", "Through Web site"),
}
"""Table 8-1 as printed, by row for segments A, B and C: hypothetical service offerings."""

WINDOWS = ("hour", "day", "week")
"""Delivery windows, from the shortest to the longest."""


@dataclass(frozen=True)
class Package:
    """The terms of a segment from a day on (None: always).

    defect_below: the share must be below its limit; otherwise it may equal the limit.
    """

    segment: str
    valid_from: date | None
    defect_share_max: Decimal | None
    order_fill_min: Decimal | None
    lead_time_days_max: int | None
    delivery_window: str | None
    payment_terms: str | None
    support_level: str | None
    defect_below: bool = False


DEFAULT_PACKAGES = (
    Package("A", None, Decimal("0.01"), Decimal("0.98"), 3, "hour", "4/10 net 30", "dedicated_rep", defect_below=True),
    Package("B", None, Decimal("0.10"), Decimal("0.92"), 7, "day", "3/10 net 30", "next_available_rep"),
    Package("C", None, Decimal("0.15"), Decimal("0.88"), 14, "week", "2/10 net 30", "web"),
)
"""Table 8-1, used where no row of `service_packages` applies. A defect share better than the band passes: B's 5 to 10%
means at most 10%.
"""


def packages(connection: Connection) -> list[Package]:
    """Return every package: first the defaults, then those of `service_packages` by start day."""
    p = service_packages.c
    names = (
        "valid_from",
        "defect_share_max",
        "order_fill_min",
        "lead_time_days_max",
        "delivery_window",
        "payment_terms",
        "support_level",
    )
    rows = (
        select(p.service_segment.label("segment"), *[p[name] for name in names])
        .where(~p.deleted)
        .order_by(p.valid_from, p.service_segment)
    )
    return [*DEFAULT_PACKAGES, *[Package(**dict(row)) for row in connection.execute(rows).mappings()]]


def written_terms(package: Package) -> str | None:
    """Return the payment terms of a package as they are compared: without outer spaces and in lower case."""
    return None if package.payment_terms is None else package.payment_terms.strip().lower()


def package_on(listed: Sequence[Package], segment: str, day: date | None) -> Package | None:
    """Return the package of a segment on a day (None: the newest), or None for a segment without a package."""
    able = [
        package
        for package in listed
        if package.segment == segment and (package.valid_from is None or day is None or package.valid_from <= day)
    ]
    return able[-1] if able else None


def package_number(listed: Sequence[Package], segment: Expression, day: Expression) -> Expression:
    """Return the place in `listed` of the package of each row's segment and day; null without a package."""
    newest_first = [(place, package) for place, package in enumerate(listed)][::-1]
    applies_ = [
        (
            segment == package.segment
            if package.valid_from is None
            else and_(segment == package.segment, day >= package.valid_from),
            literal(place, Integer),
        )
        for place, package in newest_first
    ]
    return case(*applies_, else_=cast(null(), Integer))
