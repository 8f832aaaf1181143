"""The parts of the packages page: Table 8-1 with how many customers got each row, and packages against zones in money."""

from collections import defaultdict

import streamlit as st

from dashboard import cards, data, look, page, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.tables import Cell
from metrics.measure import Unit
from metrics.package_evidence import ROWS, Package
from metrics.packages import Attainment, FitCell, Misfit
from metrics.zones import ZONES

MISFITS_SHOWN = 15


def promised(filters: Filters) -> None:
    """Draw what each segment is promised and how many of its customers got it."""
    found: list[Attainment] = data.study(page.generation(), "attainments", filters.start, filters.end)
    st.header("What was promised, and what was kept", anchor=False)
    if not found:
        look.html(cards.empty("No customer had a package in this period", "Packages go by the customers' segments: map the customers feed."))
        return
    kept: dict[tuple[str, str], list[bool | None]] = defaultdict(list)
    packages: dict[str, Package] = {}
    for one in found:
        packages[one.package.segment] = one.package  # of several versions the last in force
        for row in one.rows:
            kept[one.package.segment, row.row].append(row.kept)
    segments = sorted(packages)
    rows = [[Cell(row), *(_cell(kept[segment, row], _words(packages[segment], row)) for segment in segments)] for row in ROWS]
    look.html(tables.table(("Row", *[f"Package {one}" for one in segments]), rows, caption="Service packages and the customers that got each row"))
    st.caption("Customers that got the row, of those where it is known. What cannot be told, such as a delivery hour from a bare date, is left out.")


def _cell(kept: list[bool | None], words: str) -> Cell:
    known = [one for one in kept if one is not None]
    if not known:
        return Cell(words, small="not known for any customer")
    unknown = f"; {len(kept) - len(known)} not known" if len(known) < len(kept) else ""
    return Cell(words, small=f"{sum(known)} of {len(known)} customers ({sum(known) / len(known):.0%}){unknown}")


def _words(package: Package, row: str) -> str:
    """What the package promises in a row."""
    limit = package.defect_share_max
    said = {
        "Product quality": None if limit is None else f"{'less than' if package.defect_below else 'at most'} {limit:.1%} defects",
        "Order fill": None if package.order_fill_min is None else f"{package.order_fill_min:.0%}",
        "Lead time": None if package.lead_time_days_max is None else fmt.count(package.lead_time_days_max, "day"),
        "Delivery time": {"hour": "within 1 hour of request", "day": "on the day requested", "week": "in the week requested"}.get(
            package.delivery_window or ""
        ),
        "Payment terms": package.payment_terms,
        "Customer service support": {"dedicated_rep": "dedicated rep", "next_available_rep": "next available rep", "web": "through the web site"}.get(
            package.support_level or ""
        ),
    }
    return said[row] or "nothing promised"


def fit(filters: Filters) -> None:
    """Draw packages against zones in money, and the customers served worse or better than their zone calls for."""
    cells: list[FitCell] = data.study(page.generation(), "fit_matrix", filters.start, filters.end)
    st.header("Do packages fit the customers?", anchor=False)
    by_place = {(one.segment, one.zone): one for one in cells}
    segments = sorted({one.segment for one in cells})
    rows = [[Cell(f"Package {segment}"), *(_fit_cell(by_place[segment, zone]) for zone in ZONES)] for segment in segments]
    look.html(tables.table(("", *ZONES), rows, caption="Packages against zones: customers and net sales"))
    st.caption("◎ marks the pairing expected: Protect A, Build and Cost engineer B, Danger C. That is the product's default, not the brief's.")
    under: list[Misfit] = data.study(page.generation(), "under_served", filters.start, filters.end)
    over: list[Misfit] = data.study(page.generation(), "over_served", filters.start, filters.end)
    _misfits("Under-served: Protect customers with a row missed", under, "Net sales at stake", "Every Protect customer got every row that is known.")
    _misfits("Over-served: Danger customers served like a better package", over, "Cost above the usual", "No Danger customer got a better package.")


def _fit_cell(one: FitCell) -> Cell:
    if not one.customers:
        return Cell("◎" if one.expected else fmt.DASH)
    kept = f" · {one.kept / one.known:.0%} of rows kept" if one.known else ""
    mark = "◎ " if one.expected else ""
    return Cell(f"{mark}{fmt.count(one.customers, 'customer')}", small=f"{fmt.number(one.sales, Unit.MONEY)} net sales{kept}")


def _misfits(title: str, found: list[Misfit], amount: str, none: str) -> None:
    st.subheader(title, anchor=False)
    if not found:
        st.caption(none)
        return
    ranked = sorted(found, key=lambda one: (-one.amount, one.customer.customer_id))
    rows = [
        [Cell(one.customer.customer_id, small=f"segment {one.customer.segment}"), Cell(fmt.number(one.amount, Unit.MONEY)), Cell(one.why)]
        for one in ranked[:MISFITS_SHOWN]
    ]
    look.html(tables.table(("Customer", amount, "Why"), rows, caption=title, numeric=(1,)))
    if len(ranked) > MISFITS_SHOWN:
        st.caption(f"The {MISFITS_SHOWN} largest of {fmt.written(len(ranked))}.")
