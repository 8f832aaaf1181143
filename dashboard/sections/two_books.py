"""Sections of the reconciliation page: causes of disagreement, verdicts compared, disputed orders."""

import streamlit as st

from dashboard import queries
from dashboard.components import cards, chart_types, formatting, tables, theme
from dashboard.components.chart_types import Bar
from dashboard.components.sentences import Sentence
from dashboard.components.tables import Cell
from dashboard.frame import chart_download, list_file, page
from dashboard.measure_page.cells import VERDICT_WORDS, order_cell
from dashboard.measure_page.headline import headline, missing_feeds, nothing_to_show, number, worst_segment
from dashboard.measure_page.tiles import tiles
from dashboard.measure_page.view import MeasureView, answers_by
from metrics.facts.two_books import CAUSES
from metrics.lists import two_books as lists
from metrics.lists.rows import Row
from metrics.model.measure import Unit

SIZE = 12


def two_books_headline(view: MeasureView) -> None:
    """Draw the headline and the tiles."""
    answers = view.answers
    if nothing_to_show(view, "books_matched", "buyer's scorecards"):
        return
    with theme.card("headline"):
        headline(
            view,
            (
                "The buyer's verdict and ours agree on ",
                number(answers, view.main),
                " of the orders in both scorecards.",
            ),
            _disputes(view),
            _fine(view),
            worst_segment(view, view.main),
        )
    tiles(view)


def _disputes(view: MeasureView) -> Sentence:
    answers = view.answers
    if not answers["books_dispute"].value:
        return ("The scorecards differ on no order.",)
    orders = number(answers, "books_dispute")
    noun = formatting.agreeing(answers["books_dispute"].value, " order", " orders")
    if not answers["failed_value_disputed"].value:
        return "They differ in day, quantity, deadline or verdict on ", orders, f"{noun}."
    value, failed = number(answers, "failed_value_disputed"), number(answers, "failed_value_by_buyer")
    return (
        "They differ in day, quantity, deadline or verdict on ", orders, f"{noun}, with ", value, " of the ", failed,
        " of goods that failed by the buyer's scorecard.",
    )  # fmt: skip


def _fine(view: MeasureView) -> Sentence:
    if not view.answers["fine_at_stake"].value:
        return ()
    disputed, fine = number(view.answers, "fine_disputed"), number(view.answers, "fine_at_stake")
    return disputed, " of the fine of ", fine, " is disputed."


def causes(view: MeasureView) -> None:
    """Draw the disputed orders by their first difference."""
    st.header("Cause of disagreement", anchor=False)
    if missing_feeds("buyer_scorecards"):
        return
    asked = answers_by(view, ("books_dispute", "failed_value_disputed"), "cause")
    found = {(question.dimensions["cause"], question.measure): question for question in asked}
    counts = {
        cause: int(found[cause, "books_dispute"].value or 0) for cause in CAUSES if (cause, "books_dispute") in found
    }
    if not sum(counts.values()):
        theme.show_html(
            cards.empty(
                "No disputed orders",
                "No order in both scorecards differs in receipt day, quantity, deadline or verdict.",
            )
        )
        return
    bars = []
    for cause, count in sorted(counts.items(), key=lambda one: -one[1]):
        amount = found[cause, "failed_value_disputed"].value if (cause, "failed_value_disputed") in found else None
        worth = f" · {formatting.number(amount, Unit.MONEY)} failing" if amount else ""
        bars.append(
            Bar(formatting.in_words(cause), count, f"{formatting.count(count, 'order')}{worth}", tone="watch-strong")
        )
    alternative = "Disputed orders by cause: " + "; ".join(f"{bar.name} {bar.label}" for bar in bars)
    chart_download.export_chart(
        chart_types.bar_chart(bars, is_dark=theme.is_dark()),
        key="causes_chart",
        alternative=alternative,
        title="Disputed orders by cause",
    )
    st.caption(
        "An order counts under its first difference: receipt day, quantity, deadline, verdict. Amount: goods that "
        "failed by the buyer's scorecard."
    )


def verdicts(view: MeasureView) -> None:
    """Draw the orders in both scorecards by both verdicts."""
    st.header("Both verdicts", anchor=False)
    if missing_feeds("buyer_scorecards"):
        return
    found = queries.cached(lists.verdicts, view.generation, view.question)
    if not found:
        theme.show_html(
            cards.empty(
                "No order in both scorecards", "No order of this period is in both scorecards. Choose another period."
            )
        )
        return
    counts = {(row["our_verdict"], row["their_verdict"]): int(row["orders"]) for row in found}
    rows = [
        [
            Cell(f"Ours: {VERDICT_WORDS[ours]}"),
            *(
                Cell(formatting.integer(counts.get((ours, theirs), 0)), flagged=_differ(ours, theirs, counts))
                for theirs in VERDICT_WORDS
            ),
        ]
        for ours in VERDICT_WORDS
    ]
    heads = ("", *[f"Theirs: {words}" for words in VERDICT_WORDS.values()])
    theme.show_html(
        tables.table(heads, rows, caption="Orders in both scorecards by our verdict and the buyer's", numeric=(1, 2, 3))
    )
    st.caption("On time in full by our verdict and by the buyer's scorecard. Differences are marked.")


def _differ(ours: bool | None, theirs: bool | None, counts: dict[tuple[bool | None, bool | None], int]) -> bool:
    return None not in (ours, theirs) and ours != theirs and bool(counts.get((ours, theirs)))


def disputed_orders(view: MeasureView) -> None:
    """Draw the disputed orders with the difference in both scorecards."""
    st.header("Disputed orders", anchor=False)
    if missing_feeds("buyer_scorecards"):
        return
    at = int(st.session_state.get("disputed_page", 1))
    found = queries.cached(lists.disputed, view.generation, view.question, page=at, size=SIZE)
    names = view.customer_names
    if not found.total:
        theme.show_html(cards.empty("No disputed orders", "Both scorecards agree on all orders they share."))
        return
    rows = [
        [
            order_cell(row, names),
            Cell(formatting.day(row["due_day"])),
            Cell(formatting.in_words(row["cause"])),
            *(_says(row, book) for book in ("our", "their")),
            Cell(formatting.number(row["failing_amount"], Unit.MONEY) if row["failing_amount"] else formatting.DASH),
        ]
        for row in found.rows
    ]
    heads = ("Order", "Due", "Difference", "Ours", "Buyer's", "Failed goods")
    is_page = found.total > len(rows)
    theme.show_html(tables.table(heads, rows, caption="Disputed orders", numeric=(5,), is_page=is_page))
    page.pager(
        found.total,
        SIZE,
        key="disputed_page",
        rows=lambda: queries.read(lists.disputed, view.generation, view.question, size=list_file.FILE_ROWS).rows,
    )


def _says(row: Row, book: str) -> Cell:
    """Return the disputed value and the verdict of one scorecard."""
    words = {
        "receipt_day": f"received {formatting.day(row[f'{book}_receipt_day'])}",
        "quantity": f"{formatting.quantity(row[f'{book}_qty'])} received",
        "deadline": f"due {formatting.day(row[f'{book}_deadline_day'])}",
        "verdict": "",
    }[row["cause"]]
    verdict = VERDICT_WORDS[row[f"{book}_verdict"]]
    return Cell(words or verdict, small=verdict if words else "")
