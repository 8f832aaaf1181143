"""Sections of the definition ladder: the same orders under stricter and stricter definitions, and another policy."""

from dataclasses import asdict, replace
from decimal import Decimal
from itertools import pairwise

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.reasons import in_plain_words, reason
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, links, menu, page
from dashboard.frame.filters import Filters
from dashboard.measure_page.headline import as_sentence
from metrics.lists.failed_orders import order_counts
from metrics.model.measure import Unit
from metrics.model.point import INCONCLUSIVE, range_of
from metrics.policy import STRICT, Policy, Timing
from metrics.queries.definition_ladder import Ladder, Level, definition_ladder
from metrics.queries.policy_diff import VERDICTS, Diff, policy_diff
from metrics.queries.what_if import View

SIZE = 25
TITLES = {
    "otif": "On time in full", "on_time": "On time", "complete": "Complete", "damage_free": "Damage free",
    "filled_accurately": "Filled accurately", "billed_accurately": "Billed accurately",
    "perfect_order": "Perfect order",
}  # fmt: skip
SAYS = {True: "good", False: "failed", None: "unknown"}


def _view(filters: Filters) -> View:
    return View(filters.start, filters.end, filters.where)


def has_orders(filters: Filters) -> bool:
    """Return whether any order in view is judged."""
    counts = queries.cached(order_counts, page.generation(), start=filters.start, end=filters.end, where=filters.where)
    return counts["judged"] > 0


def ladder(filters: Filters) -> Ladder:
    """Return the ladder of the orders in view."""
    with st.spinner("Judging the orders by ten definitions …"):
        return queries.shared(definition_ladder, page.generation(), view=_view(filters))


def _known(found: Ladder) -> list[Level]:
    return [step for step in found.steps if not step.skipped and step.value is not None]


def headline(found: Ladder) -> str:
    """Return the headline: the share of good orders by the most lenient and by the strictest definition."""
    known = _known(found)
    if len(known) < 2:
        return cards.empty("No ladder", "Too few definitions can be tested on the orders in view.")
    first, last = known[0], known[-1]
    steepest = max(pairwise(known), key=lambda pair: (pair[0].value or 0) - (pair[1].value or 0))
    lost = (steepest[0].value or 0) - (steepest[1].value or 0)
    strictest = "the strictest" if last is found.steps[-1] else f"the strictest with enough evidence ({last.rung.name})"
    text = (
        f"The same {formatting.count(found.orders, 'order')} are "
        f"<strong>{formatting.number(first.value, Unit.SHARE)}</strong> good by the most lenient definition "
        f"and <strong>{formatting.number(last.value, Unit.SHARE)}</strong> by {strictest}."
    )
    if lost > 0:
        text += (
            f" The largest drop, {formatting.difference(lost, Unit.SHARE)}, comes with {steepest[1].rung.name}: "
            f"{formatting.html(steepest[1].rung.adds)}."
        )
    return f'<div class="bv bv-headline"><span>{text}</span></div>'


def ladder_steps(found: Ladder) -> None:
    """Draw the share of good orders by definition as bars."""
    known = _known(found)
    if not known:
        return
    bars = []
    for at, step in enumerate(known):
        lost = (known[at - 1].value or 0) - (step.value or 0) if at else 0
        less = f" · {formatting.MINUS}{formatting.difference(lost, Unit.SHARE)}" if lost >= 5e-4 else ""
        bars.append(
            Bar(
                step.rung.name,
                step.value or 0,
                f"{formatting.number(step.value, Unit.SHARE)}{less}",
                note=step.rung.adds,
            )
        )
    alternative = "Good orders by definition, the most lenient first: " + "; ".join(
        f"{bar.name} {bar.note}: {bar.label}" for bar in bars
    )
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark(), high=1),
        key="ladder_chart",
        alternative=alternative,
        title="Good orders by definition",
    )


def table(found: Ladder) -> str:
    """Return the ladder as a table, one row per level."""
    rows: list[list[Cell | str]] = []
    for step in found.steps:
        name = Cell(step.rung.name, small=step.rung.adds)
        if step.skipped:
            rows.append([name, Cell(step.rung.base), Cell(formatting.DASH, small=step.skipped), "", "", ""])
            continue
        low, high = step.interval or (None, None)
        within = (
            f"{formatting.percent(low)} – {formatting.percent(high)}" if low is not None and high is not None else ""
        )
        of = f"{formatting.integer(step.numerator)} of {formatting.integer(step.denominator)}"
        rows.append(
            [name, Cell(step.rung.base), _good(step), Cell(of), Cell(formatting.integer(step.unknown)), Cell(within)]
        )
    heads = ("Level adds", "Out of", "Good", "Orders", "Unknown", "95% interval")
    return tables.table(
        heads, rows, caption="The same orders under stricter and stricter definitions", numeric=(2, 3, 4, 5)
    )


def _good(step: Level) -> Cell:
    """Return the rate of a level, or its range and the word "inconclusive"."""
    bounds = range_of(step.answer)
    if bounds is None:
        return Cell(formatting.number(step.value, Unit.SHARE))
    return Cell(formatting.percent_range(*bounds), small=INCONCLUSIVE)


def policy() -> tuple[Policy, str]:
    """Draw the choice of another policy and a verdict, and return both."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        verdict = page.select(
            "Verdict", ("otif", *[name for name in VERDICTS if name != "otif"]), TITLES, key="verdict", width=190
        )
        late = int(st.number_input("Days of tolerance", 0, 30, 1, key="late_days", width=150))
        under = float(st.number_input("Tolerated shortage, %", 0.0, 50.0, 0.0, step=0.5, key="under", width=170))
        early = st.toggle("Early receipt fails", key="window")
    chosen = replace(
        STRICT,
        late_tolerance_days=late,
        under_tolerance_share=Decimal(str(round(under / 100, 6))),
        timing=Timing.WINDOW if early else Timing.DEADLINE,
    )
    return chosen, verdict


def compared_policies(filters: Filters, other: Policy, verdict: str) -> Diff:
    """Return the orders in view judged under the strict and under the other policy."""
    with st.spinner("Judging the orders again …"):
        return queries.shared(policy_diff, page.generation(), other, verdict=verdict, view=_view(filters))


def flips(found: Diff) -> None:
    """Draw both results on the same orders, and the orders whose verdict changes, with links to their timelines."""
    if found.no_data:
        theme.show_html(cards.empty("Nothing to compare", formatting.html(as_sentence(in_plain_words(found.no_data)))))
        return
    (before, after), (of_before, of_after) = found.numerators, found.denominators
    pairs = [
        ("Strict", f"{formatting.integer(before)} of {formatting.integer(of_before)}"),
        ("Under the other policy", f"{formatting.integer(after)} of {formatting.integer(of_after)}"),
        (
            "Orders whose verdict changes",
            f"{formatting.integer(len(found.flips))} of {formatting.integer(found.judged)}",
        ),
    ]
    if any(found.unknown):
        pairs.append(("Unknown", " → ".join(formatting.integer(orders) for orders in found.unknown)))
    if found.only_first or found.only_other:
        pairs.append(("Judged under one policy only", formatting.integer(found.only_first + found.only_other)))
    theme.show_html(tables.facts(pairs))
    if not found.flips:
        theme.show_html(cards.empty("No verdict changes", "Both policies give every order in view the same verdict."))
        return
    at = int(st.session_state.get("flips_page", 1))
    at = min(at, -(-len(found.flips) // SIZE))
    rows = [
        [
            Cell(
                markup=f'<a href="{formatting.html(links.order_story_url(flip.order_id))}" '
                f'target="_self">{formatting.html(flip.order_id)}</a>'
            ),
            Cell(f"{SAYS[flip.before]} → {SAYS[flip.after]}"),
            Cell(formatting.in_words(flip.rule)),
            Cell(reason(flip.reason_before or flip.reason_after)),
        ]
        for flip in found.flips[(at - 1) * SIZE : at * SIZE]
    ]
    theme.show_html(
        tables.table(
            ("Order", "Strict → other", "Deciding rule", "Reason"),
            rows,
            caption="Orders whose verdict changes",
            is_page=len(found.flips) > len(rows),
        )
    )
    page.pager(len(found.flips), SIZE, key="flips_page", rows=lambda: [asdict(flip) for flip in found.flips])
    menu.link("failed-orders", "Open the failed orders", query={"show": "all"})
