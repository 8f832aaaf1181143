"""The pages in the menu's order. A page is one file under `pages/` and one entry here; a test finds a file this list
lacks.
"""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).resolve().parents[2] / "pages"
"""Beside `dashboard` both in the source tree and where the wheel is installed."""


@dataclass(frozen=True)
class Entry:
    """One page of the menu; `filtered`: the filter bar stands above it; `listed`: people go there from the menu, not
    only by links; `under`: the heading of the group it begins.
    """

    file: str
    title: str
    icon: str
    path: str
    says: str
    filtered: bool = True
    listed: bool = True
    under: str = ""
    measures: tuple[str, ...] = ()
    """Modules of `metrics.measures` whose measures the page lists."""
    main: str = ""
    """Measure of the headline."""
    tiles: tuple[str, ...] = ()
    """Measures of the tiles; the first is the largest."""


ENTRIES = (
    Entry(
        "scorecard.py",
        "Scorecard",
        ":material/speed:",
        "",
        "Is service good? For whom not, since when, and why?",
        under="Standing",
        main="perfect_order",
        tiles=(
            "perfect_order",
            "otif",
            "on_time",
            "complete",
            "damage_free",
            "filled_accurately",
            "billed_accurately",
            "cycle_days",
        ),
    ),
    Entry(
        "packages.py",
        "Segments and packages",
        ":material/inventory_2:",
        "packages",
        "What was promised to each segment, and what it got.",
        measures=("packages",),
        main="package_attainment",
        tiles=("package_attainment", "under_served_protect", "over_served_danger"),
    ),
    Entry(
        "profitability.py",
        "Profitability zones",
        ":material/donut_small:",
        "profitability",
        "Sales against cost to serve, customer by customer.",
        measures=("profitability", "zones", "danger_zone", "ordering_behaviour"),
        main="zone",
        tiles=("customer_profit", "net_sales_value", "cost_to_serve", "loss_making_customers"),
    ),
    Entry(
        "stockouts.py",
        "Stockouts",
        ":material/remove_shopping_cart:",
        "stockouts",
        "What happened to the buyer each time, and what it cost.",
        measures=("stockouts", "fill_rate"),
        main="stockout_rate",
        tiles=("stockout_rate", "stockout_events", "stockout_unit_cost", "stockout_total_cost"),
    ),
    Entry(
        "buyers_view.py",
        "Buyer's view",
        ":material/person_check:",
        "buyers-view",
        "The five tests and the perfect order.",
        under="Measures",
        measures=("buyers_view", "alternative_standards"),
        main="perfect_order",
    ),
    Entry(
        "availability.py",
        "Availability",
        ":material/shelves:",
        "availability",
        "What I wanted, when, and how much; fills.",
        measures=("availability",),
        main="available_as_wanted",
    ),
    Entry(
        "cycle_time.py",
        "Cycle time and promise",
        ":material/timer:",
        "cycle-time",
        "How long, how dependable, how padded.",
        measures=("cycle_time", "promises", "safety_stock"),
        main="cycle_days",
        tiles=("cycle_days", "cycle_sd", "beyond_promise", "promise_kept"),
    ),
    Entry(
        "order_to_cash.py",
        "Order to cash",
        ":material/conversion_path:",
        "order-to-cash",
        "The 13 steps, and where the promise died.",
        measures=("order_to_cash",),
        main="order_to_cash_days",
        tiles=("order_to_cash_days", "work_in_progress", "promise_died", "terms_kept_by_buyer"),
    ),
    Entry(
        "communications.py",
        "Communications",
        ":material/forum:",
        "communications",
        "What buyers were told, in time and rightly.",
        measures=("communications", "responsiveness"),
        main="late_warned",
        tiles=("late_warned", "ack_on_time", "post_reply_on_time", "info_accurate"),
    ),
    Entry(
        "recovery.py",
        "Recovery and support",
        ":material/healing:",
        "recovery",
        "Failed, put right, came back? Cases and returns.",
        measures=("recovery", "post_sale_support"),
        main="recovered_share",
        tiles=("recovered_share", "failure_detected_by_us", "resolve_hours_p50", "reorder_30"),
    ),
    Entry(
        "influence.py",
        "Influence",
        ":material/tune:",
        "influence",
        "Inquiries, options offered and chosen.",
        measures=("influence",),
        main="quote_conversion",
        tiles=("quote_conversion", "quotes_answered", "quotes_with_choice", "quote_hours_p50"),
    ),
    Entry(
        "two_books.py",
        "Two books",
        ":material/balance:",
        "two-books",
        "Our verdicts against the buyer's own.",
        measures=("two_books",),
        main="books_agree",
        tiles=("books_agree", "books_matched", "books_dispute", "failed_value_disputed"),
    ),
    Entry(
        "failed_orders.py",
        "Failed orders",
        ":material/error:",
        "failed-orders",
        "Orders that failed the buyer: the list to work.",
        under="Daily work",
    ),
    Entry(
        "at_risk.py",
        "At risk now",
        ":material/warning:",
        "at-risk",
        "Open orders whose promise can no longer, or hardly, be kept.",
    ),
    Entry(
        "order_story.py",
        "Order story",
        ":material/timeline:",
        "order-story",
        "One order from inquiry to invoice.",
        filtered=False,
    ),
    Entry(
        "data_quality.py",
        "Data quality",
        ":material/verified:",
        "data-quality",
        "Runs, checks, what was rejected and why.",
        filtered=False,
    ),
    Entry(
        "export.py",
        "Explore and export",
        ":material/query_stats:",
        "export",
        "Any measures by any dimensions, as charts, table and file.",
        under="Analysis",
    ),
    Entry(
        "what_changed.py",
        "What changed",
        ":material/compare_arrows:",
        "what-changed",
        "Why a number moved between two periods.",
    ),
    Entry(
        "definition_ladder.py",
        "Definition ladder",
        ":material/stairs:",
        "ladder",
        "The same orders under ever stricter definitions; orders that flip.",
    ),
    Entry(
        "views_and_alerts.py",
        "Views and alerts",
        ":material/notifications:",
        "views-and-alerts",
        "What you look at again, and what reaches you by itself.",
        filtered=False,
    ),
    Entry(
        "definitions.py",
        "Definitions",
        ":material/menu_book:",
        "definitions",
        "What every number means.",
        filtered=False,
    ),
    Entry(
        "drill_down.py",
        "Behind the number",
        ":material/search:",
        "behind",
        "The rows a number is made of.",
        listed=False,
    ),
)


def build_pages() -> dict[str, st.Page]:  # type: ignore[valid-type]  # st.Page is a class with a lower-case home
    """The pages by path, for the menu and for links. (The menu is one list, its headings are `headings`: a sectioned
    one breaks list markup in Streamlit 1.67.)
    """
    return {
        entry.path: st.Page(
            FOLDER / entry.file,
            title=entry.title,
            icon=entry.icon,
            default=not entry.path,
            url_path=entry.path or None,
            help=entry.says,
            visibility="visible" if entry.listed else "hidden",
        )
        for entry in ENTRIES
    }


def headings() -> str:
    """The style that sets a heading above the first page of each group."""
    places = [(at, one.under) for at, one in enumerate((one for one in ENTRIES if one.listed), start=1) if one.under]
    return "".join(
        f'[data-testid="stSidebarNavItems"] > li:nth-child({at})::before{{content:"{under}"}}' for at, under in places
    )


def entry_of_file(name: str) -> Entry:
    """Return the entry of a page by the name of its file, such as "recovery"."""
    return next(one for one in ENTRIES if one.file == f"{name}.py")


def entry(title: str) -> Entry:
    """The entry of a page by its title."""
    return next(one for one in ENTRIES if one.title == title)


def link(path: str, label: str, *, query: dict[str, str] | None = None) -> None:
    """A link to another page, with the filters as they are."""
    st.page_link(
        st.session_state["_pages"][path],
        label=label,
        icon=":material/arrow_forward:",
        icon_position="right",
        query_params=query,
        width="content",
    )
