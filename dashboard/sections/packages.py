"""Sections of the packages page: commitments met by row and segment, packages against zones, misfits a year."""

from collections import defaultdict

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.sentences import Phrase, Sentence
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links
from dashboard.measure_page import crm_steps
from dashboard.measure_page.cells import customer_cell
from dashboard.measure_page.commitments import commitment
from dashboard.measure_page.headline import headline, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import MeasureView, answers_by
from metrics.measures.catalog import MEASURES
from metrics.measures.customer_zones import ZONES
from metrics.measures.package_fit import (
    FitCell,
    Kept,
    Misfit,
    days_of_period,
    fit_matrix,
    over_served,
    row_counts,
    under_served,
)
from metrics.measures.package_sources import Span
from metrics.measures.package_terms import ROWS, Package
from metrics.model.measure import Unit
from metrics.model.question import Answer
from metrics.model.share import share
from metrics.model.statistics import DAYS_A_YEAR

MISFITS_SHOWN = 15


def packages_headline(view: MeasureView) -> bool:
    """Draw the headline and the tiles; return False if there is nothing to show."""
    answers = view.answers
    if nothing_to_show(view, view.main, "package commitments"):
        return False
    met, known = number(answers, view.main), number(answers, view.main, part="out_of")
    at_stake = answers["under_served_protect"].value
    with theme.card("headline"):
        headline(
            view,
            (met, " of ", known, " package commitments were met."),
            _most_missed(view),
            _package_fit(view),
            ("Under-served Protect customers: ", number(answers, "under_served_protect"), " annual sales at risk.")
            if at_stake
            else (),
            worst_segment(view, view.main),
        )
        theme.show_html(crm_steps.crm_steps("packages"))
    tiles(view)
    return True


def _most_missed(view: MeasureView) -> Sentence:
    missed = next(iter(_by_row(view)), None)
    if missed is None or missed.value is None or float(missed.value) >= 1:
        return ()
    row = missed.dimensions["package_row"] or ""
    share = number({view.main: missed}, view.main, at=("package_row", row))
    return f"Most often missed: {row.lower()}, met for ", share, " of customers."


def _package_fit(view: MeasureView) -> Sentence:
    fits = view.answers["package_fit"]
    if fits.value is None:
        return ()
    have = formatting.agreeing(fits.numerator, "has", "have")
    count = f"{formatting.number(fits.numerator)} of {formatting.number(fits.denominator)} customers"
    return Phrase(count, url=links.drill_down_url("package_fit")), f" {have} the package that suits their zone."


def _by_row(view: MeasureView) -> list[Answer]:
    """Return the share of commitments met by package row, the lowest first and unknown shares last."""
    found = answers_by(view, (view.main,), "package_row")
    return sorted(found, key=lambda one: (one.value is None, one.value or 0, str(one.dimensions["package_row"])))


def rows_kept(view: MeasureView) -> None:
    """Draw the share of commitments met by package row, the lowest first."""
    known = [one for one in _by_row(view) if one.value is not None]
    if not known:
        return
    with theme.card("rows_kept"):
        st.header("Commitments met by package row", anchor=False)
        bars = [
            Bar(
                str(one.dimensions["package_row"]),
                float(one.value or 0),
                f"{cards.value(one, MEASURES[view.main])} · {formatting.number(one.numerator)} of "
                f"{formatting.number(one.denominator)}",
            )
            for one in known
        ]
        alternative = "; ".join(f"{bar.name} {bar.label}" for bar in bars)
        chart_download.export_chart(
            chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
            key="rows_kept_chart",
            alternative=alternative,
            title="Package commitments met, of those with evidence",
        )
        st.caption("Customers for whom the commitment was met, of those with evidence.")


def promised_and_delivered(view: MeasureView) -> None:
    """Draw the commitments of each package, and how many customers got them."""
    found = queries.cached(row_counts, view.generation, Span(view.filters.start, view.filters.end))
    st.header("Commitments and attainment", anchor=False)
    if not found:
        theme.show_html(
            cards.empty(
                "No customer had a package in this period",
                "Packages follow the segments of customers. Map the customers feed.",
            )
        )
        return
    kept: dict[tuple[str, str], list[Kept]] = defaultdict(list)
    packages: dict[str, Package] = {}
    for (_, package), results in found.items():
        packages[package.segment] = package  # of several versions the last in force
        for row, result in results.items():
            kept[package.segment, row].append(result)
    segments = sorted(packages)
    rows = [
        [
            Cell(row),
            *(
                _cell(segment, row, kept[segment, row], commitment(packages[segment], row), view)
                for segment in segments
            ),
        ]
        for row in ROWS
    ]
    theme.show_html(
        tables.table(
            ("Commitment", *[f"Package {one}" for one in segments]),
            rows,
            caption="Service packages, and customers for whom each commitment was met",
        )
    )
    st.caption(
        "Customers for whom the commitment was met, of those with evidence. Commitments without evidence are excluded, "
        "such as a delivery hour if only the date is known."
    )


def _cell(segment: str, row: str, results: list[Kept], words: str, view: MeasureView) -> Cell:
    met, known, everyone = (sum(getattr(one, name) for one in results) for name in ("met", "known", "customers"))
    if not known:
        return Cell(words, small="unknown for all customers")
    unknown = f"; {formatting.integer(everyone - known)} unknown" if known < everyone else ""
    promised = (
        f"{formatting.integer(met)} of {formatting.count(known, 'customer')} "
        f"({formatting.share(share(met, known), 0)}){unknown}"
    )
    if view.filters.where:  # filters narrow the drill-down, but not this table
        return Cell(words, small=promised)
    return Cell(
        markup=f"{formatting.html(words)}<span "
        f'class="bv-small">{_behind(view.main, promised, (("segment", segment), ("package_row", row)))}</span>'
    )


def _behind(measure: str, words: str, at: links.At = ()) -> str:
    """Return words as a link to the rows behind their number."""
    return (
        f'<a href="{formatting.html(links.drill_down_url(measure, at=at))}" target="_self">{formatting.html(words)}</a>'
    )


def fit(view: MeasureView) -> None:
    """Draw packages against zones, and the under-served and over-served customers."""
    cells = queries.cached(fit_matrix, view.generation, view.filters.start, view.filters.end)
    st.header("Packages and zones", anchor=False)
    by_place = {(cell.segment, cell.zone): cell for cell in cells}
    segments = sorted({cell.segment for cell in cells})
    rows = [
        [Cell(f"Package {segment}"), *(_fit_cell(by_place[segment, zone]) for zone in ZONES)] for segment in segments
    ]
    theme.show_html(tables.table(("", *ZONES), rows, caption="Packages against zones: customers and net sales"))
    st.caption(
        "◎ marks the expected pairing: Protect A, Build and Cost engineer B, Danger C. This is Buyerview's default."
    )
    under = queries.cached(under_served, view.generation, view.filters.start, view.filters.end)
    over = queries.cached(over_served, view.generation, view.filters.start, view.filters.end)
    days = queries.cached(days_of_period, view.generation, view.filters.start, view.filters.end)
    _misfits(
        view,
        "Under-served Protect customers",
        under,
        days,
        "Net sales at risk a year",
        "All commitments with evidence were met for every Protect customer.",
    )
    _misfits(
        view,
        "Over-served Danger customers",
        over,
        days,
        "Cost above median a year",
        "No Danger customer was served like a better package.",
    )


def _fit_cell(one: FitCell) -> Cell:
    if not one.customers:
        return Cell("◎" if one.expected else formatting.DASH)
    kept = f" · {formatting.share(share(one.kept, one.known), 0)} met" if one.known else ""
    mark = "◎ " if one.expected else ""
    return Cell(
        f"{mark}{formatting.count(one.customers, 'customer')}",
        small=f"{formatting.number(one.sales, Unit.MONEY)} sales{kept}",
    )


def _misfits(view: MeasureView, title: str, found: list[Misfit], days: int, amount: str, none: str) -> None:
    """Draw customers with the amount that the tile adds up. days: length of the period, to annualise its amounts."""
    st.subheader(title, anchor=False)
    if not found:
        st.caption(none)
        return
    ranked = sorted(found, key=lambda one: (-one.amount, one.customer.customer_id))
    rows = [
        [
            customer_cell(item.customer.customer_id, item.customer.segment, view.customer_names),
            Cell(
                formatting.number(item.amount * DAYS_A_YEAR / days, Unit.MONEY),
                small=f"{formatting.number(item.amount, Unit.MONEY)} in {formatting.count(days, 'day')}",
            ),
            Cell(item.why),
        ]
        for item in ranked[:MISFITS_SHOWN]
    ]
    theme.show_html(tables.table(("Customer", amount, "Why"), rows, caption=title, numeric=(1,)))
    if len(ranked) > MISFITS_SHOWN:
        st.caption(f"The {MISFITS_SHOWN} largest of {formatting.integer(len(ranked))}.")
