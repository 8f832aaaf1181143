"""Build rows of payments, quotes, messages, cases, returns, stockouts, costs and scorecards."""

from tests.support.builders import Row, row


def payment(**values: object) -> Row:
    """Return a payment of 500 euros for invoice I1 on 20 March."""
    return row(
        "payments",
        {"payment_id": "Y1", "invoice_id": "I1", "paid_at": "2026-03-20", "amount": 500, "currency": "EUR"} | values,
    )


def quote(**values: object) -> Row:
    """Return an inquiry of customer C on 1 March, answered the next day, without an order."""
    return row(
        "quotes",
        {"quote_id": "Q1", "customer_id": "C", "asked_at": "2026-03-01T09:00Z", "answered_at": "2026-03-02T09:00Z"}
        | values,
    )


def quote_option(**values: object) -> Row:
    """Return a quoted option of 500 euros in 7 days, not accepted."""
    defaults = {
        "quote_id": "Q1",
        "option_no": "1",
        "price_amount": 500,
        "currency": "EUR",
        "lead_time_days": 7,
        "accepted": False,
    }
    return row("quote_options", defaults | values)


def message(**values: object) -> Row:
    """Return a correct delay notice of order O, due and sent on 9 March."""
    defaults = {
        "message_id": "M1",
        "order_id": "O",
        "customer_id": "C",
        "phase": "during",
        "kind": "delay_notice",
        "due_at": "2026-03-09T12:00Z",
        "sent_at": "2026-03-09T09:00Z",
        "correct": True,
    }
    return row("messages", defaults | values)


def service_case(**values: object) -> Row:
    """Return an open complaint about order O of 12 March, acknowledged the same day."""
    defaults = {
        "case_id": "Z1",
        "order_id": "O",
        "customer_id": "C",
        "kind": "complaint",
        "opened_at": "2026-03-12T09:00Z",
        "acknowledged_at": "2026-03-12T15:00Z",
        "currency": "EUR",
    }
    return row("service_cases", defaults | values)


def returned(**values: object) -> Row:
    """Return a return of 100 of line 1, announced on 25 March, because it is not wanted."""
    defaults = {
        "return_id": "R1",
        "return_line_no": "1",
        "order_id": "O",
        "line_no": "1",
        "returned_qty": 100,
        "reason": "not_wanted",
        "announced_at": "2026-03-25",
    }
    return row("returns", defaults | values)


def stockout(**values: object) -> Row:
    """Return a stockout: customer C wanted 10 of product P on 5 March. Its outcome is unknown."""
    return row(
        "stockouts",
        {"stockout_id": "X1", "customer_id": "C", "product_id": "P", "wanted_qty": 10, "wanted_at": "2026-03-05"}
        | values,
    )


def service_cost(**values: object) -> Row:
    """Return a cost of 20 euros for picking order O on 8 March."""
    defaults = {
        "cost_id": "T1",
        "customer_id": "C",
        "order_id": "O",
        "activity": "picking",
        "amount": 20,
        "currency": "EUR",
        "incurred_on": "2026-03-08",
    }
    return row("service_costs", defaults | values)


def scorecard(**values: object) -> Row:
    """Return customer C's own result: order O due on 10 March, 100 received on the 9th, passed."""
    defaults = {
        "customer_id": "C",
        "order_id": "O",
        "due_by": "2026-03-10",
        "received_at": "2026-03-09",
        "received_qty": 100,
        "passed": True,
    }
    return row("buyer_scorecards", defaults | values)
