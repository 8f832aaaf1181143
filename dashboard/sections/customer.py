"""Sections of the page for one customer: the choice of a customer, and the tables of the review."""

from dataclasses import replace

import streamlit as st

from dashboard.components import cards, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import links, menu, page
from dashboard.frame.filters import Filters
from dashboard.measure_page.cells import link_cell
from dashboard.sections import customer_review
from dashboard.sections.customer_review import Item, Review, Section

MORE = {"open": ("at-risk", "Open orders at risk"), "failed": ("failed-orders", "Open the failed orders")}
"""Sections whose whole list is a page: its path and the label of the link."""


def choose_customer(filters: Filters) -> None:
    """Draw the largest customers in view, to choose one."""
    found = customer_review.largest_customers(page.generation(), filters)
    with theme.card("choose"):
        theme.show_html(
            cards.empty(
                "Choose one customer", "Type a name or number in the search field (key /), or choose one below."
            )
        )
        if not found:
            return
        rows = [
            [
                replace(
                    link_cell(row["name"] or row["customer"], links.customer_url(row["customer"])),
                    small=row["customer"] if row["name"] else "",
                ),
                Cell(formatting.integer(row.get("judged_orders", 0))),
                Cell(formatting.integer(row.get("failed_orders", 0))),
            ]
            for row in found
        ]
        heads = ("Customer", "Judged orders", "Failed orders")
        theme.show_html(tables.table(heads, rows, caption="Customers with most judged orders", numeric=(1, 2)))


def section_tables(review: Review, *, empty: bool) -> None:
    """Draw all tables of a customer, two next to each other where both are narrow. empty: draw empty tables too."""
    found = {section.key: section for section in customer_review.sections(review) if section.rows or empty}
    for pair in (("package", "contract"), ("open",), ("failed",), ("recoveries", "zone"), ("books",), ("disputed",)):
        names = [name for name in pair if name in found]
        if not names:
            continue
        for place, name in zip(st.columns(len(names), gap="small"), names, strict=True):
            with place, theme.card(f"customer_{name}", height="stretch"):
                _draw(found[name])


def _draw(section: Section) -> None:
    st.header(section.title, anchor=False)
    if not section.rows:
        theme.show_html(cards.empty(*map(formatting.html, section.empty)))
        return
    rows = [[_cell(item) for item in row] for row in section.rows]
    theme.show_html(tables.table(section.heads, rows, caption=section.title, numeric=section.numeric))
    st.caption(section.note)
    if section.key in MORE:
        menu.link(*MORE[section.key], query={"show": "all"})


def _cell(item: Item) -> Cell:
    return link_cell(item.text, item.url) if item.url else Cell(item.text)
