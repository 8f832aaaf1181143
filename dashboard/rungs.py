"""The parts of the ladder page: the same orders under ever stricter definitions, and the orders another policy flips."""

from dataclasses import replace
from decimal import Decimal

import streamlit as st

from dashboard import cards, data, look, menu, page, tables
from dashboard import format as fmt
from dashboard.filters import Filters
from dashboard.tables import Cell
from metrics.diff import VERDICTS, Diff
from metrics.ladder import Ladder
from metrics.measure import Unit
from metrics.policy import STRICT, Policy, Timing

FLIPS_SHOWN = 200
TITLES = {
    "otif": "On time in full", "on_time": "On time", "complete": "Complete", "damage_free": "Damage free",
    "filled_accurately": "Filled accurately", "billed_accurately": "Billed accurately", "perfect_order": "Perfect order",
}  # fmt: skip


def climb(filters: Filters) -> Ladder:
    """The ladder of the orders in view."""
    with st.spinner("Judging the same orders by ten definitions …"):
        found: Ladder = data.rungs(page.generation(), filters.start, filters.end, filters.where)
    return found


def table(found: Ladder) -> str:
    """One row per rung."""
    rows: list[list[Cell | str]] = []
    for step in found.steps:
        name = Cell(step.rung.name, small=step.rung.adds)
        if step.skipped:
            rows.append([name, Cell(step.rung.base), Cell(fmt.DASH, small=step.skipped), "", ""])
            continue
        low, high = step.interval or (None, None)
        within = f"{low:.1%} – {high:.1%}" if low is not None and high is not None else ""
        rows.append(
            [name, Cell(step.rung.base), Cell(fmt.number(step.value, Unit.SHARE)), Cell(f"{step.numerator:,} of {step.denominator:,}"), Cell(within)]
        )
    heads = ("Rung adds", "Out of", "Good", "Orders", "95 % interval")
    return tables.table(heads, rows, caption="The same orders under ever stricter definitions", numeric=(2, 3, 4))


def policy() -> tuple[Policy, str]:
    """Draw the choice of another policy and a verdict."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        verdict = page.pick("Verdict", ("otif", *[name for name in VERDICTS if name != "otif"]), TITLES, key="verdict", width=190)
        late = int(st.number_input("Days of tolerance", 0, 30, 1, key="late_days", width=150))
        under = float(st.number_input("Short by at most, %", 0.0, 50.0, 0.0, step=0.5, key="under", width=170))
        early = st.toggle("Too early fails too", key="window")
    chosen = replace(
        STRICT,
        late_tolerance_days=late,
        under_tolerance_share=Decimal(str(round(under / 100, 6))),
        timing=Timing.WINDOW if early else Timing.DEADLINE,
    )
    return chosen, verdict


def compared(filters: Filters, other: Policy, verdict: str) -> Diff:
    """The orders in view under the strict and the other policy."""
    with st.spinner("Judging the orders anew …"):
        found: Diff = data.flips(page.generation(), other, verdict, filters.start, filters.end, filters.where)
    return found


def flips(found: Diff) -> None:
    """Draw what the other policy changes: both results on the same orders (P10), and the orders that flip."""
    (before, after), (of_before, of_after) = found.numerators, found.denominators
    said = [
        ("Strict", f"{before:,} of {of_before:,}"),
        ("Under the other policy", f"{after:,} of {of_after:,}"),
        ("Orders that flip", f"{len(found.flips):,} of {found.judged:,}"),
    ]
    if found.only_first or found.only_other:
        said.append(("Judged under one alone", f"{found.only_first + found.only_other:,}"))
    look.html(tables.facts(said))
    if not found.flips:
        look.html(cards.empty("No order flips", "Both policies judge every order in view alike."))
        return
    words = {True: "good", False: "failed", None: "unknown"}
    rows = [
        [
            Cell(one.order_id),
            Cell(f"{words[one.before]} → {words[one.after]}"),
            Cell(one.rule.replace("_", " ")),
            Cell((one.reason_before or one.reason_after or "").replace("_", " ")),
        ]
        for one in found.flips[:FLIPS_SHOWN]
    ]
    look.html(tables.table(("Order", "Strict → other", "Rule that flips it", "Reason"), rows, caption="Orders that flip"))
    if len(found.flips) > FLIPS_SHOWN:
        st.caption(f"The first {FLIPS_SHOWN} of {len(found.flips):,}; `buyerview diff` lists all of them.")
    menu.link("failed-orders", "Open the failed orders")
