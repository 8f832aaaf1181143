"""Plain lists of the row rules: allowed words, ranges, orders in time, and other conditions, by feed and column.

row_rules.py builds the rules from them.
"""

from metrics.facts.assumptions import ASSUMPTIONS
from metrics.measures.catalog import ALIASES, MEASURES

ALLOWED_VALUES: dict[tuple[str, str], tuple[str, ...]] = {
    ("orders", "order_type"): ("sale", "replacement", "sample", "internal"),
    ("orders", "fulfilment_model"): ("make_to_stock", "make_to_order"),
    ("orders", "cancelled_by"): ("buyer", "seller"),
    ("order_lines", "line_kind"): ("goods", "service", "fee", "discount"),
    ("order_lines", "cancelled_by"): ("buyer", "seller"),
    ("shipments", "failure_caused_by"): ("buyer", "seller", "carrier"),
    ("invoices", "invoice_kind"): ("invoice", "credit", "reversal"),
    ("invoices", "credit_reason"): ("billing", "damage", "defect", "short", "goodwill", "return"),
    ("service_packages", "delivery_window"): ("hour", "day", "week"),
    ("service_packages", "support_level"): ("dedicated_rep", "next_available_rep", "web"),
    ("policies", "timing"): ("DEADLINE", "WINDOW"),
    ("policies", "anchor"): ("requested", "first_promise", "current_promise"),
    ("promises", "changed_by"): ("buyer", "seller"),
    ("promises", "basis"): ("ATP", "ATD"),
    ("holds", "kind"): ("credit", "data", "stock", "other"),
    ("holds", "caused_by"): ("buyer", "seller"),
    ("messages", "phase"): ("pre", "during", "post"),
    ("messages", "kind"): ("quote", "acknowledgement", "delay_notice", "ship_notice", "invoice", "case_reply"),
    ("service_cases", "kind"): ("complaint", "question", "parts_request", "special_request", "sudden_change"),
    ("returns", "reason"): ("damage", "defect", "wrong_item", "wrong_place", "wrong_quantity", "not_wanted", "other"),
    ("stockouts", "outcome"): ("waited", "back_ordered", "sale_lost", "buyer_lost"),
}
"""Columns with a fixed list of words."""

SHARES = ("tax_rate", "defect_share_max", "order_fill_min", "under_tolerance_share", "over_tolerance_share")

TIME_ORDER: dict[str, tuple[tuple[str, str], ...]] = {
    "orders": (("requested_from", "requested_by"), ("promised_from", "promised_by"), ("ordered_at", "cancelled_at")),
    "shipments": (("shipped_at", "received_at"), ("shipped_at", "attempted_at")),
    "holds": (("placed_at", "released_at"),),
    "order_events": (("started_at", "finished_at"),),
    "quotes": (("asked_at", "answered_at"),),
    # Settling a case also answers it, so the first answer cannot be later.
    "service_cases": (
        ("opened_at", "acknowledged_at"),
        ("opened_at", "resolved_at"),
        ("acknowledged_at", "resolved_at"),
    ),
    "returns": (("announced_at", "received_at"), ("announced_at", "credited_at")),
    "calendars": (("opens_at", "closes_at"),),
}
"""Pairs of moments. The first cannot be later than the second."""

EVENTS: dict[str, tuple[str, ...]] = {
    "orders": ("ordered_at", "cancelled_at"),
    "order_lines": ("cancelled_at",),
    "shipments": ("shipped_at", "received_at", "notice_sent_at", "attempted_at"),
    "invoices": ("invoiced_at",),
    "promises": ("changed_at",),
    "holds": ("placed_at", "released_at"),
    "order_events": ("started_at", "finished_at"),
    "payments": ("paid_at",),
    "quotes": ("asked_at", "answered_at"),
    "messages": ("sent_at",),
    "service_cases": ("opened_at", "acknowledged_at", "resolved_at"),
    "returns": ("announced_at", "received_at", "credited_at"),
    "stockouts": ("wanted_at",),
    "service_costs": ("incurred_on",),
    "buyer_scorecards": ("received_at",),
}
"""Moments and days of past events. They cannot be later than the watermark of the data."""

UPPER_BOUNDS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "shipment_lines": (("damaged_qty", ("received_qty", "shipped_qty")),),
    "order_lines": (("cancelled_qty", ("ordered_qty",)),),
}
"""Quantities that cannot exceed another quantity: the first of the columns named that is not empty."""

SIGNED: dict[str, tuple[str, ...]] = {
    "order_lines": ("ordered_qty", "unit_price_amount"),
    "invoice_lines": ("billed_qty", "unit_price_amount", "line_amount", "tax_amount"),
}
"""Columns that may be negative for a discount. Of an invoice line, a rule across rows knows whether it is one."""

LIMIT = 1_000_000_000

LEAST = 0.00000001
"""Smallest factor or rate: eight decimals."""

RANGES: dict[tuple[str, str], tuple[float, float, str]] = {
    ("order_events", "step"): (1, 13, "Write the number of one of the 13 order-to-cash steps, 1 to 13."),
    ("order_events", "event_no"): (1, LIMIT, "Number the attempts at a step 1, 2, 3 ..."),
    ("promises", "revision_no"): (1, LIMIT, "Number the promises of a line 1, 2, 3 ..., the first promise being 1."),
    ("unit_factors", "factor"): (LEAST, LIMIT, "Write the number of base units in one unit: more than 0."),
    ("unit_factors", "numerator"): (LEAST, LIMIT, "Write the numerator of the factor: more than 0, or empty."),
    ("unit_factors", "denominator"): (
        LEAST,
        LIMIT,
        "Write the denominator: more than 0, or empty for 1.",
    ),
    ("unit_factors", "rounding_step"): (
        0.0001,
        LIMIT,
        "Write the smallest difference in base units that counts: more than 0, or empty.",
    ),
    ("fx_rates", "rate"): (
        LEAST,
        LIMIT,
        "Write the value of one unit of the currency in the reporting currency: more than 0.",
    ),
    ("payments", "amount"): (
        0,
        LIMIT,
        "Write the amount received, 0 or more. Send a refund as a credit or a reversal in invoices.",
    ),
    # A reversed cost, or a rebate on freight, is negative.
    ("service_costs", "amount"): (
        -LIMIT,
        LIMIT,
        "Write an amount between -1,000,000,000 and 1,000,000,000.",
    ),
    ("assumptions", "assumed_value"): (
        0,
        LIMIT,
        "Write a number of 0 or more, in the unit of the assumption (a share as 0 to 1).",
    ),
}
"""Ranges of columns whose name does not imply a range: least, most, and the instruction."""

KNOWN_NAMES: dict[tuple[str, str], tuple[tuple[str, ...], str]] = {
    ("targets", "measure"): (
        (*MEASURES, *ALIASES),
        "This measure does not exist; write the name of a measure in the catalogue",
    ),
    ("assumptions", "assumption"): (
        tuple(ASSUMPTIONS),
        "This assumption does not exist; write the name of an assumption",
    ),
}
"""Columns that name a measure or an assumption of Buyerview."""

ROW_CLAIMS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "unit_factors": (
        (
            "factor_is_given",
            "factor",
            "factor IS NOT NULL OR NOT ok_factor OR NOT ok_numerator OR NOT ok_denominator",
            "Fill factor, or numerator and denominator.",
        ),
    ),
    "messages": (
        (
            "message_is_addressed",
            "order_id",
            "order_id IS NOT NULL OR customer_id IS NOT NULL",
            "Fill order_id or customer_id: the order or the customer of the message.",
        ),
    ),
    "service_cases": (
        (
            "case_is_somebodys",
            "order_id",
            "order_id IS NOT NULL OR customer_id IS NOT NULL",
            "Fill order_id or customer_id: the order or the customer of the case.",
        ),
    ),
    "calendars": (
        (
            "opens_at_has_time",
            "opens_at",
            "NOT opens_at_is_date",
            "Write opens_at with a time of day, or leave both hours empty.",
        ),
        (
            "closes_at_has_time",
            "closes_at",
            "NOT closes_at_is_date",
            "Write closes_at with a time of day, or leave both hours empty.",
        ),
        (
            "hours_are_whole",
            "closes_at",
            "(opens_at IS NULL) = (closes_at IS NULL) OR NOT (ok_opens_at AND ok_closes_at)",
            "Write both hours, or leave both empty if it is closed that day.",
        ),
    ),
    "fx_rates": (
        (
            "reporting_currency_is_code",
            "reporting_currency",
            "regexp_full_match(reporting_currency, '[A-Z]{3}')",
            "Write a three-letter ISO 4217 code such as EUR.",
        ),
        (
            "own_rate_is_one",
            "rate",
            "currency <> reporting_currency OR rate = 1",
            "Write 1: the rate of the reporting currency to itself.",
        ),
    ),
}
"""Other rules: name, column, SQL condition over the staged row, and the instruction."""
