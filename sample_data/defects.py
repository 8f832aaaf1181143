"""Defects and corrections: each kind with an example, the expected outcome of ingest and the rule it breaks.

The generator writes each planted record to defects.csv, with its file and record number. Other records break no rule.
The functions that plant a defect are in planting.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sample_data.planting import (
    SUPERSEDED,
    WAITING,
    Change,
    Kind,
    Mark,
    Part,
    Parts,
    Row,
    Run,
    Spot,
    days_before,
    draw,
    has,
    increased,
    plant_contradiction,
    plant_early_invoice,
    plant_early_shipment,
    plant_long_row,
    plant_missing_order,
    plant_repeat,
    plant_repeated_header,
    plant_short_row,
    plant_totals_line,
    with_changes,
)

CORRECTED_AT = "2026-06-30T17:30:00Z"
"""Change date of the corrections in the second files: in the last half hour of the data."""

EARLY_LINE = {
    "goods_issue_at": "2024-05-02T15:00:00Z",
    "pod_at": "2024-05-06T09:10:00Z",
    "asn_at": "",
    "attempt_at": "",
    "failed_by": "",
}

KINDS: tuple[Kind, ...] = (
    # invalid dates
    Kind("date_in_words", "orders", "ordered_at: a date", "entered_at `last Tuesday`", {"entered_at": "last Tuesday"}),
    Kind("thirtieth_of_february", "orders", "ordered_at: a date", "entered_at `2025-02-30T10:00:00Z`",
         {"entered_at": "2025-02-30T10:00:00Z"}),
    Kind("hour_24", "orders", "ordered_at: a date", "entered_at `2025-03-04T24:00:00Z`",
         {"entered_at": "2025-03-04T24:00:00Z"}),
    Kind("zero_date", "orders", "promised_by: a date", "conf_date `0000-00-00`", {"conf_date": "0000-00-00"}),
    Kind("spreadsheet_serial", "orders", "ordered_at: a date", "entered_at `45678`", {"entered_at": "45678"}),
    Kind("slashed_date", "orders", "requested_by: a date", "req_date `03/04/2026`, either order",
         {"req_date": "03/04/2026"}),
    Kind("year_9999", "orders", "promised_by: 1990 to 2100", "conf_date `9999-12-31`",
         {"conf_date": "9999-12-31", "conf_from": ""}),
    Kind("year_1899", "orders", "requested_by: 1990 to 2100", "req_date `1899-12-30`",
         {"req_date": "1899-12-30", "req_from": ""}),
    Kind("start_of_unix_time", "shipments", "shipped_at: 1990 to 2100", "goods_issue_at `1970-01-01T00:00:00Z`",
         {"goods_issue_at": "1970-01-01T00:00:00Z", "asn_at": ""}),
    Kind("wrong_date_format", "invoices", "due_on: declared format",
         "due_date `2026-02-14` where `14.02.2026` is declared", {"due_date": "2026-02-14"}),
    Kind("thirty_first_of_june", "invoices", "due_on: a date", "due_date `31.06.2025`", {"due_date": "31.06.2025"}),
    Kind("change_time_in_words", "order_lines", "source_updated_at: a date", "changed_at `yesterday`",
         {"changed_at": "yesterday"}),
    # dates in an impossible order, or in the future
    Kind("cancelled_before_ordered", "orders", "cancelled_at not before ordered_at",
         "cancel_ts a month before entered_at",
         {"cancel_ts": days_before("changed_at", 30), "cancel_by": "B", "cancel_code": "changed_mind"},
         needs=lambda row: not row["cancel_ts"]),
    Kind("window_backwards", "orders", "promised_from not after promised_by",
         "conf_from `2026-03-09T08:00:00Z`, conf_date `2026-03-04`",
         {"conf_from": "2026-03-09T08:00:00Z", "conf_date": "2026-03-04"}),
    Kind("ordered_in_the_future", "orders", "ordered_at not after data_as_of", "entered_at `2026-07-15T09:00:00Z`",
         {"entered_at": "2026-07-15T09:00:00Z", "req_from": "", "req_date": "2026-07-20", "conf_from": "",
          "conf_date": "2026-07-20", "cancel_ts": "", "cancel_by": "", "cancel_code": ""}),
    Kind("received_before_shipped", "shipments", "received_at not before shipped_at",
         "pod_at three days before goods_issue_at", {"pod_at": days_before("goods_issue_at", 3), "attempt_at": ""},
         needs=has("pod_at", "goods_issue_at")),
    Kind("received_in_the_future", "shipments", "received_at not after data_as_of", "pod_at `2026-08-03T10:00:00Z`",
         {"pod_at": "2026-08-03T10:00:00Z", "attempt_at": ""}),
    Kind("billed_in_the_future", "invoices", "invoiced_at not after data_as_of", "doc_date `2026-09-01`",
         {"doc_date": "2026-09-01", "due_date": "01.10.2026"}),
    Kind("shipped_before_ordered", "shipment_lines", "shipped_at not before ordered_at",
         "goods_issue_at `2024-05-02` for an order of 2025", EARLY_LINE, needs=has("pos"), plant=plant_early_shipment),
    Kind("billed_before_ordered", "invoice_lines", "invoiced_at not before ordered_at",
         "doc_date `2024-05-15` for an order of 2025", {"doc_date": "2024-05-15", "due_date": "14.06.2024"},
         needs=lambda row: bool(row["pos"]) and row["doc_no"].startswith("IN"), plant=plant_early_invoice),
    # numbers that are not numbers, or cannot be
    Kind("quantity_in_words", "order_lines", "ordered_qty: a number", "qty `two`", {"qty": "two"}),
    Kind("decimal_comma", "order_lines", "ordered_qty: a number", "qty `1,5`", {"qty": "1,5"}),
    Kind("scientific_notation", "order_lines", "ordered_qty: a number", "qty `1.5E3`", {"qty": "1.5E3"}),
    Kind("arabic_digits", "order_lines", "ordered_qty: a number", "qty `٢٥`", {"qty": "٢٥"}),
    Kind("thousands_separator", "shipment_lines", "shipped_qty: a number", "qty_sent `1 200`", {"qty_sent": "1 200"},
         in_place=True),
    Kind("currency_sign_in_amount", "invoice_lines", "line_amount: a number", "amount `€ 120.50`",
         {"amount": "€ 120.50"}, in_place=True),
    Kind("not_a_number", "order_lines", "ordered_qty: a number", "qty `NaN`", {"qty": "NaN"}),
    Kind("infinite", "order_lines", "unit_price_amount: a number", "price `inf`", {"price": "inf"}),
    # a negative fee is a discount
    Kind("negative_quantity", "order_lines", "ordered_qty: 0 or more", "qty `-5.000`", {"qty": "-5.000"},
         needs=has(item_kind="G")),
    Kind("huge_quantity", "order_lines", "ordered_qty: below 1,000,000,000", "qty `99999999999`",
         {"qty": "99999999999"}),
    Kind("negative_price", "order_lines", "unit_price_amount: 0 or more", "price `-4.20`", {"price": "-4.20"},
         needs=has(item_kind="G")),
    Kind("negative_amount", "invoice_lines", "line_amount: 0 or more", "amount `-88.00`", {"amount": "-88.00"},
         needs=has("order_no"), in_place=True),
    Kind("negative_freight", "shipments", "freight_amount: 0 or more", "freight `-12.00`", {"freight": "-12.00"}),
    Kind("negative_damage", "shipment_lines", "damaged_qty: 0 or more", "qty_damaged `-1`", {"qty_damaged": "-1"},
         in_place=True),
    Kind("tax_in_percent", "order_lines", "tax_rate: 0 to 1", "tax `19.0` for 0.19", {"tax": "19.0"}),
    # quantities that contradict one another
    Kind("cancelled_more_than_ordered", "order_lines", "cancelled_qty at most ordered_qty",
         "cancel_qty 10 more than qty",
         {"cancel_qty": increased("qty", "10"), "cancel_ts": lambda row: row["changed_at"], "cancel_by": "B",
          "cancel_code": "changed_mind"}, needs=lambda row: not row["cancel_ts"]),
    Kind("received_in_words", "shipment_lines", "received_qty: a number", "qty_received `all of it`",
         {"qty_received": "all of it"}, needs=has("qty_received"), in_place=True),
    Kind("damaged_more_than_received", "shipment_lines", "damaged_qty at most received_qty",
         "qty_damaged 10 more than qty_received", {"qty_damaged": increased("qty_received", "10")},
         needs=has("qty_received"), in_place=True),
    # nothing where something must be
    Kind("no_order_number", "orders", "order_id: present", "order_no empty", {"order_no": ""}),
    Kind("no_customer", "orders", "customer_id: present", "sold_to empty", {"sold_to": ""}),
    Kind("no_order_date", "orders", "ordered_at: present", "entered_at empty", {"entered_at": ""}),
    Kind("no_delivery_number", "shipments", "shipment_id: present", "delivery_no empty", {"delivery_no": ""}),
    Kind("no_quantity", "order_lines", "ordered_qty: present", "qty empty", {"qty": ""}),
    Kind("no_amount", "invoice_lines", "line_amount: present", "amount empty", {"amount": ""}, in_place=True),
    Kind("no_document_date", "invoices", "invoiced_at: present", "doc_date empty", {"doc_date": ""}),
    # codes nobody knows
    Kind("unknown_channel", "orders", "channel: code list", "ch `X`", {"ch": "X"}),
    Kind("unknown_order_type", "orders", "order_type: code list", "ord_type `ZZ`", {"ord_type": "ZZ"}),
    Kind("unknown_time_zone", "orders", "ship_to_time_zone: IANA", "ship_tz `Europe/Atlantis`",
         {"ship_tz": "Europe/Atlantis"}),
    Kind("unknown_currency", "orders", "currency: ISO 4217", "curr `EURO`", {"curr": "EURO"}),
    Kind("unknown_canceller", "orders", "cancelled_by: code list", "cancel_by `Q`",
         {"cancel_by": "Q", "cancel_ts": lambda row: row["changed_at"]}, needs=lambda row: not row["cancel_ts"]),
    Kind("unknown_line_kind", "order_lines", "line_kind: code list", "item_kind `X`", {"item_kind": "X"}),
    Kind("unknown_fault", "shipments", "failure_caused_by: code list", "failed_by `weather`", {"failed_by": "weather"}),
    Kind("neither_yes_nor_no", "shipment_lines", "substitution_agreed: code list", "subst_ok `perhaps`",
         {"subst_ok": "perhaps"}, in_place=True),
    Kind("unknown_document_type", "invoices", "invoice_kind: code list", "doc_type `PRO`", {"doc_type": "PRO"}),
    Kind("unknown_credit_reason", "invoices", "credit_reason: code list", "reason `FUN`",
         {"doc_type": "CRD", "reason": "FUN"}),
    # records that belong to nothing
    Kind("order_missing", "order_lines", "waits for its order",
         "an order never came; its lines, shipment and invoice lines wait", outcome=WAITING, plant=plant_missing_order),
    Kind("line_of_no_order", "order_lines", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING),
    Kind("shipment_line_of_no_order_line", "shipment_lines", "waits for its order line", "pos `990` with no such line",
         {"pos": "990"}, outcome=WAITING, in_place=True),
    Kind("shipment_line_of_no_shipment", "shipment_lines", "waits for its shipment",
         "delivery_no `DN77…` with no such shipment", {"delivery_no": lambda row: "DN77" + row["delivery_no"][2:]},
         outcome=WAITING),
    Kind("invoice_line_of_no_order_line", "invoice_lines", "waits for its order line", "pos `990` with no such line",
         {"pos": "990"}, outcome=WAITING, needs=has("pos"), in_place=True),
    Kind("invoice_line_of_no_invoice", "invoice_lines", "waits for its invoice", "doc_no `IN77…` with no such document",
         {"doc_no": lambda row: "IN77" + row["doc_no"][2:]}, outcome=WAITING),
    Kind("reversal_of_unknown_invoice", "invoices", "waits for the invoice it reverses",
         "reverses `IN77…` with no such document",
         {"doc_type": "REV", "reverses": lambda row: "IN77" + row["doc_no"][2:]}, outcome=WAITING),
    # malformed records and forbidden characters
    Kind("short_row", "shipments", "as many fields as the header", "the last three fields missing",
         plant=plant_short_row),
    Kind("long_row", "invoice_lines", "as many fields as the header", "two fields too many", plant=plant_long_row),
    Kind("repeated_header", "orders", "values of their types", "the header line again in the middle",
         plant=plant_repeated_header),
    Kind("totals_line", "order_lines", "values of their types", "`TOTAL` and a sum", plant=plant_totals_line),
    Kind("control_character", "orders", "clean text", "U+0007 in remarks", {"remarks": "ring\x07 twice"}),
    Kind("direction_override", "orders", "clean text", "U+202E in remarks", {"remarks": "gate \u202e4"}),
    Kind("zero_width_character", "orders", "clean text", "U+200B in sold_to",
         {"sold_to": lambda row: row["sold_to"] + "\u200b"}),
    Kind("nul_byte", "shipments", "clean text", "U+0000 in pod_place", {"pod_place": "DOCK\x001"}),
    # repeated records
    Kind("exact_repeat_line", "order_lines", "newest version wins", "the same line twice", outcome=SUPERSEDED,
         plant=plant_repeat),
    Kind("exact_repeat_shipment", "shipments", "newest version wins", "the same consignment twice", outcome=SUPERSEDED,
         plant=plant_repeat),
    Kind("exact_repeat_billing", "invoice_lines", "newest version wins", "the same billed line twice",
         outcome=SUPERSEDED, plant=plant_repeat),
    Kind("conflicting_repeat", "shipment_lines", "newest version wins",
         "the same key and changed_at twice, qty_damaged differs", {"qty_damaged": "1.000"}, outcome=SUPERSEDED,
         plant=plant_repeat,
         needs=lambda row: row["qty_damaged"] == "0.000" and not row["qty_received"] and len(row["qty_sent"]) > 5),
    # the small feeds
    Kind("customer_without_date", "customers", "valid_from: present", "valid_from empty", {"valid_from": ""}),
    Kind("negative_cost", "products", "unit_cost_amount: 0 or more", "unit_cost `-3,20`", {"unit_cost": "-3,20"}),
    Kind("decimal_point_for_comma", "products", "unit_cost_amount: declared decimal comma", "unit_cost `3.20`",
         {"unit_cost": "3.20"}),
    Kind("share_in_percent", "service_packages", "order_fill_min: 0 to 1", "order_fill_min `98`",
         {"order_fill_min": "98"}),
    Kind("unknown_timing", "policies", "timing: DEADLINE or WINDOW", "timing `SOMETIME`", {"timing": "SOMETIME"}),
    Kind("target_in_words", "targets", "target_value: a number", "target `high`", {"target": "high"}),
    Kind("target_of_no_measure", "targets", "measure: in the catalogue", "measure `happiness`",
         {"measure": "happiness"}),
    Kind("unknown_assumption", "assumptions", "assumption: one there is", "name `luck`", {"name": "luck"}),
    Kind("negative_assumption", "assumptions", "assumed_value: 0 or more", "value `-3`", {"value": "-3"}),
    Kind("negative_factor", "unit_factors", "factor: above 0", "factor `-12`", {"factor": "-12"}),
    Kind("zero_factor", "unit_factors", "factor: above 0", "factor `0`", {"factor": "0"}),
    Kind("contradicting_factors", "unit_factors", "one factor from one day on",
         "480 and 500 to a pallet from the same day on", {"unit": "pallet", "step": ""}, plant=plant_contradiction),
    Kind("closes_before_it_opens", "calendars", "closes_at not before opens_at", "opens `16:00`, closes `08:00`",
         {"day": "2026-03-03", "opens": "2026-03-03T16:00:00Z", "closes": "2026-03-03T08:00:00Z"}),
    Kind("never_closes", "calendars", "both hours or neither", "closes empty",
         {"day": "2026-03-04", "opens": "2026-03-04T08:00:00Z", "closes": ""}),
    Kind("rate_of_zero", "fx_rates", "rate: above 0", "rate `0`", {"on_date": "2024-05-06", "rate": "0"}),
    Kind("rate_of_no_currency", "fx_rates", "currency: ISO 4217", "curr `EURO`",
         {"on_date": "2024-05-07", "curr": "EURO"}),
    Kind("other_reporting_currency", "fx_rates", "one reporting currency", "to_curr `CHF`",
         {"on_date": "2024-05-08", "to_curr": "CHF"}),
    # fulfilment
    Kind("unknown_unit", "order_lines", "unit has a factor", "unit `crate` without a factor", {"unit": "crate"},
         outcome=WAITING, needs=has(item_kind="G")),
    Kind("promise_in_year_9999", "promises", "promised_by: 1990 to 2100", "conf_date `9999-12-31`",
         {"conf_date": "9999-12-31"}),
    Kind("promise_changed_in_the_future", "promises", "changed_at not after data_as_of",
         "changed_at `2026-08-01T08:00:00Z`", {"changed_at": "2026-08-01T08:00:00Z"}),
    Kind("revision_zero", "promises", "revision_no: 1 or more", "rev `0`", {"rev": "0"}),
    Kind("unknown_promiser", "promises", "changed_by: code list", "changed_by `X`", {"changed_by": "X"}),
    Kind("unknown_basis", "promises", "basis: ATP or ATD", "basis `HOPE`", {"basis": "HOPE"}),
    Kind("promise_of_no_order_line", "promises", "waits for its order line", "pos `990` with no such line",
         {"pos": "990"}, outcome=WAITING),
    Kind("unknown_hold", "holds", "kind: code list", "kind `Z`", {"kind": "Z"}),
    Kind("lifted_before_set", "holds", "released_at not before placed_at", "lifted_at two days before set_at",
         {"lifted_at": days_before("set_at", 2)}),
    Kind("held_before_ordered", "holds", "placed_at not before ordered_at", "set_at `2024-05-01` for an order of 2025",
         {"set_at": "2024-05-01T09:00:00Z"}),
    Kind("hold_of_no_order", "holds", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING),
    Kind("fourteenth_step", "order_events", "step: 1 to 13", "step `14`", {"step": "14"}),
    Kind("step_in_words", "order_events", "step: a whole number", "step `picking`", {"step": "picking"}),
    Kind("attempt_zero", "order_events", "event_no: 1 or more", "try `0`", {"try": "0"}),
    Kind("done_before_begun", "order_events", "finished_at not before started_at", "done_at three days before begun_at",
         {"done_at": days_before("begun_at", 3)}, needs=has(step="1")),
    Kind("picked_before_ordered", "order_events", "started_at not before ordered_at",
         "begun_at `2024-05-01` for an order of 2025", {"begun_at": "2024-05-01T09:00:00Z"},
         needs=has("done_at", step="9")),
    Kind("step_of_no_order", "order_events", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING),
    Kind("answered_before_asked", "quotes", "answered_at not before asked_at", "answered_at a week before asked_at",
         {"answered_at": days_before("asked_at", 7), "order_no": ""}),
    Kind("inquiry_of_unknown_order", "quotes", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING, needs=has("order_no")),
    Kind("option_of_no_inquiry", "quote_options", "waits for its inquiry", "inquiry_no `Q77…` with no such inquiry",
         {"inquiry_no": lambda row: "Q77" + row["inquiry_no"][1:]}, outcome=WAITING),
    Kind("lead_time_in_words", "quote_options", "lead_time_days: a whole number", "lead_days `soon`",
         {"lead_days": "soon"}),
    Kind("negative_offer", "quote_options", "price_amount: 0 or more", "price `-10.00`", {"price": "-10.00"}),
    Kind("unknown_phase", "messages", "phase: pre, during or post", "phase `later`", {"phase": "later"}),
    Kind("unknown_message", "messages", "kind: code list", "kind `gossip`", {"kind": "gossip"}),
    Kind("message_to_nobody", "messages", "an order or a customer", "order_no and customer_no empty",
         {"order_no": "", "customer_no": ""}),
    Kind("sent_in_the_future", "messages", "sent_at not after data_as_of", "sent_at `2026-07-20T08:00:00Z`",
         {"sent_at": "2026-07-20T08:00:00Z"}),
    Kind("exact_repeat_message", "messages", "newest version wins", "the same message twice", outcome=SUPERSEDED,
         plant=plant_repeat),
    # after delivery
    Kind("payment_of_unknown_invoice", "payments", "waits for its invoice", "doc_no `IN77…` with no such document",
         {"doc_no": lambda row: "IN77" + row["doc_no"][2:]}, outcome=WAITING),
    Kind("negative_payment", "payments", "amount: 0 or more", "amount `-50.00`", {"amount": "-50.00"}),
    Kind("paid_in_the_future", "payments", "paid_at not after data_as_of", "paid_on `2026-09-30`",
         {"paid_on": "2026-09-30"}),
    Kind("unknown_case", "service_cases", "kind: code list", "kind `praise`", {"kind": "praise"}),
    Kind("settled_before_opened", "service_cases", "resolved_at not before opened_at",
         "settled_at two days before opened_at", {"answered_at": "", "settled_at": days_before("opened_at", 2)}),
    Kind("case_of_nobody", "service_cases", "an order or a customer", "order_no and customer_no empty",
         {"order_no": "", "customer_no": ""}),
    Kind("negative_case_cost", "service_cases", "cost_amount: 0 or more", "cost `-15.00`",
         {"cost": "-15.00", "cost_curr": "EUR"}),
    Kind("case_of_no_order", "service_cases", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING, needs=has("order_no")),
    Kind("unknown_return_reason", "returns", "reason: code list", "reason `ugly`", {"reason": "ugly"}),
    Kind("negative_return", "returns", "returned_qty: 0 or more", "qty `-2.000`", {"qty": "-2.000"}),
    Kind("back_before_announced", "returns", "received_at not before announced_at",
         "back_at a week before announced_at", {"back_at": days_before("announced_at", 7), "credited_at": ""}),
    Kind("return_of_no_order_line", "returns", "waits for its order line", "pos `990` with no such line",
         {"pos": "990"}, outcome=WAITING),
    Kind("unknown_outcome", "stockouts", "outcome: code list", "outcome `angry`", {"outcome": "angry"}),
    Kind("wanted_in_the_future", "stockouts", "wanted_at not after data_as_of", "wanted_at `2026-12-24T09:00:00Z`",
         {"wanted_at": "2026-12-24T09:00:00Z"}),
    Kind("wanted_by_nobody", "stockouts", "customer_id: present", "customer_no empty", {"customer_no": ""}),
    Kind("cost_in_words", "service_costs", "amount: a number", "amount `free`", {"amount": "free"}),
    Kind("cost_without_day", "service_costs", "incurred_on: present", "booked_on empty", {"booked_on": ""}),
    Kind("cost_of_no_order", "service_costs", "waits for its order", "order_no `SO99…` with no such order",
         {"order_no": lambda row: "SO99" + row["order_no"][2:]}, outcome=WAITING, needs=has("order_no")),
    Kind("booked_in_in_the_future", "buyer_scorecards", "received_at not after data_as_of",
         "booked_in `2026-08-15T09:00:00Z`", {"booked_in": "2026-08-15T09:00:00Z"}),
    Kind("unknown_verdict", "buyer_scorecards", "passed: code list", "passed `perhaps`", {"passed": "perhaps"}),
)  # fmt: skip
"""All kinds, in the order of the README."""


@dataclass(frozen=True)
class Correction:
    """A newer or older version of a record, in a second file."""

    name: str
    feed: str
    example: str
    needs: Callable[[Row], bool]
    change: Mapping[str, Change]
    loses: bool = False
    """True: the version in the second file is older, and ingest ignores it."""
    restores: bool = False
    """True: the first file has the change, which is the mistake. The second file has the correct record."""


def four_days_later(row: Row) -> str:
    """Return the morning four days after the goods left."""
    left = datetime.fromisoformat(row["goods_issue_at"]) + timedelta(days=4)
    return left.strftime("%Y-%m-%dT09:20:00Z")


CORRECTIONS: tuple[Correction, ...] = (
    Correction("late_proof_of_delivery", "shipments", "pod_at arrives with shipments_2.csv",
               lambda row: not row["pod_at"] and row["goods_issue_at"] < "2026-06-20",
               {"pod_at": four_days_later, "attempt_at": four_days_later, "changed_at": CORRECTED_AT}),
    Correction("corrected_order", "orders", "remarks change with orders_2.csv",
               lambda row: row["changed_at"] < "2026-06-20",
               {"remarks": "gate code corrected", "changed_at": CORRECTED_AT}),
    Correction("corrected_price", "order_lines", "price a tenth too high until order_lines_2.csv",
               lambda row: row["changed_at"] < "2026-06-20", {"price": lambda row: f"{float(row['price']) * 1.1:.2f}"},
               restores=True),
    Correction("older_version_last", "orders", "orders_2.csv brings a version older than the one in orders.csv",
               lambda row: row["changed_at"] < "2026-06-20" and not row["cancel_ts"] and len(row["entered_at"]) > 10,
               {"remarks": "superseded before it came", "changed_at": days_before("changed_at", 1)}, loses=True),
)  # fmt: skip
"""Later versions, which are no defects. The older version of each pair is superseded."""


def times(orders: int) -> int:
    """Return the number of defects of each kind: one in ten thousand orders, from 1 to 25."""
    return min(25, max(1, orders // 10_000))


def plant(parts: Parts, orders: int, seed: int, chunk: int, chunks: int) -> dict[str, list[Run]]:
    """Plant this chunk's share of every kind. Return the records of each feed's second file."""
    count = times(orders)
    serials = [serial for serial in range(count) if serial * chunks // count == chunk]
    kinds = [kind for kind in KINDS if kind.feed in parts]
    # The missing orders come first, because they remove whole orders.
    for kind in sorted(kinds, key=lambda kind: kind.plant is not plant_missing_order):
        for serial in serials:
            kind.plant(kind, parts, Spot(draw(seed, kind.name, serial), KINDS.index(kind) * 1000 + serial))
    second_files: dict[str, list[Run]] = {}
    for correction in CORRECTIONS:
        if correction.feed in parts:
            for serial in serials:
                versions = correct(parts[correction.feed], correction, seed, serial)
                second_files.setdefault(correction.feed, []).extend(versions)
    return {feed: runs for feed, runs in second_files.items() if runs}


def correct(part: Part, correction: Correction, seed: int, serial: int) -> list[Run]:
    """Return up to three corrected versions for the second file. Mark the versions that ingest supersedes."""
    versions: list[Run] = []
    mark = Mark(correction.name, SUPERSEDED, "newest version wins")
    for turn in range(3):
        position = part.find(draw(seed, correction.name, serial, turn), correction.needs)
        if position is None:
            continue
        part.taken.add(position)
        clean = part.row(position)
        spoilt = with_changes(clean, correction.change)
        if not correction.loses:
            part.marks[position] = mark
        if correction.restores:
            part.spoilt[position] = part.text(spoilt)
            version = with_changes(clean, {"changed_at": CORRECTED_AT})
        else:
            version = spoilt
        versions.append(([part.text(version)], mark if correction.loses else None))
    return versions
