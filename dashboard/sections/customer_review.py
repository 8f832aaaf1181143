"""Sections of the page for one customer, as tables of text. The page and the printed service review both draw them.

Every number comes from the measures and lists of the other pages, with the customer as a filter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import queries
from dashboard.components import cards, formatting
from dashboard.frame import links, menu
from dashboard.frame.filters import Filters
from dashboard.measure_page import trend
from dashboard.measure_page.cells import VERDICT_WORDS, named_customer
from dashboard.measure_page.commitments import commitment
from dashboard.measure_page.trend import Trend
from dashboard.measure_page.view import Answers, MeasureView, load_view, measures_of
from dashboard.orders import evidence
from metrics.facts.recoveries import RECOVERY_DAYS
from metrics.lists import at_risk, failed_orders, recovery, two_books
from metrics.lists.customer import CustomerRecord, customer_record, customers_with_most_orders
from metrics.lists.rows import Row
from metrics.measures import customer_zones, danger_zone_options
from metrics.measures.catalog import MEASURES
from metrics.measures.package_fit import attainments
from metrics.model.measure import Unit
from metrics.model.question import Question

ENTRY = menu.entry_of_file("customer")
MEASURES_SHOWN = (*measures_of(ENTRY), "judged_orders", "failed_orders")
ROWS_SHOWN = 10
CUSTOMERS_SHOWN = 12
CONTRACT = {"on_time": "on_time_contract", "otif": "otif_contract", "perfect_order": "perfect_order_contract"}
"""Strict measures, and the same under the customer's contract."""
BOOKS = ("books_matched", "books_agree", "books_dispute", "failed_value_disputed", "fine_at_stake", "fine_disputed")
MONEY = ("net_sales_value", "cost_to_serve", "customer_profit")
RESULTS = {True: "met", False: "missed", None: "unknown"}


@dataclass(frozen=True)
class Item:
    """A cell of a section: its text, and the address of the rows behind it ("" for none)."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Section:
    """A table of the page. `empty` replaces a table without rows: title and next step."""

    key: str
    title: str
    heads: tuple[str, ...]
    rows: list[list[Item]]
    empty: tuple[str, str]
    note: str = ""
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True)
class Review:
    """One customer in one period."""

    customer_id: str
    found: CustomerRecord
    view: MeasureView
    trend: Trend

    @property
    def filters(self) -> Filters:
        """Period and filters, among them the customer."""
        return self.view.filters

    @property
    def answers(self) -> Answers:
        """Answers to all measures of the page."""
        return self.view.answers

    @property
    def name(self) -> str:
        """Name of the customer, or else its number."""
        return str(self.found.record.get("name") or self.customer_id)


def chosen_customer(filters: Filters) -> str | None:
    """Return the customer that the filters select; None if they select none or several."""
    values = dict(filters.where).get("customer", ())
    return values[0] if len(values) == 1 else None


def load_review(customer_id: str, generation: int, filters: Filters) -> Review:
    """Return the answers about a customer. `filters` contain the customer."""
    view = load_view(ENTRY, MEASURES_SHOWN, generation, filters)
    found = queries.cached(customer_record, generation, customer_id, filters.period.elapsed)
    return Review(customer_id, found, view, trend.load_trend(view, ENTRY.tiles))


def largest_customers(generation: int, filters: Filters) -> list[Row]:
    """Return the customers with most judged orders in view: `customer`, `name`, `judged_orders`, `failed_orders`."""
    question = Question((), start=filters.start, end=filters.end, where=filters.where)
    return queries.cached(customers_with_most_orders, generation, question, CUSTOMERS_SHOWN, filters.period.elapsed)


def facts(review: Review) -> list[tuple[str, str]]:
    """Return the master data of the customer as pairs of name and value."""
    record, zone = review.found.record, _zone(review)
    return [
        ("Customer", named_customer(review.customer_id, review.found.record.get("name"))),
        ("Segment", str(record.get("service_segment") or formatting.DASH)),
        ("Package", f"Package {review.found.package.segment}" if review.found.package else "no package"),
        ("Contract", str(record.get("policy_id") or "no contract")),
        ("Zone", zone.zone if zone else "unknown"),
        *[
            (title, str(record[name]))
            for name, title in (("region", "Region"), ("city", "City"), ("account_manager", "Representative"))
            if record.get(name)
        ],
    ]


def sections(review: Review) -> list[Section]:
    """Return all tables of the page in order."""
    return [
        _package(review),
        _contract(review),
        _open_orders(review),
        _failed_orders(review),
        _recoveries(review),
        _zone_and_options(review),
        _books(review),
        _disputed(review),
    ]


def _value(review: Review, measure: str) -> Item:
    answer = review.answers.get(measure)
    shown = formatting.DASH if answer is None else cards.value(answer, MEASURES[measure])
    return Item(shown, links.drill_down_url(measure) if shown != formatting.DASH else "")


def _package(review: Review) -> Section:
    start, end = review.filters.start, review.filters.end
    everyone = queries.shared(attainments, review.view.generation, start, end)
    found = [one for one in everyone if one.customer_id == review.customer_id]
    rows = [
        [
            Item(result.row if len(found) == 1 else f"{result.row} (package {one.package.segment})"),
            Item(commitment(one.package, result.row)),
            Item(
                formatting.DASH
                if result.value is None
                else f"{formatting.percent(float(result.value))} of {formatting.number(result.n)}"
            ),
            Item(RESULTS[result.kept]),
        ]
        for one in found
        for result in one.rows
    ]
    note = "All orders of the customer in the period count. Other filters do not narrow this table."
    nothing = ("No package in this period", "The customer's segment has no package, or no order shows one.")
    return Section(
        "package", "Service against package", ("Commitment", "Promised", "Reached", "Result"), rows, nothing, note
    )


def _contract(review: Review) -> Section:
    answers = review.answers
    is_known = any(answers[name].value is not None for name in CONTRACT.values() if name in answers)
    rows = [
        [Item(MEASURES[strict].title), _value(review, strict), _value(review, contract)]
        for strict, contract in CONTRACT.items()
    ]
    nothing = ("No orders judged under a contract", "Map the policy ID of the customers, and the policies feed.")
    note = "Strict: the buyer's view without tolerance. Contract: with the tolerances of the customer's contract."
    return Section(
        "contract", "Service against contract", ("Measure", "Strict", "Contract"),
        rows if review.found.contract and is_known else [], nothing, note, numeric=(1, 2),
    )  # fmt: skip


def _order(row: Row) -> Item:
    return Item(str(row["order_id"]), links.order_story_url(row["order_id"]))


def _amount(row: Row, name: str) -> Item:
    currency = None if row["currency"] in (None, "(none)") else row["currency"]
    return Item(formatting.money(row[name], currency))


def _shown(total: int, noun: str) -> str:
    many = formatting.count(total, noun)
    return f"The first {ROWS_SHOWN} of {many}." if total > ROWS_SHOWN else f"{many}."


def _open_orders(review: Review) -> Section:
    listing = queries.cached(at_risk.at_risk, review.view.generation, where=review.filters.where, size=ROWS_SHOWN)
    rows = [
        [
            _order(row),
            Item(at_risk.SLACK_STATES[row["standing"]]),
            Item(formatting.moment(row["deadline_at"])),
            _amount(row, "ordered_amount"),
        ]
        for row in listing.rows
    ]
    nothing = ("No open orders at risk", "No open order of this customer is expected to miss its promise.")
    heads = ("Order", "Status", "Next deadline", "Ordered value")
    note = f"{_shown(listing.total, 'order')} In all periods."
    return Section("open", "Open orders at risk", heads, rows, nothing, note, numeric=(3,))


def _failed_orders(review: Review) -> Section:
    filters = review.filters
    listing = queries.cached(
        failed_orders.failed_orders,
        review.view.generation,
        start=filters.start,
        end=filters.end,
        where=filters.where,
        size=ROWS_SHOWN,
    )
    rows = [
        [
            _order(row),
            Item(evidence.explanation_of(row)),
            Item(formatting.day(row["due_day"])),
            _amount(row, "ordered_amount"),
            _amount(row, "short_amount") if row["complete"] is False or not row["short_amount"] else Item("unknown"),
        ]
        for row in listing.rows
    ]
    nothing = ("No failed orders", "No judged order of this customer is known to have failed a test.")
    heads = ("Order", "Why it failed", "Was due", "Ordered value", "Not received")
    return Section(
        "failed", "Failed orders", heads, rows, nothing, f"{_shown(listing.total, 'order')} Latest due first.", (3, 4)
    )


def _recoveries(review: Review) -> Section:
    view = review.view
    found = queries.cached(recovery.funnel, view.generation, view.question)
    stages = {
        "Failed": found.failed,
        "Detected": found.detected,
        "Acknowledged to the buyer": found.acknowledged,
        "Resolved": found.resolved,
        "Ordered again": found.again,
    }
    rows = [[Item(stage), Item(formatting.integer(count))] for stage, count in stages.items()]
    rows.append([Item(f"Resolved within {RECOVERY_DAYS} days"), _value(review, "recovered_share")])
    nothing = ("No failures", "No judged order of this customer failed in the period.")
    note = "Each stage is a part of the stage above."
    return Section("recoveries", "Recoveries", ("Stage", "Orders"), rows if found.failed else [], nothing, note, (1,))


def _zone(review: Review) -> customer_zones.Customer | None:
    start, end = review.filters.start, review.filters.end
    found, _ = queries.shared(customer_zones.zones, review.view.generation, start, end)
    return next((one for one in found if one.customer_id == review.customer_id), None)


def _zone_and_options(review: Review) -> Section:
    zone = _zone(review)
    rows = [[Item("Zone"), Item(zone.zone)]] if zone else []
    if zone:
        rows += [[Item(MEASURES[name].title), _value(review, name)] for name in MONEY]
    if zone and zone.zone == customer_zones.DANGER:
        rows += [[Item(name), Item(text)] for name, text in _options(review)]
    nothing = ("No zone", "The customer has no sales or costs in this period, or an exchange rate is missing.")
    note = "Options exist for customers in Danger. Customer acceptance is not modelled."
    return Section("zone", "Zone and options", ("", "Value"), rows, nothing, note, numeric=(1,))


def _options(review: Review) -> list[tuple[str, str]]:
    asked = (review.view.generation, review.filters.start, review.filters.end)
    interactions = queries.shared(danger_zone_options.interactions, *asked)
    found = [
        *[("Change the interaction", one.customer, one.saving) for one in interactions],
        *[("Move orders to EDI, web", one.customer, one.moved_saving) for one in interactions],
        *[("Charge the cost", one.customer, one.gain) for one in queries.shared(danger_zone_options.charges, *asked)],
        *[("Another channel", one.customer, one.gain) for one in queries.shared(danger_zone_options.channels, *asked)],
    ]
    return [
        (name, formatting.number(gain, Unit.MONEY))
        for name, customer, gain in found
        if customer.customer_id == review.customer_id
    ]


def _books(review: Review) -> Section:
    matched = review.answers.get("books_matched")
    rows = [[Item(MEASURES[name].title), _value(review, name)] for name in BOOKS]
    nothing = ("No buyer's scorecard", "No order of this period is in a scorecard of this customer.")
    note = "Our verdicts compared with the buyer's own scorecard."
    return Section(
        "books", "Scorecard reconciliation", ("Measure", "Value"),
        rows if matched is not None and matched.value else [], nothing, note, numeric=(1,),
    )  # fmt: skip


def _disputed(review: Review) -> Section:
    view = review.view
    listing = queries.cached(two_books.disputed, view.generation, view.question, size=ROWS_SHOWN)
    rows = [
        [
            _order(row),
            Item(formatting.day(row["due_day"])),
            Item(formatting.in_words(row["cause"])),
            Item(VERDICT_WORDS[row["our_verdict"]]),
            Item(VERDICT_WORDS[row["their_verdict"]]),
            Item(formatting.number(row["failing_amount"], Unit.MONEY) if row["failing_amount"] else formatting.DASH),
        ]
        for row in listing.rows
    ]
    nothing = ("No disputed orders", "Both scorecards agree on all orders they share, or share none.")
    heads = ("Order", "Due", "Difference", "Ours", "Buyer's", "Failed goods")
    return Section("disputed", "Disputed orders", heads, rows, nothing, _shown(listing.total, "order"), (5,))


def texts(section: Section) -> list[Sequence[str]]:
    """Return the rows of a section as text."""
    return [[item.text for item in row] for row in section.rows]
