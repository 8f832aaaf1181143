"""N14: a measure without a feed or column that it needs gives the reason that names it, and never another number.

One small warehouse has every feed. Each feed and each column is left out in turn.
"""

import pytest

from metrics.measures.catalog import MEASURES
from metrics.model.reasons import columns_of, feed_of, missing, unmapped
from metrics.schema import FEEDS
from tests.support.ask_measures import ALL, built, one, only, sale, together

filled = only()

NEEDED = sorted(
    {
        column
        for measure in MEASURES.values()
        for need in measure.needs
        for alternative in need.any_of
        for column in columns_of(alternative)
    }
)
"""Every column that some measure names as a need."""


@pytest.mark.parametrize("feed", FEEDS)
def test_every_measure_without_a_feed_it_needs_names_the_feed(feed: str) -> None:
    """A need that only this feed met is named "no feed: <feed>". Other needs leave the measure as it is."""
    without = frozenset(name for name in ALL if feed_of(name) != feed)
    for name, measure in MEASURES.items():
        if (why := missing(measure, without)) is not None:
            assert why.startswith("no feed: "), (name, why)
            assert feed in why, (name, why)


@pytest.mark.parametrize("column", NEEDED)
def test_every_measure_without_a_column_it_needs_names_the_column(column: str) -> None:
    for name, measure in MEASURES.items():
        if (why := missing(measure, ALL - {column})) is not None:
            assert why.startswith("no data: "), (name, why)
            assert f"map {column}" in why, (name, why)


def test_no_measure_has_missing_inputs_if_every_column_is_mapped() -> None:
    assert [name for name, measure in MEASURES.items() if missing(measure, ALL)] == []


@pytest.mark.parametrize(
    ("left_out", "measure", "why"),
    [
        (("orders.promised_by", "order_lines.promised_by"), "on_time", "orders.promised_by or order_lines.promised_by"),
        (
            (
                "orders.promised_by",
                "order_lines.promised_by",
                "orders.requested_by",
                "order_lines.requested_by",
            ),
            "stockout_rate",
            "no data: promised_by or requested_by (map orders.promised_by, order_lines.promised_by,",
        ),
        (
            ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason"),
            "damage_free",
            "no data: damage (map shipment_lines.damaged_qty, invoices.credit_reason or returns.reason)",
        ),
        (("shipments.shipped_at",), "order_fill_first_pass", "no data: shipped_at (map shipments.shipped_at)"),
        (
            ("shipment_lines.product_id", "shipments.received_place"),
            "filled_accurately",
            "no data: product or place (map shipment_lines.product_id or shipments.received_place)",
        ),
        (("stockouts.*",), "stockouts_unordered", "no feed: stockouts"),
        (
            ("returns.*", "invoices.credit_reason", "shipment_lines.damaged_qty"),
            "damage_free",
            "no feed: returns (or map",
        ),
        (("shipments.*", "shipment_lines.*"), "otif", "no feed: shipments and shipment_lines"),
        (("invoices.*", "invoice_lines.*"), "billed_accurately", "no feed: invoices and invoice_lines"),
        (("messages.*",), "ack_on_time", "no feed: messages"),
        (("shipments.*",), "billed_accurately", "no feed: shipments"),
        (("shipments.*",), "invoices_right_first_time", "no feed: shipments"),
    ],
)
def test_missing_input_text_of_a_measure(left_out: tuple[str, ...], measure: str, why: str) -> None:
    feeds = {name.removesuffix(".*") for name in left_out if name.endswith(".*")}
    known = frozenset(name for name in ALL if name not in left_out and feed_of(name) not in feeds)
    text = missing(MEASURES[measure], known)
    assert text is not None
    assert why in text


def test_failed_orders_have_no_value_if_no_verdict_is_known() -> None:
    """N14: O has only a promise and a request; nothing can be tested, so "failed" is not 0 of 1."""
    bare = ALL - {name for name in ALL if feed_of(name) in ("shipments", "shipment_lines", "invoices", "invoice_lines")}
    with built(mapped=bare, **sale("O")) as connection:
        found = one(connection, "failed_orders")
        assert (found.value, found.numerator) == (None, None)
        assert found.no_data == "no feed: shipments and shipment_lines or invoices and invoice_lines"


def test_failed_orders_report_the_number_of_unknown_orders() -> None:
    """Three judged orders: LATE failed, NEVER was not received (failed), UNKNOWN came in time and waits for its bill.

    Failed 2, unknown 1, judged 3; passed is the rest, 0.
    """
    loaded = together(sale("LATE", received="2026-03-20"), sale("NEVER"), sale("UNKNOWN", received="2026-03-09"))
    without_bills = frozenset(name for name in ALL if not name.startswith("invoice"))
    with built(mapped=without_bills, **loaded) as connection:
        found = one(connection, "failed_orders")
        assert (found.value, found.judged, found.unknown) == (2, 3, 1)
    with built(mapped=without_bills, **sale("UNKNOWN", received="2026-03-09")) as connection:
        found = one(connection, "failed_orders")
        assert (found.value, found.judged, found.unknown) == (None, 1, 1)
        assert str(found.no_data).startswith("inconclusive")


def test_n14_columns_that_a_withheld_share_could_use_are_named() -> None:
    """Promises of a few lines replace those of orders. A feed that is not mapped at all is not listed."""
    perfect = MEASURES["perfect_order"]
    assert unmapped(perfect, ALL) == ""
    assert unmapped(perfect, ALL - {"orders.promised_by"}) == "; not mapped: orders.promised_by"
    without_bills = frozenset(name for name in ALL if not name.startswith("invoice"))
    assert unmapped(MEASURES["otif"], without_bills) == ""


def test_n18_where_the_buyer_collects_every_order_shipped_at_is_the_receipt() -> None:
    """O leaves on 2 March, due 10 March: on time without received_at. FAR is delivered, so received_at is missing."""
    bare = ALL - {"shipments.received_at"}
    collected = sale("O", received="2026-03-09", delivery_term="EXW Hamburg")
    delivered = sale("FAR", received="2026-03-09", delivery_term="DAP")
    for parts, value, why in (((collected,), 1, None), ((collected, delivered), None, "received_at")):
        loaded = together(*parts)
        for row in loaded["shipments"]:
            row |= {"received_at": None, "received_at_is_date": None}
        with built(mapped=bare, **loaded) as connection:
            found = one(connection, "on_time")
            assert found.value == value
            assert (why or "") in str(found.no_data)
