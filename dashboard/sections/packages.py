"""The parts of the packages page: Table 8-1 with how many customers got each row, and packages against zones in money."""

from collections import defaultdict

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, page
from dashboard.frame.filters import Filters
from dashboard.measure_page import crm_steps, measure_table
from dashboard.measure_page import headline as glance
from dashboard.measure_page import trend as over_time
from metrics.measures.catalog import MEASURES
from metrics.measures.package_evidence import ROWS, Package
from metrics.measures.packages import FitCell, Misfit, attainments, fit_matrix, over_served, under_served
from metrics.measures.zones import ZONES
from metrics.model.measure import Unit
from metrics.model.question import Answer

MISFITS_SHOWN = 15
NAME = "packages"
MAIN = "package_attainment"
TILES = (MAIN, "under_served_protect", "over_served_danger")


def headline(filters: Filters) -> bool:
    """Draw the page in a few sentences, and its tiles; False where there is nothing to say."""
    answers = glance.answers_in_view(NAME, filters)
    if glance.nothing_to_show(answers, MAIN, filters, "package rows"):
        return False
    sentences = [
        f"{glance.number(answers, MAIN)} of what the packages promise was kept, of "
        f"{glance.number(answers, MAIN, part='out_of')} rows known."
    ]
    missed = _by_row(filters)
    if missed and missed[0].value is not None and float(missed[0].value) < 1:
        row = missed[0].dimensions["package_row"] or ""
        sentences.append(
            f"Missed most: {formatting.html(row.lower())}, kept for "
            f"{glance.number({MAIN: missed[0]}, MAIN, at=('package_row', row))} of customers."
        )
    fits = answers["package_fit"]
    if fits.value is not None:
        sentences.append(f"{_behind('package_fit', _out_of(fits))} have the package their zone calls for.")
    if answers["under_served_protect"].value:
        sentences.append(
            f"Protect customers served worse than promised buy for {glance.number(answers, 'under_served_protect')} a "
            "year."
        )
    with theme.card("said"):
        glance.headline_card(MAIN, answers, filters, *sentences, glance.worst(NAME, MAIN, filters))
        theme.show_html(crm_steps.crm_steps(NAME))
    glance.tiles(filters, TILES, answers)
    return True


def _by_row(filters: Filters) -> list[Answer]:
    """How far each row of the packages was kept, the least first; what is not known of any customer last."""
    found = measure_table.answers_for([MEASURES[MAIN]], filters, "package_row")
    return sorted(found, key=lambda one: (one.value is None, one.value or 0, str(one.dimensions["package_row"])))


def rows_kept(filters: Filters) -> None:
    """Draw how far each row of the packages was kept."""
    known = [one for one in _by_row(filters) if one.value is not None]
    if not known:
        return
    st.header("Which promise is missed most", anchor=False)
    bars = [
        Bar(
            str(one.dimensions["package_row"]),
            float(one.value or 0),
            f"{cards.value(one, MEASURES[MAIN])} · {formatting.number(one.numerator)} of "
            f"{formatting.number(one.denominator)}",
        )
        for one in known
    ]
    told = "; ".join(f"{one.name} {one.said}" for one in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="rows_kept_chart",
        alternative=told,
        title="Package rows kept, of those known",
    )
    st.caption("Customers that got the row, of those where it is known.")


def trend(filters: Filters) -> None:
    """Draw how far the packages were kept, period by period."""
    offered = over_time.with_trend((MAIN,), glance.answers_in_view(NAME, filters))
    if not offered:
        return
    with theme.card("trend"):
        # The very question of the tiles, and nothing to compare with: over a million orders each takes seconds.
        course = over_time.Trend(TILES, page.generation(), filters.period, filters.where, ())
        note = f"Each {filters.period.grain} is judged alone, and in less time fewer orders can break a row: "
        note += "compare the points with each other, not with the number above."
        over_time.trend_section(course, offered, {MAIN: MEASURES[MAIN].title}, note=note)


def _out_of(one: Answer) -> str:
    return f"{formatting.number(one.numerator)} of {formatting.number(one.denominator)} customers"


def promised_and_delivered(filters: Filters) -> None:
    """Draw what each segment is promised and how many of its customers got it."""
    found = queries.cached(attainments, page.generation(), filters.start, filters.end)
    st.header("What was promised, and what was kept", anchor=False)
    if not found:
        theme.show_html(
            cards.empty(
                "No customer had a package in this period",
                "Packages go by the customers' segments: map the customers feed.",
            )
        )
        return
    kept: dict[tuple[str, str], list[bool | None]] = defaultdict(list)
    packages: dict[str, Package] = {}
    for one in found:
        packages[one.package.segment] = one.package  # of several versions the last in force
        for row in one.rows:
            kept[one.package.segment, row.row].append(row.kept)
    segments = sorted(packages)
    rows = [
        [
            Cell(row),
            *(_cell(segment, row, kept[segment, row], _words(packages[segment], row), filters) for segment in segments),
        ]
        for row in ROWS
    ]
    theme.show_html(
        tables.table(
            ("Row", *[f"Package {one}" for one in segments]),
            rows,
            caption="Service packages and the customers that got each row",
        )
    )
    st.caption(
        "Customers that got the row, of those where it is known. What cannot be told, such as a delivery hour from a "
        "bare date, is left out."
    )


def _cell(segment: str, row: str, kept: list[bool | None], words: str, filters: Filters) -> Cell:
    known = [one for one in kept if one is not None]
    if not known:
        return Cell(words, small="not known for any customer")
    unknown = f"; {formatting.integer(len(kept) - len(known))} not known" if len(known) < len(kept) else ""
    told = (
        f"{formatting.integer(sum(known))} of {formatting.count(len(known), 'customer')} "
        f"({formatting.percent(sum(known) / len(known), 0)}){unknown}"
    )
    if filters.where:  # they narrow the number behind, but not this table
        return Cell(words, small=told)
    return Cell(
        markup=f"{formatting.html(words)}<span "
        f'class="bv-small">{_behind(MAIN, told, (("segment", segment), ("package_row", row)))}</span>'
    )


def _behind(measure: str, words: str, at: links.At = ()) -> str:
    """Words as a link to what is behind the number they tell."""
    return (
        f'<a href="{formatting.html(links.drill_down_url(measure, at=at))}" target="_self">{formatting.html(words)}</a>'
    )


def _words(package: Package, row: str) -> str:
    """What the package promises in a row."""
    limit = package.defect_share_max
    said = {
        "Product quality": None
        if limit is None
        else f"{'less than' if package.defect_below else 'at most'} {limit:.1%} defects",
        "Order fill": None if package.order_fill_min is None else f"{package.order_fill_min:.0%}",
        "Lead time": None
        if package.lead_time_days_max is None
        else formatting.count(package.lead_time_days_max, "day"),
        "Delivery time": {
            "hour": "within 1 hour of request",
            "day": "on the day requested",
            "week": "in the week requested",
        }.get(package.delivery_window or ""),
        "Payment terms": package.payment_terms,
        "Customer service support": {
            "dedicated_rep": "dedicated rep",
            "next_available_rep": "next available rep",
            "web": "through the web site",
        }.get(package.support_level or ""),
    }
    return said[row] or "nothing promised"


def fit(filters: Filters) -> None:
    """Draw packages against zones in money, and the customers served worse or better than their zone calls for."""
    cells = queries.cached(fit_matrix, page.generation(), filters.start, filters.end)
    st.header("Do packages fit the customers?", anchor=False)
    by_place = {(one.segment, one.zone): one for one in cells}
    segments = sorted({one.segment for one in cells})
    rows = [
        [Cell(f"Package {segment}"), *(_fit_cell(by_place[segment, zone]) for zone in ZONES)] for segment in segments
    ]
    theme.show_html(tables.table(("", *ZONES), rows, caption="Packages against zones: customers and net sales"))
    st.caption(
        "◎ marks the pairing expected: Protect A, Build and Cost engineer B, Danger C. That is the product's default, "
        "not the brief's."
    )
    under = queries.cached(under_served, page.generation(), filters.start, filters.end)
    over = queries.cached(over_served, page.generation(), filters.start, filters.end)
    _misfits(
        "Under-served: Protect customers with a row missed",
        under,
        "Net sales at stake",
        "Every Protect customer got every row that is known.",
    )
    _misfits(
        "Over-served: Danger customers served like a better package",
        over,
        "Cost above the usual",
        "No Danger customer got a better package.",
    )


def _fit_cell(one: FitCell) -> Cell:
    if not one.customers:
        return Cell("◎" if one.expected else formatting.DASH)
    kept = f" · {one.kept / one.known:.0%} of rows kept" if one.known else ""
    mark = "◎ " if one.expected else ""
    return Cell(
        f"{mark}{formatting.count(one.customers, 'customer')}",
        small=f"{formatting.number(one.sales, Unit.MONEY)} net sales{kept}",
    )


def _misfits(title: str, found: list[Misfit], amount: str, none: str) -> None:
    st.subheader(title, anchor=False)
    if not found:
        st.caption(none)
        return
    ranked = sorted(found, key=lambda one: (-one.amount, one.customer.customer_id))
    rows = [
        [
            Cell(one.customer.customer_id, small=f"segment {one.customer.segment}"),
            Cell(formatting.number(one.amount, Unit.MONEY)),
            Cell(one.why),
        ]
        for one in ranked[:MISFITS_SHOWN]
    ]
    theme.show_html(tables.table(("Customer", amount, "Why"), rows, caption=title, numeric=(1,)))
    if len(ranked) > MISFITS_SHOWN:
        st.caption(f"The {MISFITS_SHOWN} largest of {formatting.integer(len(ranked))}.")
