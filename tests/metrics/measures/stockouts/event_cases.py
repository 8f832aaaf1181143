"""Records of the worked cases of stockout events, by the name of the case."""

from tests.metrics.measures.stockouts.cases import CLOSED, WEEKLY, earlier_orders, sent, the_order
from tests.support.ask_measures import together
from tests.support.builders import Row, customer, hold, order, order_event, order_line, row
from tests.support.contact_builders import stockout


def two_lines() -> dict[str, list[Row]]:
    """Return an order of two lines. The second leaves after the first."""
    lines = {"orders": [order()], "order_lines": [order_line(), order_line(line_no="2")]}
    return together(lines, sent(("2026-03-08", 100)), sent(("2026-03-14", 100), line_no="2"))


def segments_gap() -> dict[str, list[Row]]:
    """Return one order of C, the orders of 1, 6 and 11 February of D in the same segment, and daily orders of B."""
    people = {"customers": [customer(), customer(customer_id="D"), customer(customer_id="B", service_segment="B")]}
    parts = [people, SHORT]
    for who, days in (
        ("D", ("2026-02-01", "2026-02-06", "2026-02-11")),
        ("B", ("2026-02-01", "2026-02-02", "2026-02-03")),
    ):
        for day in days:
            order_id = f"{who}{day}"
            parts.append(
                {
                    "orders": [order(order_id=order_id, customer_id=who, ordered_at=day, promised_by=day)],
                    "order_lines": [order_line(order_id=order_id)],
                }
            )
            parts.append(sent((day, 100), order_id=order_id))
    return together(*parts)


def held(kind: str, placed: str, released: str | None) -> dict[str, list[Row]]:
    """Return a late order with a hold."""
    return together(LATE, {"holds": [hold(kind=kind, placed_at=placed, released_at=released)]})


def attempted(step: int, again: str) -> dict[str, list[Row]]:
    """Return a late order with two attempts at a step."""
    first = order_event(step=step, started_at="2026-03-08T09:00Z", finished_at="2026-03-08T10:00Z")
    second = order_event(step=step, event_no=2, started_at=again, finished_at="2026-03-12T12:00Z")
    return together(LATE, {"order_events": [first, second]})


def later_orders(*later: str, product_id: str = "P") -> dict[str, list[Row]]:
    """Return a recorded lost buyer with weekly orders of P before and orders of a product on later days."""
    orders = earlier_orders("2026-02-01", "2026-02-08", "2026-02-15", *later)
    for line in orders["order_lines"]:
        line["product_id"] = product_id if line["order_id"][1:] in later else "P"
    return together(orders, {"stockouts": [stockout(outcome="buyer_lost")]})


SHORT = together(the_order(**CLOSED), sent(("2026-03-08", 70)))
"""30 of 100 closed by the seller."""
OPEN = together(the_order(), sent(("2026-03-08", 70)))
"""30 of 100 that neither came nor were cancelled."""
LATE = together(the_order(), sent(("2026-03-14", 100)))
TWO_ON_ONE_DAY = together(
    SHORT,
    earlier_orders(*WEEKLY),
    {"orders": [order(order_id="T")], "order_lines": [order_line(order_id="T")]},
    sent(("2026-03-02", 100), order_id="T"),
)
LOST_K = row(
    "assumptions", {"assumption": "lost_k", "scope": "all", "valid_from": "2026-01-01", "assumed_value": "1.5"}
)
BOUGHT_LATER = together(
    {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line()]},
    sent(("2026-03-08", 100)),
    {"stockouts": [stockout()]},
)
BOUGHT_BEFORE_OR_OTHER_GOODS = together(
    earlier_orders("2026-03-05"),  # the same day: not later
    {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line(product_id="Q")]},
    {"stockouts": [stockout()]},
)


def of_type(order_type: str) -> dict[str, list[Row]]:
    line = {"orders": [order(order_type=order_type)], "order_lines": [order_line()]}
    return together(line, sent(("2026-03-14", 100)))


AT_THE_END = {
    "30 in a further consignment": together(the_order(), sent(("2026-03-08", 70), ("2026-03-14", 30))),
    "all later": LATE,
    "a line after another line": two_lines(),
    "closed, ordered again": together(SHORT, earlier_orders(*WEEKLY, "2026-03-20")),
    "closed, nothing since": together(SHORT, earlier_orders(*WEEKLY)),
    "closed, ordered after the horizon": together(SHORT, earlier_orders(*WEEKLY, "2026-04-01")),
    "closed, ordered on the last day": together(SHORT, earlier_orders(*WEEKLY, "2026-03-31")),
    "the segment's gap": segments_gap(),
    "two orders of one day": TWO_ON_ONE_DAY,
    "no gap known": OPEN,
    "whole at first pass": together(the_order(), sent(("2026-03-10", 100))),
    **{f"no sale: {name}": of_type(name) for name in ("replacement", "internal", "sample")},
    "recorded outcome": {"stockouts": [stockout(outcome="back_ordered")]},
    "bought later": BOUGHT_LATER,
    "bought before or other goods": BOUGHT_BEFORE_OR_OTHER_GOODS,
}
RECORDED_LOST = {
    "nothing later": later_orders(),
    "the product later": later_orders("2026-03-06"),
    "another product later": later_orders("2026-04-29", product_id="Q"),  # long after the horizon
}
HELD = {
    "over the promise": held("credit", "2026-03-08", "2026-03-12"),
    "never released": held("credit", "2026-03-08", None),
    "released before the promise": held("credit", "2026-03-08", "2026-03-10"),
    "placed after the promise": held("credit", "2026-03-11", "2026-03-12"),
    "stock": held("stock", "2026-03-08", "2026-03-12"),
}
ATTEMPTED = {
    "again after the promise": attempted(10, "2026-03-12T10:00Z"),
    "again before the promise": attempted(10, "2026-03-10T10:00Z"),
    "another step": attempted(2, "2026-03-12T10:00Z"),
}
AT_THE_HORIZON = {
    "closed": together(SHORT, earlier_orders(*WEEKLY)),
    "open": together(OPEN, earlier_orders(*WEEKLY, "2026-03-20")),
}
