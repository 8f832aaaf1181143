"""Entries of the menu: each page is one file under `pages/` and one entry here. A test checks that none is missing."""

from dataclasses import dataclass
from enum import StrEnum

from metrics.access import Action


class Filter(StrEnum):
    """A group of controls of the filter bar."""

    PERIOD = "period"
    ORDERS = "orders"
    """Segment and the dimensions under "More filters"."""
    COMPARE = "compare"
    GRAIN = "grain"


ALL_FILTERS = tuple(Filter)
ROWS = (Filter.PERIOD, Filter.ORDERS)
"""Filters of a page without tiles and trend."""


@dataclass(frozen=True)
class Entry:
    """One page of the menu.

    filters: the filters that narrow the page; the filter bar shows these only. listed: the menu lists the page. group:
    heading of the group it begins.
    """

    file: str
    title: str
    icon: str
    path: str
    summary: str
    filters: tuple[Filter, ...] = ALL_FILTERS
    listed: bool = True
    group: str = ""
    measures: tuple[str, ...] = ()
    """Modules of `metrics.measures` whose measures the page lists."""
    also: tuple[str, ...] = ()
    """Measures of other modules that the page lists too."""
    main: str = ""
    """Measure of the headline."""
    tiles: tuple[str, ...] = ()
    """Measures of the tiles; the first is the largest."""
    needs: Action | None = None
    """The menu lists the page only for signed-in people who may do this."""
    without_data: bool = False
    """True: the page can be used before the first data. It then comes first in the menu."""


ENTRIES = (
    Entry(
        "scorecard.py",
        "Scorecard",
        ":material/speed:",
        "",
        "Service levels by segment, over time, and reasons for failure.",
        group="Overview",
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
        "Service promised to each segment, and service delivered.",
        measures=("packages",),
        main="package_attainment",
        tiles=("package_attainment", "under_served_protect", "over_served_danger"),
    ),
    Entry(
        "profitability.py",
        "Profitability zones",
        ":material/donut_small:",
        "profitability",
        "Sales and cost to serve of each customer.",
        measures=("profitability", "zones", "danger_zone", "ordering_behaviour"),
        main="zone",
        tiles=("customer_profit", "net_sales_value", "cost_to_serve", "loss_making_customers"),
    ),
    Entry(
        "stockouts.py",
        "Stockouts",
        ":material/remove_shopping_cart:",
        "stockouts",
        "Outcome and cost of each stockout.",
        measures=("stockouts", "fill_rate"),
        main="stockout_rate",
        tiles=("stockout_rate", "stockout_events", "stockout_unit_cost", "stockout_total_cost"),
    ),
    Entry(
        "customer.py",
        "Customer",
        ":material/storefront:",
        "customer",
        "Service, orders, zone and scorecard of one customer.",
        also=(
            "perfect_order",
            "otif",
            "on_time",
            "complete",
            "damage_free",
            "filled_accurately",
            "billed_accurately",
            "cycle_days",
            "on_time_contract",
            "otif_contract",
            "perfect_order_contract",
            "recovered_share",
            "net_sales_value",
            "cost_to_serve",
            "customer_profit",
            "books_matched",
            "books_agree",
            "books_dispute",
            "failed_value_disputed",
            "fine_at_stake",
            "fine_disputed",
        ),
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
        "buyers_view.py",
        "Buyer's view",
        ":material/person_check:",
        "buyers-view",
        "The five tests and the perfect order.",
        group="Measures",
        measures=("buyers_view", "alternative_standards"),
        main="perfect_order",
    ),
    Entry(
        "availability.py",
        "Availability",
        ":material/shelves:",
        "availability",
        "Items, dates and quantities met; fill rates.",
        filters=ROWS,
        measures=("availability",),
        also=("on_time_requested", "complete"),
        main="available_as_wanted",
    ),
    Entry(
        "cycle_time.py",
        "Cycle time and promise",
        ":material/timer:",
        "cycle-time",
        "Cycle times, their spread, and padding of promises.",
        measures=("cycle_time", "promises", "safety_stock"),
        also=("on_time",),
        main="cycle_days",
        tiles=("cycle_days", "cycle_sd", "beyond_promise", "on_time"),
    ),
    Entry(
        "order_to_cash.py",
        "Order to cash",
        ":material/conversion_path:",
        "order-to-cash",
        "The 13 steps, and the step at which promises were missed.",
        measures=("order_to_cash",),
        main="order_to_cash_days",
        tiles=("order_to_cash_days", "work_in_progress", "missed_at_step", "terms_kept_by_buyer"),
    ),
    Entry(
        "communications.py",
        "Communications",
        ":material/forum:",
        "communications",
        "Messages to buyers: on time and correct.",
        measures=("communications", "responsiveness"),
        main="late_warned",
        tiles=("late_warned", "ack_on_time", "post_reply_on_time", "info_accurate"),
    ),
    Entry(
        "recovery.py",
        "Recovery and support",
        ":material/healing:",
        "recovery",
        "Failed orders that were resolved and reordered; cases and returns.",
        measures=("recovery", "post_sale_support"),
        main="recovered_share",
        tiles=("recovered_share", "failure_detected_by_us", "resolve_hours_p50", "reorder_30"),
    ),
    Entry(
        "influence.py",
        "Quotes and ordering",
        ":material/tune:",
        "influence",
        "Inquiries, and the options offered and chosen.",
        measures=("influence",),
        main="quote_conversion",
        tiles=("quote_conversion", "quotes_answered", "quotes_with_choice", "quote_hours_p50"),
    ),
    Entry(
        "two_books.py",
        "Scorecard reconciliation",
        ":material/balance:",
        "two-books",
        "Our verdicts compared with the buyer's scorecard.",
        measures=("two_books",),
        main="books_agree",
        tiles=("books_agree", "books_matched", "books_dispute", "failed_value_disputed"),
    ),
    Entry(
        "failed_orders.py",
        "Failed orders",
        ":material/error:",
        "failed-orders",
        "Orders that failed a test, with owner and status.",
        filters=ROWS,
        group="Daily work",
    ),
    Entry(
        "at_risk.py",
        "At risk now",
        ":material/warning:",
        "at-risk",
        "Open orders that will miss, or may miss, their promise.",
        filters=(Filter.ORDERS,),
    ),
    Entry(
        "order_story.py",
        "Order timeline",
        ":material/timeline:",
        "order-story",
        "One order, from inquiry to payment.",
        filters=(),
    ),
    Entry(
        "data_quality.py",
        "Data quality",
        ":material/verified:",
        "data-quality",
        "Runs, checks, and rejected records.",
        filters=(),
        group="Data",
    ),
    Entry(
        "bring_data.py",
        "Bring your data",
        ":material/upload_file:",
        "bring-data",
        "Drop files, check what they give, and publish.",
        filters=(),
        without_data=True,
    ),
    Entry(
        "export.py",
        "Explore and export",
        ":material/query_stats:",
        "export",
        "Measures by dimension, as charts, table and file.",
        filters=(*ROWS, Filter.GRAIN),
        group="Analysis",
    ),
    Entry(
        "levers.py",
        "Levers",
        ":material/trending_up:",
        "levers",
        "Reasons for failure, ranked by the orders that each alone costs.",
        filters=ROWS,
    ),
    Entry(
        "what_changed.py",
        "What changed",
        ":material/compare_arrows:",
        "what-changed",
        "Reasons for a change between two periods.",
        filters=ROWS,
    ),
    Entry(
        "definition_ladder.py",
        "Definition ladder",
        ":material/stairs:",
        "ladder",
        "The same orders under stricter and stricter definitions.",
        filters=ROWS,
    ),
    Entry(
        "views_and_alerts.py",
        "Views and alerts",
        ":material/notifications:",
        "views-and-alerts",
        "Saved views, alerts and digests.",
        filters=(),
    ),
    Entry(
        "definitions.py",
        "Definitions",
        ":material/menu_book:",
        "definitions",
        "Definitions of all measures.",
        filters=(),
        without_data=True,
    ),
    Entry(
        "access.py",
        "Access",
        ":material/key:",
        "access",
        "Who may see and do what.",
        filters=(),
        needs=Action.GRANT_ACCESS,
        without_data=True,
    ),
    Entry(
        "drill_down.py",
        "Behind the number",
        ":material/search:",
        "behind",
        "Rows behind a number.",
        filters=ROWS,
        listed=False,
    ),
)
