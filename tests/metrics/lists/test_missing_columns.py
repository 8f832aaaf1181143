"""Missing columns: mapping the listed columns switches the listed measures on, and fewer do not."""

from metrics.lists.missing_columns import switched_on
from metrics.measures.catalog import MEASURES
from metrics.model.reasons import missing

CORE = frozenset(
    {"orders.order_id", "orders.customer_id", "orders.ordered_at", "order_lines.order_id", "order_lines.line_no",
     "order_lines.ordered_qty", "order_lines.promised_by", "shipments.shipment_id", "shipments.received_at",
     "shipment_lines.shipment_id", "shipment_lines.order_id", "shipment_lines.line_no", "shipment_lines.shipped_qty"}
)  # fmt: skip


def test_the_listed_columns_switch_on_exactly_the_listed_measures() -> None:
    off = {name for name, measure in MEASURES.items() if missing(measure, CORE)}
    listed = switched_on(CORE, MEASURES)
    assert off
    assert sorted(name for one in listed for name in one.measures) == sorted(off)
    for one in listed:
        assert not CORE.intersection(one.columns)
        for name in one.measures:
            assert missing(MEASURES[name], CORE | set(one.columns)) is None, name
            for column in one.columns:
                assert missing(MEASURES[name], (CORE | set(one.columns)) - {column}) is not None, (name, column)


def test_feeds_that_no_source_maps_are_named() -> None:
    listed = {one.columns: one for one in switched_on(CORE, MEASURES)}
    billed = next(one for one in listed.values() if "billed_accurately" in one.measures)
    assert set(billed.new_feeds) <= {"invoices", "invoice_lines"}
    assert billed.new_feeds
