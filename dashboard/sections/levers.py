"""Sections of the levers page: headline, choice of the place, and the ranked table."""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.components.sentences import Phrase, Sentence
from dashboard.components.status import Status
from dashboard.frame import page
from dashboard.frame.filters import Filters
from dashboard.measure_page.headline import headline_card
from dashboard.orders.levers import PLACES, levers_in_view, levers_table, name_of
from metrics.measures.catalog import MEASURES
from metrics.queries.levers import ALL, NOT_A_VALUE, Lever, Levers, top, without

SIZE = 25
ANY = "any"
CHOICES = {ANY: "Anywhere", **PLACES}
BEST = 3
NOTE = (
    "Orders: failed only because of this reason at this place. Without it, each of them is judged again, so the new "
    "share is exact. Unknown tests stay unknown. Rows with different reasons share no order. Value: ordered value. "
    "Cost so far: cases, replacements and goodwill. Lost margin: margin of the goods that were never received. "
    "The levers that make most orders perfect for certain are first."
)


def in_view(filters: Filters) -> Levers:
    """Return the levers of the orders in view."""
    return levers_in_view(page.generation(), filters)


def headline(found: Levers) -> str:
    """Return the best levers of different reasons and their common effect, as markup."""
    failed = formatting.count(found.failed, "failed order")
    single = Phrase(formatting.integer(found.failed - found.several), is_strong=True)
    sentences: list[Sentence] = [(single, f" of {failed} failed for one reason only.")]
    best = top(found, BEST)
    if best and found.whole.value is not None:
        gone = without(found.whole, sum(one.orders for one in best), sum(one.perfect for one in best))
        unit = MEASURES["perfect_order"].unit
        now, then = (formatting.number(one.value, unit) for one in (found.whole, gone))
        parts: list[Phrase | str] = []
        for one in best:
            parts += [*(["; "] if parts else []), Phrase(name_of(one.reason, one.dimension, one.of), is_strong=True)]
        many = f"the best levers of {len(best)} reasons" if len(best) > 1 else "the best lever"
        rise = (f"Perfect orders rise from {now} to ", Phrase(then, is_strong=True), f" without {many}: ")
        sentences.append((*rise, *parts, "."))
    return headline_card(Status.NO_TARGET, sentences)


def ranked(found: Levers) -> None:
    """Draw the choice of the place and the levers, those that make most orders perfect first."""
    chosen = page.select("Where", tuple(CHOICES), CHOICES, key="where", width=210)
    shown = _chosen(found, chosen)
    if not shown:
        theme.show_html(cards.empty("No levers", "No failed order in view failed for one reason only."))
        return
    number = int(st.session_state.get("levers_page", 1))
    first = (min(number, -(-len(shown) // SIZE)) - 1) * SIZE
    is_whole = chosen != ANY and len(shown) <= SIZE
    table = levers_table(
        found,
        shown[first : first + SIZE],
        caption="Levers, the largest first",
        is_whole=is_whole,
        is_page=len(shown) > SIZE,
    )
    theme.show_html(table)
    page.pager(len(shown), SIZE, key="levers_page", rows=lambda: [_in_file(one) for one in shown])
    st.caption(NOTE)


def _chosen(found: Levers, chosen: str) -> tuple[Lever, ...]:
    """Return the levers at a dimension, or (any) at all named values."""
    if chosen != ANY:
        return found.of_dimension(chosen)
    return tuple(one for one in found.levers if one.dimension != ALL and one.of not in NOT_A_VALUE)


def _in_file(lever: Lever) -> dict[str, object]:
    """Return a lever as a row of the list's file."""
    return {
        "reason": lever.reason,
        "dimension": lever.dimension,
        "dimension_value": lever.of,
        "orders": lever.orders,
        "perfect_orders": lever.perfect,
        "perfect_order_without": lever.without.value,
        "ordered_amount": lever.value,
        "recovery_cost": lever.cost,
        "lost_margin": lever.lost_margin,
    }
